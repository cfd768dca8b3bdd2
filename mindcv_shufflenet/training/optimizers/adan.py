"""Adan (Xie et al. 2022, "Adaptive Nesterov Momentum Algorithm", arXiv:2208.06677, algorithm 1).

As in the authors' code, the averages start at 0 and are bias-corrected; the paper starts them at the first
gradient. The shares of the past below are 1 minus the paper's betas.
"""

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from mindcv_shufflenet.training.optimizers.base import Averaging, ScheduledOptimizer, Trained

_BETA1, _BETA2, _BETA3 = 0.98, 0.92, 0.99


class Adan(ScheduledOptimizer, Averaging):
    """Adaptive rates and Nesterov's momentum out of the gradient and its change since the last step.

    Args:
        trained: what is updated.
        eps: added to the denominator.
    """

    is_decoupled = True

    def __init__(self, trained: Trained, eps: float) -> None:
        super().__init__(trained)
        self.eps = eps
        self.mean, self.change = self.averages("adan_m"), self.averages("adan_v")
        self.square, self.previous = self.averages("adan_n"), self.averages("adan_previous")

    @ms.jit
    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Update the parameters, and return them."""
        rates = self.get_lr()
        count = self.count_update()
        has_previous = ops.cast(count > 1, ms.float32)
        mean, change, square = 1 - ops.pow(_BETA1, count), 1 - ops.pow(_BETA2, count), 1 - ops.pow(_BETA3, count)
        update = ops.partial(_update, self.eps, has_previous, mean, change, square)
        return self.map_(
            update, rates, self.decays, self.parameters, self.mean, self.change, self.square, self.previous, gradients
        )


def _update(
    eps: float, has_previous: Tensor, unbiased_mean: Tensor, unbiased_change: Tensor, unbiased_square: Tensor,
    rate: Tensor, decay: float, parameter: Parameter,
    mean: Parameter, change: Parameter, square: Parameter, previous: Parameter, gradient: Tensor,
) -> Tensor:  # fmt: skip
    difference = has_previous * (gradient - previous)
    new_mean = _BETA1 * mean + (1 - _BETA1) * gradient
    new_change = _BETA2 * change + (1 - _BETA2) * difference
    new_square = _BETA3 * square + (1 - _BETA3) * ops.square(gradient + _BETA2 * difference)
    direction = new_mean / unbiased_mean + _BETA2 * new_change / unbiased_change
    moved = parameter - rate * direction / (ops.sqrt(new_square / unbiased_square) + eps)
    if decay > 0:
        moved = moved / (1 + rate * decay)
    ops.assign(mean, new_mean)
    ops.assign(change, new_change)
    ops.assign(square, new_square)
    ops.assign(previous, gradient)
    return ops.assign(parameter, moved)
