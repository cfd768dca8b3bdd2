"""Learning rates, one a step. The names are mindcv's, and so are the formulas where no docstring says otherwise.

Every schedule is a warm-up followed by a function of the time since its end, measured in epochs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.options.config import Config

# The rate at which one_cycle begins is `lr` divided by this, as in mindcv and PyTorch.
_ONE_CYCLE_DIVISOR = 25
# The share of the epochs in which one_cycle rises, likewise.
_ONE_CYCLE_RISE = 0.3


class Course(NamedTuple):
    """When the rates of a schedule are wanted.

    Attributes:
        time: since the end of the warm-up, in epochs.
        interval: from one change of the rate to the next, in epochs.
    """

    time: np.ndarray
    interval: float


def learning_rates(config: Config, steps_per_epoch: int) -> np.ndarray:
    """Return the learning rate of each step of a training, ``float64 [epoch_size * steps_per_epoch]``.

    For ``warmup_epochs`` the rate rises linearly to where the schedule begins, from ``warmup_factor`` of it; then the
    schedule takes over. With ``lr_epoch_stair`` the rate changes once an epoch.
    """
    schedule = SCHEDULES[config.scheduler]
    time = np.arange(config.epoch_size * steps_per_epoch) / steps_per_epoch
    interval = 1 / steps_per_epoch
    if config.lr_epoch_stair:
        time, interval = np.floor(time), 1.0
    rates = schedule(config, Course(np.maximum(time - config.warmup_epochs, 0), interval))
    if config.warmup_epochs:
        start = schedule(config, Course(np.zeros(1), interval))
        warm = config.warmup_factor + (1 - config.warmup_factor) * time / config.warmup_epochs
        rates = np.where(time < config.warmup_epochs, start * warm, rates)
    return rates


def end_of_decay(config: Config) -> int | None:
    """Return the epoch at which a decay of given ``decay_epochs`` ends; None where it has no end of its own."""
    cycles = {"cosine_decay": config.num_cycles, "linear_decay": 1}.get(config.scheduler)
    if cycles is None or config.decay_epochs is None:
        return None
    return config.warmup_epochs + cycles * config.decay_epochs


def _main_epochs(config: Config) -> int:
    """The epochs after the warm-up."""
    return max(config.epoch_size - config.warmup_epochs, 1)


def _anneal(start: np.ndarray | float, end: float, share: np.ndarray) -> np.ndarray:
    """Go from ``start`` to ``end`` on half a period of the cosine, of which ``share`` is over."""
    return end + (start - end) * 0.5 * (1 + np.cos(np.pi * share))


def _constant(config: Config, course: Course) -> np.ndarray:
    return np.full_like(course.time, config.lr)


def _cosine(config: Config, course: Course) -> np.ndarray:
    period = config.decay_epochs or _main_epochs(config) / config.num_cycles
    cycle = np.floor(course.time / period)
    highest = config.lr * config.cycle_decay**cycle
    rates = _anneal(highest, config.min_lr, (course.time - cycle * period) / period)
    return np.where(cycle < config.num_cycles, rates, config.min_lr)


def _linear(config: Config, course: Course) -> np.ndarray:
    period = config.decay_epochs or _main_epochs(config)
    return config.min_lr + (config.lr - config.min_lr) * np.maximum(1 - course.time / period, 0)


def _polynomial(config: Config, course: Course) -> np.ndarray:
    epochs = _main_epochs(config)
    return config.lr * (1 - np.minimum(course.time, epochs) / epochs) ** config.decay_rate


def _exponential(config: Config, course: Course) -> np.ndarray:
    return config.lr * config.decay_rate**course.time


def _step(config: Config, course: Course) -> np.ndarray:
    return config.lr * config.decay_rate ** np.floor(course.time / config.decay_epochs)


def _multi_step(config: Config, course: Course) -> np.ndarray:
    milestones = np.sort(config.multi_step_decay_milestones)
    return config.lr * config.decay_rate ** np.searchsorted(milestones, np.floor(course.time), side="right")


def _one_cycle(config: Config, course: Course) -> np.ndarray:
    """Rise and fall once (Smith and Topin 2017, arXiv:1708.07120).

    PyTorch's ``OneCycleLR`` with cosines, but the last change reaches ``min_lr`` instead of a share of the first rate,
    the momentum stays, and a warm-up may precede it.
    """
    epochs = _main_epochs(config)
    peak, last = _ONE_CYCLE_RISE * epochs - course.interval, epochs - course.interval
    rising = _anneal(config.lr / _ONE_CYCLE_DIVISOR, config.lr, course.time / peak) if peak > 0 else config.lr
    falling = _anneal(config.lr, config.min_lr, (course.time - peak) / (last - peak))
    return np.where(course.time <= peak, rising, falling)


def _cyclic(config: Config, course: Course) -> np.ndarray:
    """Rise and fall linearly, ``num_cycles`` times (Smith 2015, arXiv:1506.01186, the triangular policy).

    PyTorch's ``CyclicLR``, but the number of cycles is given instead of the steps of a half, the momentum stays, and a
    warm-up may precede it.
    """
    cycles = course.time * config.num_cycles / _main_epochs(config)
    height = 1 - np.abs(2 * (cycles % 1) - 1)
    return config.min_lr + (config.lr - config.min_lr) * height


# By the name of the option ``scheduler``: the rate at each time since the end of the warm-up.
SCHEDULES: dict[str, Callable[[Config, Course], np.ndarray]] = {
    "constant": _constant,
    "cosine_decay": _cosine,
    "exponential_decay": _exponential,
    "linear_decay": _linear,
    "polynomial_decay": _polynomial,
    "step_decay": _step,
    "multi_step_decay": _multi_step,
    "one_cycle": _one_cycle,
    "cyclic": _cyclic,
}
