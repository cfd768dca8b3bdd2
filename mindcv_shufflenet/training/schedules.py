"""Learning rates, one a step, as mindcv's schedulers of the same names compute them.

Every schedule is a warm-up followed by a function of the time since its end, measured in epochs.
"""

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
    rates = _decayed(config, np.maximum(time - config.warmup_epochs, 0))
    if config.warmup_epochs:
        warm = config.warmup_factor + (1 - config.warmup_factor) * time / config.warmup_epochs
        rates = np.where(time < config.warmup_epochs, config.lr * warm, rates)
    return rates


def _decayed(config: Config, time: np.ndarray) -> np.ndarray:
    """The rate at each time since the end of the warm-up, in epochs."""
    lr, rate = config.lr, config.decay_rate
    main_epochs = max(config.epoch_size - config.warmup_epochs, 1)
    cycles = config.num_cycles if config.scheduler == "cosine_decay" else 1
    period = config.decay_epochs or main_epochs / cycles
    match config.scheduler:
        case "constant":
            return np.full_like(time, lr)
        case "cosine_decay":
            cycle = np.floor(time / period)
            highest = lr * config.cycle_decay**cycle
            cosine = 0.5 * (1 + np.cos(np.pi * (time - cycle * period) / period))
            return np.where(
                cycle < config.num_cycles, config.min_lr + (highest - config.min_lr) * cosine, config.min_lr
            )
        case "linear_decay":
            return config.min_lr + (lr - config.min_lr) * np.maximum(1 - time / period, 0)
        case "polynomial_decay":
            return lr * (1 - np.minimum(time, main_epochs) / main_epochs) ** rate
        case "exponential_decay":
            return lr * rate**time
        case "step_decay":
            return lr * rate ** np.floor(time / period)
        case "multi_step_decay":
            return lr * rate ** np.searchsorted(
                np.sort(config.multi_step_decay_milestones), np.floor(time), side="right"
            )
    raise AssertionError(f"config.py lets {config.scheduler} through, which has no formula here")
