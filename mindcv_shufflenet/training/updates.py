"""The updates of a training: which steps end with one, and its learning rate."""

from typing import NamedTuple

import numpy as np


class Updates(NamedTuple):
    """The updates of a training, each from the gradients of a group of batches.

    An epoch's last batches are a group, however many they are.

    Attributes:
        rates: learning rate of each update, ``[updates]``.
        steps_per_epoch: batches of an epoch.
        batches: of a group.
    """

    rates: np.ndarray
    steps_per_epoch: int
    batches: int = 1

    @classmethod
    def of(cls, rates: np.ndarray, steps_per_epoch: int, batches: int = 1) -> "Updates":
        """Return the updates of a training; each has the learning rate of the first step of its group.

        Args:
            rates: of each step, ``[epochs * steps_per_epoch]``.
            steps_per_epoch: batches of an epoch.
            batches: of a group.
        """
        return cls(rates.reshape(-1, steps_per_epoch)[:, ::batches].ravel(), steps_per_epoch, batches)

    def ends_group(self, step: int) -> bool:
        """Whether a step of an epoch, which is counted from 0, ends with an update."""
        return (step + 1) % self.batches == 0 or step + 1 == self.steps_per_epoch

    def done(self, epochs: int, steps: int = 0) -> int:
        """Return how many updates were done after whole epochs and some steps of the next one."""
        return epochs * -(-self.steps_per_epoch // self.batches) + steps // self.batches

    def last_rate(self, epoch: int) -> float:
        """Return the learning rate of the last update of an epoch, which is counted from 1."""
        return float(self.rates[self.done(epoch) - 1])
