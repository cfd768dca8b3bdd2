"""Warnings of a training that does not learn, each with what to try.

They are pure functions of the options and of the rows of the finished epochs. A warning is told once, after the first
epoch at which it holds, also when the training is resumed.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import bdtrc

from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.training.record.state import Row

# Accuracy is at chance unless guessing would reach it less often than this.
_SIGNIFICANCE = 0.05
# What a training needs before it is judged.
_FIRST_EPOCHS, _FIRST_STEPS = 3, 100
# Epochs that are looked at together.
_WINDOW = 3
_LONG_WINDOW = 5


class Guessable(NamedTuple):
    """How well guessing does on the images of a split.

    Attributes:
        looks: how many are looked at in an epoch.
        chance: the share of the most frequent class, which a constant answer reaches.
    """

    looks: int
    chance: float

    @classmethod
    def of(cls, labels: np.ndarray, looks: int | None = None) -> "Guessable":
        """Return it for labels ``[N] int``, of which an epoch looks at so many, or at all."""
        return cls(len(labels) if looks is None else looks, float(np.bincount(labels).max()) / len(labels))

    def is_guessed(self, top1: Sequence[float]) -> bool:
        """Whether guessing explains the accuracies of some epochs, in percent: a binomial test of all together."""
        correct = round(self.looks * sum(top1) / 100)
        return correct == 0 or bool(bdtrc(correct - 1, self.looks * len(top1), self.chance) > _SIGNIFICANCE)


class Baseline(NamedTuple):
    """What the rows are compared with: what guessing reaches under the options of the training.

    Attributes:
        config: the resolved options.
        train: on the training images.
        val: on the validation images; None where nothing is validated.
    """

    config: Config
    train: Guessable
    val: Guessable | None

    @property
    def loss(self) -> float | None:
        """The loss of equal probabilities for all classes, in nats; None where the loss is no mean cross entropy."""
        config = self.config
        is_cross_entropy = config.loss == "CE" and config.reduction == "mean"
        if not is_cross_entropy or config.teacher or config.aux_factor or not config.num_classes:
            return None
        return math.log(config.num_classes)


Check = Callable[[Sequence[Row], Baseline], str | None]


def new_warnings(rows: Sequence[Row], baseline: Baseline) -> list[str]:
    """Return a line for each warning that holds after the last epoch, and held after none before.

    Args:
        rows: the finished epochs, from the first on.
        baseline: what they are compared with.
    """
    lines = [(check, check(rows, baseline)) for check in CHECKS]
    return [line for check, line in lines if line and not any(check(rows[:n], baseline) for n in range(len(rows)))]


def _is_early(rows: Sequence[Row], config: Config) -> bool:
    """Whether a training is too young to be judged."""
    after_warmup = rows[-1].epoch > config.warmup_epochs if rows else False
    return not after_warmup or rows[-1].epoch < _FIRST_EPOCHS or rows[-1].step < _FIRST_STEPS


def _guesses(rows: Sequence[Row], baseline: Baseline) -> bool:
    top1 = [row.train_top1 for row in rows[-_WINDOW:]]
    return not _is_early(rows, baseline.config) and baseline.train.is_guessed(top1)


def _at_chance(rows: Sequence[Row], baseline: Baseline) -> str | None:
    """The training images are guessed after the first epochs."""
    if not _guesses(rows, baseline):
        return None
    return (
        f"after epoch {rows[-1].epoch} the training images are still guessed: top-1 {rows[-1].train_top1:.2f} %, where"
        f" chance is {100 * baseline.train.chance:.2f} %; look whether labels and images belong together, then try a"
        f" lower --lr (it is {baseline.config.lr:g}), more --warmup_epochs, or fewer augmentations"
    )


def _validation_at_chance(rows: Sequence[Row], baseline: Baseline) -> str | None:
    """The training images are learnt, and the validation images guessed."""
    validated = [row.val_top1 for row in rows if row.val_top1 is not None][-_WINDOW:]
    if baseline.val is None or len(validated) < _WINDOW or rows[-1].val_top1 is None:
        return None
    if _is_early(rows, baseline.config) or _guesses(rows, baseline) or not baseline.val.is_guessed(validated):
        return None
    return (
        f"after epoch {rows[-1].epoch} training images are learnt (top-1 {rows[-1].train_top1:.2f} %), and validation"
        f" images guessed (top-1 {validated[-1]:.2f} %, where chance is {100 * baseline.val.chance:.2f} %); look"
        " whether the two splits show the same classes, and try a larger --batch_size (it is"
        f" {baseline.config.batch_size}) for BatchNorm, a lower --lr, or more images"
    )


def _stands_still(rows: Sequence[Row], baseline: Baseline) -> str | None:
    """The loss has hardly fallen since the first epoch and does not fall any more, at a rate that is still high."""
    last = rows[-_LONG_WINDOW:]
    if len(rows) <= _LONG_WINDOW or _is_early(last[:1], baseline.config) or _guesses(rows, baseline):
        return None
    losses = [row.train_loss for row in last]
    is_flat = max(losses) - min(losses) < 0.01 * max(losses)
    is_high = min(losses) > 0.9 * rows[0].train_loss and max(row.train_top1 for row in last) < 50
    if not (is_flat and is_high and min(row.lr for row in last) > 0.1 * max(row.lr for row in rows)):
        return None
    return (
        f"the training loss has stood still for {_LONG_WINDOW} epochs, at {losses[-1]:.3f} after"
        f" {rows[0].train_loss:.3f} in the first; try another --lr (it is {baseline.config.lr:g}), a smaller"
        " --weight_decay, or fewer augmentations"
    )


def _diverges(rows: Sequence[Row], baseline: Baseline) -> str | None:
    """The loss has risen above that of a guess, or where that is not known, above that of the first epoch."""
    if len(rows) < 2 or rows[-1].step < _FIRST_STEPS:
        return None
    *earlier, last = rows
    lowest, guess = min(row.train_loss for row in earlier), baseline.loss
    limit = rows[0].train_loss if guess is None else guess
    is_learning = last.train_top1 > max(row.train_top1 for row in earlier)
    if is_learning or last.train_loss <= max(limit, 1.1 * lowest):
        return None
    compared = f"a guess costs ln({baseline.config.num_classes}) =" if guess is not None else "the first epoch had"
    return (
        f"the training loss rose to {last.train_loss:.3f} in epoch {last.epoch}, from {lowest:.3f}; {compared}"
        f" {limit:.3f}: the training diverges; try a lower --lr (it is {baseline.config.lr:g}), more --warmup_epochs or"
        " --clip_grad"
    )


CHECKS: tuple[Check, ...] = (_at_chance, _validation_at_chance, _stands_still, _diverges)


# 0.1 for 256 images, and a rate proportional to the batch (Goyal et al. 2017, arXiv:1706.02677, section 2.1), for
# gradient descent with momentum 0.9 on a mean cross entropy. The published recipes of this family have up to 0.25 for
# 256 images, ours of CIFAR-10 0.8; mindcv's have 0.2.
_HIGH_RATE, _RECOMMENDED_RATE, _BATCH, _MOMENTUM = 1.0, 0.2, 256, 0.9


def rate_warnings(config: Config, global_batch: int) -> list[str]:
    """Return a line if the learning rate of gradient descent is too high for the global batch.

    Other optimizers, and losses of another scale, have no such rule.

    Args:
        config: the resolved options.
        global_batch: images an update, of all ranks.
    """
    if config.opt not in ("sgd", "momentum") or config.loss == "BCE" or config.reduction != "mean":
        return []
    share = global_batch / _BATCH * (1 - config.momentum) / (1 - _MOMENTUM)
    if config.lr <= _HIGH_RATE * share:
        return []
    return [
        f"lr {config.lr:g} is high for {config.opt} for {counted(global_batch, 'image')} an update (a recipe's lr is"
        f" for all its cards together); if the loss does not fall, try --lr {_RECOMMENDED_RATE * share:.2g}"
    ]
