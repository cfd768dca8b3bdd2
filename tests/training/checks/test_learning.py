"""Warnings of a training that does not learn: none for good runs, and one line, once, for bad ones."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.options.config import Config, load_yaml, parse_config
from mindcv_shufflenet.options.names import OPTIMIZERS
from mindcv_shufflenet.training.checks.learning import (
    Baseline,
    Guessable,
    new_warnings,
    rate_warnings,
)
from mindcv_shufflenet.training.record.state import Row

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "configs").glob("*/*.yaml"))
DIGITS = Baseline(
    Config(lr=0.1, warmup_epochs=2, epoch_size=10, num_classes=10), Guessable(1408, 0.102), Guessable(360, 0.106)
)
IMAGENET = Baseline(Config(lr=0.4, warmup_epochs=5, num_classes=1000), Guessable(1_281_152, 0.00101), None)


def row(epoch: int, loss: float, top1: float, val_top1: float | None = None, lr: float = 0.1, steps: int = 50) -> Row:
    return Row(epoch, steps * epoch, lr, loss, top1, None, val_top1, None, None, 100.0, 1.0)


def rows_of(*epochs: Sequence[Any], **options: Any) -> list[Row]:
    """Rows of loss, train top-1 and validation top-1."""
    return [row(number, *values, **options) for number, values in enumerate(epochs, 1)]


def told(rows: list[Row], baseline: Baseline) -> list[tuple[int, str]]:
    """What a whole training is told: the epoch and the line."""
    return [(n, line) for n in range(1, len(rows) + 1) for line in new_warnings(rows[:n], baseline)]


# The log of the demo's recipe at 16 pixels with the small network of the tests: loss, train and validation top-1.
GOOD_RUN = (
    (1.886, 36.65, 64.17),
    (1.161, 76.14, 58.33),
    (1.054, 83.31, 78.89),
    (0.837, 90.70, 93.33),
    (0.748, 93.68, 96.39),
    (0.699, 95.17, 96.39),
    (0.638, 97.23, 99.17),
    (0.620, 97.80, 99.17),
    (0.605, 98.44, 99.17),
    (0.603, 98.15, 99.17),
)


def test_a_good_run_on_digits_is_told_nothing() -> None:
    assert told(rows_of(*GOOD_RUN, steps=22), DIGITS) == []


def test_a_good_run_on_cifar10_is_told_nothing() -> None:
    with open(ROOT / "docs" / "results" / "shufflenet_v2_x0_5_cifar10.csv") as file:
        rows = [
            row(int(line["epoch"]), float(line["train_loss"]), float(line["train_top1"]), None, float(line["lr"]), 781)
            for line in csv.DictReader(file)
        ]
    config = parse_config(load_yaml(ROOT / "configs" / "shufflenetv2" / "shufflenet_v2_x0_5_cifar10.yaml"))
    baseline = Baseline(config.replace(num_classes=10), Guessable(49_984, 0.1), Guessable(10_000, 0.1))
    assert told(rows, baseline) == []


@pytest.mark.parametrize("top1", [0.1, 0.4])
def test_the_first_epochs_of_1000_classes_are_told_nothing(top1: float) -> None:
    assert told(rows_of((6.9, top1), (6.8, top1), (6.7, top1), lr=0.2, steps=2502), IMAGENET) == []  # in the warm-up
    learning = rows_of((6.7, 1.5), (5.9, 7), (5.3, 13), (5, 17), (4.7, 20), (4.5, 24), (4.3, 27), steps=2502)
    assert told(learning, IMAGENET) == []


def test_slow_progress_late_in_a_long_training_is_told_nothing() -> None:
    late = [row(n, 6.5 / n**0.25, 60 - 58 / n**0.5, steps=2502) for n in range(1, 120)]
    assert told(late, IMAGENET) == []


def test_constant_answers_are_told_once_as_a_guess() -> None:
    """2.303 is the cross entropy of ten equal probabilities."""
    still = rows_of(*[(2.303, 10.1, 10.0)] * 9)
    (epoch, line), *others = told(still, DIGITS)
    assert (epoch, others) == (3, [])
    assert re.fullmatch(
        r"after epoch 3 .* still guessed: top-1 10.10 %, where chance is 10.20 %; .* lower --lr .*", line
    )


def test_a_constant_answer_to_uneven_classes_is_a_guess_too() -> None:
    assert Guessable.of(np.array([0, 0, 0, 1], np.int32)) == Guessable(4, 0.75)
    uneven = DIGITS._replace(train=Guessable(1000, 0.75))
    assert "chance is 75.00 %" in told(rows_of(*[(0.6, 75.2)] * 4), uneven)[0][1]
    assert told(rows_of((0.6, 75), (0.5, 80), (0.4, 84), (0.3, 88)), uneven) == []


def test_too_few_steps_are_not_judged() -> None:
    assert told(rows_of(*[(2.303, 10.0, 10.0)] * 9, steps=10), DIGITS) == []


def test_validation_images_that_are_guessed_are_told() -> None:
    learnt = rows_of(*[(2 / n, 60 + 4 * n, 10.5) for n in range(1, 6)])
    assert [epoch for epoch, _ in told(learnt, DIGITS)] == [3]
    line = told(learnt, DIGITS)[0][1]
    assert "validation images guessed (top-1 10.50 %, where chance is 10.60 %); look whether the two splits" in line
    assert told(learnt, DIGITS._replace(val=None)) == []


def test_a_loss_that_stands_still_is_told() -> None:
    still = rows_of((2.30, 13), *[(2.2 - 0.001 * n, 16) for n in range(9)])
    ((epoch, line),) = told(still, DIGITS)
    assert epoch == 7  # five epochs after the warm-up
    assert line.startswith(
        "the training loss has stood still for 5 epochs, at 2.195 after 2.300 in the first; try another"
    )
    assert told([row(r.epoch, r.train_loss, r.train_top1, lr=0.1 / r.epoch**2) for r in still], DIGITS) == []
    assert told(rows_of(*[(0.55, 98.0, 97.0)] * 9), DIGITS) == []  # fine-tuned, with label smoothing


def test_a_loss_that_rises_above_that_of_a_guess_is_told() -> None:
    rising = rows_of((2.2, 20), (1.8, 35), (2.6, 15), (3.0, 14))
    ((epoch, line),) = told(rising, DIGITS)
    assert epoch == 3
    assert line.startswith("the training loss rose to 2.600 in epoch 3, from 1.800; a guess costs ln(10) = 2.303: ")
    assert told(rows_of((0.2, 95), (0.3, 92), (0.2, 95)), DIGITS) == []


# Options whose loss has another scale than the cross entropy, what it starts with, and what it comes down to.
OTHER_LOSSES: list[tuple[dict[str, Any], float, float]] = [
    ({"loss": "BCE"}, 0.5, 0.2),
    ({"loss": "JSD", "auto_augment": "augmix-m3-w3-d-1-a1.0", "aug_splits": 3}, 5.0, 3.0),
    ({"reduction": "sum"}, 300.0, 100.0),
    ({"teacher": "teacher.ckpt"}, 12.0, 6.0),
    ({"teacher": "teacher.ckpt", "kd": "decoupled"}, 40.0, 30.0),
]


@pytest.mark.parametrize(("options", "start", "lowest"), OTHER_LOSSES, ids=str)
def test_other_losses_are_compared_with_the_first_epoch(options: dict[str, Any], start: float, lowest: float) -> None:
    config = parse_config({"lr": 0.1, "warmup_epochs": 0, "epoch_size": 10, "num_classes": 10} | options)
    other = DIGITS._replace(config=config)
    rising = rows_of((start, 20), (lowest, 40), (2 * start, 12), (3 * start, 11))
    ((epoch, line),) = told(rising, other)
    assert epoch == 3
    assert f"rose to {2 * start:.3f} in epoch 3, from {lowest:.3f}; the first epoch had {start:.3f}: the" in line
    assert told(rows_of((start, 20), (lowest, 40), (start - 0.01, 35), (lowest, 45)), other) == []
    assert told(rows_of((start, 20), (lowest, 40), (2 * start, 55)), other) == []  # it learns


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_no_high_rate_on_its_own_cards(path: Path) -> None:
    """Where the head says that one card takes an eighth of the rate, one card is told so."""
    head, config = path.read_text(), parse_config(load_yaml(path))
    cards = re.search(r"(\d+) cards x \d+", head)
    assert rate_warnings(config, config.batch_size * (int(cards[1]) if cards else 1)) == []


def test_the_rate_of_eight_cards_is_high_for_one() -> None:
    config = parse_config(load_yaml(ROOT / "configs" / "shufflenetv2" / "shufflenet_v2_x1_0.yaml"))
    assert rate_warnings(config, 64) == [
        "lr 0.4 is high for momentum for 64 images an update (a recipe's lr is for all its cards together); if the loss"
        " does not fall, try --lr 0.05"
    ]
    assert rate_warnings(config.replace(lr=0.05), 64) == []
    assert rate_warnings(config.replace(momentum=0.0, lr=2.0), 64) == []


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_only_gradient_descent_has_a_limit(opt: str) -> None:
    assert rate_warnings(Config(opt=opt), 32) == []
    assert bool(rate_warnings(Config(opt=opt, lr=1.5), 256)) == (opt in ("sgd", "momentum"))


@pytest.mark.parametrize("options", [{"loss": "BCE"}, {"reduction": "sum"}], ids=str)
def test_the_limit_is_for_a_mean_cross_entropy(options: dict[str, Any]) -> None:
    assert rate_warnings(Config(lr=1.5, **options), 256) == []
