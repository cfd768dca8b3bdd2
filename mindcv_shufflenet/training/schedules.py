"""Learning rates, one a step, as mindcv's schedulers of the same names compute them.

Every schedule is a warm-up followed by a function of the time since its end, measured in epochs.
"""

from collections.abc import Callable

import numpy as np

from mindcv_shufflenet.options.config import Config


def learning_rates(config: Config, steps_per_epoch: int) -> np.ndarray:
    """Return the learning rate of each step of a training, ``float64 [epoch_size * steps_per_epoch]``.

    For ``warmup_epochs`` the rate rises linearly from ``lr * warmup_factor`` to ``lr``; then the scheduler takes over.
    With ``lr_epoch_stair`` the rate changes once an epoch.
    """
    time = np.arange(config.epoch_size * steps_per_epoch) / steps_per_epoch
    if config.lr_epoch_stair:
        time = np.floor(time)
    rates = SCHEDULES[config.scheduler](config, np.maximum(time - config.warmup_epochs, 0))
    if config.warmup_epochs:
        warm = config.warmup_factor + (1 - config.warmup_factor) * time / config.warmup_epochs
        rates = np.where(time < config.warmup_epochs, config.lr * warm, rates)
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


def _constant(config: Config, time: np.ndarray) -> np.ndarray:
    return np.full_like(time, config.lr)


def _cosine(config: Config, time: np.ndarray) -> np.ndarray:
    period = config.decay_epochs or _main_epochs(config) / config.num_cycles
    cycle = np.floor(time / period)
    highest = config.lr * config.cycle_decay**cycle
    cosine = 0.5 * (1 + np.cos(np.pi * (time - cycle * period) / period))
    return np.where(cycle < config.num_cycles, config.min_lr + (highest - config.min_lr) * cosine, config.min_lr)


def _linear(config: Config, time: np.ndarray) -> np.ndarray:
    period = config.decay_epochs or _main_epochs(config)
    return config.min_lr + (config.lr - config.min_lr) * np.maximum(1 - time / period, 0)


def _polynomial(config: Config, time: np.ndarray) -> np.ndarray:
    epochs = _main_epochs(config)
    return config.lr * (1 - np.minimum(time, epochs) / epochs) ** config.decay_rate


def _exponential(config: Config, time: np.ndarray) -> np.ndarray:
    return config.lr * config.decay_rate**time


def _step(config: Config, time: np.ndarray) -> np.ndarray:
    return config.lr * config.decay_rate ** np.floor(time / config.decay_epochs)


def _multi_step(config: Config, time: np.ndarray) -> np.ndarray:
    milestones = np.sort(config.multi_step_decay_milestones)
    return config.lr * config.decay_rate ** np.searchsorted(milestones, np.floor(time), side="right")


# By the name of the option ``scheduler``: the rate at each time since the end of the warm-up, in epochs.
SCHEDULES: dict[str, Callable[[Config, np.ndarray], np.ndarray]] = {
    "constant": _constant,
    "cosine_decay": _cosine,
    "exponential_decay": _exponential,
    "linear_decay": _linear,
    "polynomial_decay": _polynomial,
    "step_decay": _step,
    "multi_step_decay": _multi_step,
}
