"""Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, algorithm 2)."""

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from mindcv_shufflenet.training.optimizers.base import Averaging, ScheduledOptimizer, Trained

_BETA1, _BETA2 = 0.9, 0.99


class Lion(ScheduledOptimizer, Averaging):
    """Updates by the sign of an average of the gradients: every weight moves by the learning rate."""

    is_decoupled = True

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained)
        self.mean = self.averages("lion_m")

    @ms.jit
    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Update the parameters, and return them."""
        rates = self.get_lr()
        self.count_update()
        return self.map_(_update, rates, self.decays, self.parameters, self.mean, gradients)


def _update(rate: Tensor, decay: float, parameter: Parameter, mean: Parameter, gradient: Tensor) -> Tensor:
    direction = ops.sign(_BETA1 * mean + (1 - _BETA1) * gradient)
    new_mean = _BETA2 * mean + (1 - _BETA2) * gradient
    if decay > 0:
        direction = direction + decay * parameter
    ops.assign(mean, new_mean)
    return ops.assign(parameter, parameter - rate * direction)
