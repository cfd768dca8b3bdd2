"""Learning rates against values worked out by hand from mindcv's formulas."""

import math
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
