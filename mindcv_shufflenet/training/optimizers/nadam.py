"""NAdam (Dozat 2016, "Incorporating Nesterov Momentum into Adam", algorithm 2)."""

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from mindcv_shufflenet.training.optimizers.base import Averaging, ScheduledOptimizer, Trained

_BETA1, _BETA2 = 0.9, 0.999
# The momentum of update t is _BETA1 * (1 - 0.5 * 0.96 ** (t * _SCHEDULE_DECAY)), as in Keras and PyTorch.
_SCHEDULE_DECAY = 0.004


class NAdam(ScheduledOptimizer, Averaging):
    """Adam with Nesterov's momentum, which rises from half of its value during the training.

    Args:
        trained: what is updated; weight decay is added to the gradients.
        eps: added to the denominator.
    """

    def __init__(self, trained: Trained, eps: float) -> None:
        super().__init__(trained)
        self.eps = eps
        self.mean, self.square = self.averages("nadam_m"), self.averages("nadam_v")
        self.momenta = Parameter(Tensor(1.0, ms.float32), name="momenta")  # the product of those of all updates

    @ms.jit
    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Update the parameters, and return them."""
        rates = self.get_lr()
        count = self.count_update()
        gradients = self.decay_weight(gradients)
        momentum, following = _momentum(count), _momentum(count + 1)
        momenta = self.momenta * momentum
        ops.assign(self.momenta, momenta)
        of_gradient = (1 - momentum) / (1 - momenta)
        of_mean = following / (1 - momenta * following)
        unbiased = 1 - ops.pow(_BETA2, count)
        update = ops.partial(_update, self.eps, of_gradient, of_mean, unbiased)
        return self.map_(update, rates, self.parameters, self.mean, self.square, gradients)


def _momentum(count: Tensor) -> Tensor:
    """Return the momentum of an update, ``[] float32``."""
    return _BETA1 * (1 - 0.5 * ops.pow(0.96, _SCHEDULE_DECAY * count))


def _update(
    eps: float, of_gradient: Tensor, of_mean: Tensor, unbiased: Tensor,
    rate: Tensor, parameter: Parameter, mean: Parameter, square: Parameter, gradient: Tensor,
) -> Tensor:  # fmt: skip
    new_mean = _BETA1 * mean + (1 - _BETA1) * gradient
    new_square = _BETA2 * square + (1 - _BETA2) * ops.square(gradient)
    direction = of_gradient * gradient + of_mean * new_mean
    ops.assign(mean, new_mean)
    ops.assign(square, new_square)
    return ops.assign(parameter, parameter - rate * direction / (ops.sqrt(new_square / unbiased) + eps))
