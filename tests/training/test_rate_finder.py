"""The learning-rate finder."""

from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.training.rate_finder import choose_rate, find_rate
from tests.training.runs import options

RATES = np.geomspace(1e-4, 1e-1, 61)


def noisy(losses: np.ndarray, seed: int) -> np.ndarray:
    """Losses as batches have them."""
    return losses + np.random.default_rng(seed).normal(0, 0.15, len(losses))


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_is_the_last_one_before_the_loss_rises(seed: int) -> None:
    """A network that knows something already: its loss is flat, and rises from 3e-3 on."""
    losses = 1.0 + 1.3 * np.clip(np.log10(RATES / 3e-3), 0, None)
    assert 1.5e-3 < choose_rate(RATES, noisy(losses, seed), 2.3) < 6e-3


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_falls_first(seed: int) -> None:
    losses = 1.0 - 0.1 * np.log10(RATES / 1e-4) + 2 * np.clip(np.log10(RATES / 6e-3), 0, None)
    assert 5e-3 < choose_rate(RATES, noisy(losses, seed), 2.3) < 2e-2


def test_losses_that_are_no_numbers() -> None:
    assert choose_rate(RATES, np.array([np.nan]), 2.3) == RATES[0]
    assert choose_rate(RATES, np.array([1.0, 1.0, 1.0, np.inf]), 2.3) == RATES[2]


def test_a_search_leaves_no_trace(tmp_path: Path) -> None:
    search = find_rate(options(tmp_path / "run"))
    assert 1e-4 <= search.rate <= 1e-2
    assert search.steps_per_epoch == 2
    assert 0 < search.seconds_per_step < search.seconds_to_start
    assert [*tmp_path.iterdir()] == []
