"""LAMB (You et al. 2019, "Large Batch Optimization for Deep Learning", arXiv:1904.00962, algorithm 2).

MindSpore has it for Ascend and GPU alone.
"""

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from mindcv_shufflenet.training.optimizers.base import Averaging, ScheduledOptimizer, Trained

_BETA1, _BETA2 = 0.9, 0.999


class Lamb(ScheduledOptimizer, Averaging):
    """Adam's direction, scaled to the norm of the parameter; unscaled where one of the two norms is 0.

    As in the paper's algorithm and in MindSpore's ``nn.Lamb``, every parameter is scaled, also those without weight
    decay; timm scales only those with it.

    Args:
        trained: what is updated.
        eps: added to the denominator.
    """

    is_decoupled = True

    def __init__(self, trained: Trained, eps: float) -> None:
        super().__init__(trained)
        self.eps = eps
        self.mean, self.square = self.averages("lamb_m"), self.averages("lamb_v")

    @ms.jit
    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Update the parameters, and return them."""
        rates = self.get_lr()
        count = self.count_update()
        update = ops.partial(_update, self.eps, 1 - ops.pow(_BETA1, count), 1 - ops.pow(_BETA2, count))
        return self.map_(update, rates, self.decays, self.parameters, self.mean, self.square, gradients)


def _update(
    eps: float, unbiased_mean: Tensor, unbiased_square: Tensor,
    rate: Tensor, decay: float, parameter: Parameter, mean: Parameter, square: Parameter, gradient: Tensor,
) -> Tensor:  # fmt: skip
    new_mean = _BETA1 * mean + (1 - _BETA1) * gradient
    new_square = _BETA2 * square + (1 - _BETA2) * ops.square(gradient)
    direction = new_mean / unbiased_mean / (ops.sqrt(new_square / unbiased_square) + eps)
    if decay > 0:
        direction = direction + decay * parameter
    length, of_parameter = _length(direction), _length(parameter)
    ratio = ops.select(length * of_parameter > 0, of_parameter / length, 1.0)
    ops.assign(mean, new_mean)
    ops.assign(square, new_square)
    return ops.assign(parameter, parameter - rate * ratio * direction)


def _length(vector: Tensor) -> Tensor:
    """Return the Euclidean norm of all elements, ``[] float32``."""
    return ops.sqrt(ops.reduce_sum(ops.square(vector)))
