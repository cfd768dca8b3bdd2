"""Which steps end with an update, and its learning rate."""

import numpy as np
import pytest

from mindcv_shufflenet.training.updates import Updates


@pytest.mark.parametrize("batches", [1, 2, 3, 5, 9])
def test_updates_are_counted_as_they_are_made(batches: int) -> None:
    steps, epochs, done = 5, 3, 0
    rates = np.arange(epochs * steps) / 10
    updates = Updates.of(rates, steps, batches)
    for epoch in range(epochs):
        for step in range(steps):
            assert updates.done(epoch, step) == done
            first = epoch * steps + step - step % batches
            assert updates.rates[done] == rates[first]
            done += updates.ends_group(step)
        assert updates.last_rate(epoch + 1) == rates[first]
    assert len(updates.rates) == done == updates.done(epochs)
