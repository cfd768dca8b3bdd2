"""The validation of a training: of the weights, and of their moving average if there is one."""

from collections.abc import Callable
from typing import NamedTuple

from mindcv_shufflenet.evaluation.evaluator import Observer
from mindcv_shufflenet.evaluation.metrics import Metrics

# Gives the metrics of a network as it is, and calls the observer after each batch.
Validate = Callable[[Observer], Metrics]


class Scores(NamedTuple):
    """What a validation has found: the metrics of the weights, and of their moving average if there is one."""

    weights: Metrics
    average: Metrics | None

    @property
    def top1(self) -> float:
        """The higher top-1 of the two."""
        return self.average.top1 if self.average and self.is_average_better else self.weights.top1

    @property
    def is_average_better(self) -> bool:
        """Whether the average has the higher top-1."""
        return self.average is not None and self.average.top1 > self.weights.top1


class Validation(NamedTuple):
    """What is validated in a training, and when.

    Attributes:
        weights: validates the weights.
        average: validates their moving average; None: there is none.
        interval: epochs from one validation to the next.
        epochs: of the whole training; the last one is always validated.
    """

    weights: Validate
    average: Validate | None
    interval: int
    epochs: int

    def is_due(self, epoch: int) -> bool:
        """Whether an epoch, which is counted from 1, is validated."""
        return epoch % self.interval == 0 or epoch == self.epochs

    def run(self, observer: Observer) -> Scores:
        """Validate.

        Args:
            observer: called after each batch.
        """
        return Scores(self.weights(observer), self.average(observer) if self.average else None)
