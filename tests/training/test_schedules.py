"""Learning rates against values worked out by hand from mindcv's formulas."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.names import SCHEDULES as NAMES
from mindcv_shufflenet.training.schedules import SCHEDULES, end_of_decay, learning_rates


def rates(steps_per_epoch: int = 2, **options: Any) -> np.ndarray:
    defaults = {"lr": 1.0, "min_lr": 0.0, "warmup_epochs": 0, "epoch_size": 4, "decay_epochs": 4}
    return learning_rates(parse_config(defaults | options), steps_per_epoch)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scheduler": "constant"}, [1] * 8),
        ({"scheduler": "cosine_decay"}, [0.5 * (1 + math.cos(math.pi * i / 8)) for i in range(8)]),
        ({"scheduler": "cosine_decay", "decay_epochs": 2, "min_lr": 0.1},
         [0.1 + 0.45 * (1 + math.cos(math.pi * i / 4)) for i in range(4)] + [0.1] * 4),
        ({"scheduler": "cosine_decay", "decay_epochs": 2, "num_cycles": 2, "cycle_decay": 0.5},
         [0.5 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]
         + [0.25 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]),
        ({"scheduler": "linear_decay", "min_lr": 0.2}, [0.2 + 0.8 * (1 - i / 8) for i in range(8)]),
        # without decay_epochs to the end of the training
        ({"scheduler": "cosine_decay", "decay_epochs": None},
         [0.5 * (1 + math.cos(math.pi * i / 8)) for i in range(8)]),
        ({"scheduler": "cosine_decay", "decay_epochs": None, "num_cycles": 2},
         2 * [0.5 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]),
        ({"scheduler": "linear_decay", "decay_epochs": None, "num_cycles": 2}, [1 - i / 8 for i in range(8)]),
        ({"scheduler": "cosine_decay", "decay_epochs": None, "warmup_epochs": 2},
         [i / 4 for i in range(4)] + [0.5 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]),
        ({"scheduler": "polynomial_decay", "decay_rate": 2.0}, [(1 - i / 8) ** 2 for i in range(8)]),
        ({"scheduler": "exponential_decay", "decay_rate": 0.5}, [0.5 ** (i / 2) for i in range(8)]),
        ({"scheduler": "step_decay", "decay_epochs": 3, "decay_rate": 0.1}, [1] * 6 + [0.1] * 2),
        ({"scheduler": "multi_step_decay", "multi_step_decay_milestones": [1, 3], "decay_rate": 0.1},
         [1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ({"scheduler": "cosine_decay", "lr_epoch_stair": True},
         [0.5 * (1 + math.cos(math.pi * (i // 2) / 4)) for i in range(8)]),
    ],
    ids=lambda value: value["scheduler"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_schedule(options: dict[str, Any], expected: list[float]) -> None:
    np.testing.assert_allclose(rates(**options), expected, atol=1e-12)


def test_the_warm_up_is_linear_and_the_schedule_starts_after_it() -> None:
    got = rates(scheduler="linear_decay", warmup_epochs=2, warmup_factor=0.2, decay_epochs=2)
    np.testing.assert_allclose(got, [0.2, 0.4, 0.6, 0.8, 1.0, 0.75, 0.5, 0.25])


def test_a_warm_up_longer_than_the_training_only_warms_up() -> None:
    got = rates(scheduler="polynomial_decay", warmup_epochs=8, epoch_size=4)
    np.testing.assert_allclose(got, np.arange(8) / 16)


def one_cycle(changes: int, highest: float, lowest: float) -> list[float]:
    """The rates of PyTorch's OneCycleLR, change by change."""
    top = 0.3 * changes - 1
    expected = []
    for i in range(changes):
        rise, fall = (highest / 25, highest, i / top), (highest, lowest, (i - top) / (changes - 1 - top))
        start, end, share = rise if i <= top else fall
        expected.append(end + (start - end) / 2 * (math.cos(math.pi * share) + 1))
    return expected


def cyclic(changes: int, cycles: int, highest: float, lowest: float) -> list[float]:
    """The rates of PyTorch's CyclicLR, change by change; half a cycle is a whole number of changes."""
    half = changes // cycles // 2
    return [lowest + (highest - lowest) * (half - abs(i % (2 * half) - half)) / half for i in range(changes)]


# Options, and the rate of each change after the warm-up, of which there are so many.
CYCLES = [
    ({"scheduler": "one_cycle"}, lambda changes: one_cycle(changes, 2.0, 0.1)),
    ({"scheduler": "cyclic", "num_cycles": 2}, lambda changes: cyclic(changes, 2, 2.0, 0.1)),
]


@pytest.mark.parametrize("is_stair", [False, True], ids=["steps", "epochs"])
@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize(("options", "expected"), CYCLES, ids=["one_cycle", "cyclic"])
def test_schedules_that_rise_first(
    options: dict[str, Any], expected: Callable[[int], list[float]], warmup: int, is_stair: bool
) -> None:
    steps, epochs = 5, 20
    common = {"lr": 2.0, "min_lr": 0.1, "warmup_epochs": warmup, "warmup_factor": 0.5, "epoch_size": epochs + warmup}
    got = rates(steps, **common, **options, lr_epoch_stair=is_stair)
    if is_stair:
        assert all(len(set(epoch)) == 1 for epoch in got.reshape(-1, steps))
        got, steps = got[::steps], 1
    after = expected(epochs * steps)
    # the warm-up leads to where the schedule begins
    before = [after[0] * (0.5 + 0.5 * i / (warmup * steps)) for i in range(warmup * steps)]
    np.testing.assert_allclose(got, before + after, rtol=1e-9)


def test_one_cycle_ends_at_min_lr() -> None:
    got = rates(10, scheduler="one_cycle", min_lr=0.01, epoch_size=10)
    assert got[0] == pytest.approx(1 / 25)
    assert got.max() == pytest.approx(1.0)
    assert np.argmax(got) == 29
    assert got[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_short_cycles_have_rates(epochs: int) -> None:
    for scheduler in ("one_cycle", "cyclic"):
        for is_stair in (False, True):
            got = rates(1, scheduler=scheduler, epoch_size=epochs, min_lr=0.01, lr_epoch_stair=is_stair)
            assert np.isfinite(got).all()
            assert got.min() >= 0.01
            assert got.max() <= 1


def test_each_name_has_its_schedule() -> None:
    assert set(SCHEDULES) == set(NAMES)


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({"scheduler": "cosine_decay", "decay_epochs": 10, "warmup_epochs": 3}, 13),
        ({"scheduler": "cosine_decay", "decay_epochs": 10, "num_cycles": 3, "warmup_epochs": 3}, 33),
        ({"scheduler": "linear_decay", "decay_epochs": 10, "num_cycles": 3, "warmup_epochs": 3}, 13),
        ({"scheduler": "linear_decay"}, None),
        ({"scheduler": "step_decay", "decay_epochs": 10}, None),
    ],
)
def test_where_a_decay_ends(options: dict[str, Any], end: int | None) -> None:
    assert end_of_decay(parse_config(options)) == end
