"""Gradient accumulation: one update from the gradients of several batches, as if they were one batch.

Each batch still has its own BatchNorm statistics, and the moving statistics follow each batch.
"""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops


class Accumulator(nn.Cell):
    """The sum of gradients since the last update, each weighted by its number of images if the loss is a mean.

    Args:
        parameters: whose gradients are accumulated.
        reduction: of the loss: ``mean`` or ``sum``.
    """

    def __init__(self, parameters: ParameterTuple, reduction: str = "mean") -> None:
        super().__init__(auto_prefix=False)
        self.sums = parameters.clone(prefix="accumulated", init="zeros")
        self.weight = Parameter(Tensor(0.0, ms.float32), name="accumulated_images", requires_grad=False)
        self.is_mean = reduction == "mean"
        self.map = ops.HyperMap()

    def add(self, gradients: tuple[Tensor, ...], images: int) -> Tensor:
        """Add the gradients of a batch; return a tensor that depends on the addition."""
        weight = float(images) if self.is_mean else 1.0
        done = self.map(ops.partial(_add, weight), self.sums, gradients)
        return ops.depend(ops.assign_add(self.weight, Tensor(weight, ms.float32)), done)

    def take(self, after: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of all batches as those of one, after ``after`` is computed."""
        divisor = ops.depend(self.weight, after) if self.is_mean else Tensor(1.0, ms.float32)
        return self.map(ops.partial(_divide, divisor), ops.depend(self.sums, after))

    def clear(self, after: Tensor) -> Tensor:
        """Reset the sums after ``after`` is computed; return a tensor that depends on the reset."""
        done = self.map(_clear, ops.depend(self.sums, after))
        return ops.depend(ops.assign(self.weight, ops.depend(ops.zeros_like(self.weight), after)), done)


def _add(weight: float, total: Parameter, gradient: Tensor) -> Tensor:
    return ops.assign_add(total, gradient * weight)


def _divide(divisor: Tensor, total: Tensor) -> Tensor:
    return total / divisor


def _clear(total: Parameter) -> Tensor:
    return ops.assign(total, ops.zeros_like(total))
