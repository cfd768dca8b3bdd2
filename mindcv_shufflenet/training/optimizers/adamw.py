"""AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101, algorithm 2)."""

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from mindcv_shufflenet.training.optimizers.base import ScheduledOptimizer


class AdamW(ScheduledOptimizer, nn.Adam):
    """Decays the parameters by learning rate times weight decay, then lets MindSpore's Adam update them."""

    is_decoupled = True

    # Adam's own construct is under jit, which would compile this one in its place when called eagerly
    @ms.jit
    def construct(self, gradients: tuple[Tensor, ...]) -> bool:
        """Update the parameters."""
        self.map_(_decay, self.get_lr(), self.decays, self.parameters)
        return super().construct(gradients)


def _decay(rate: Tensor, decay: float, parameter: Parameter) -> bool:
    if decay > 0:
        ops.assign(parameter, parameter * (1 - rate * decay))
    return True
