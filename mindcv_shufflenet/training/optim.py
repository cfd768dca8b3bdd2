"""Optimizers with a learning rate a step and a weight decay that leaves some parameters alone."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindcv_shufflenet.options.config import Config

# Parameters of a MindSpore optimizer that follow from the options; a training state leaves them out.
HYPERPARAMETERS = ("learning_rate", "momentum")


def create_optimizer(config: Config, network: nn.Cell, rates: np.ndarray) -> nn.Optimizer:
    """Return the optimizer of the network's trainable parameters.

    Args:
        config: the optimizer options.
        network: what is trained.
        rates: learning rate of each step, ``[steps]``.
    """
    parameters = network.trainable_params()
    decayed = [parameter for parameter in parameters if is_decayed(parameter, config.weight_decay_filter)]
    names = {parameter.name for parameter in decayed}
    others = [parameter for parameter in parameters if parameter.name not in names]
    # a group without parameters is refused
    groups = [{"params": decayed, "weight_decay": config.weight_decay}] if decayed else []
    groups += [{"params": others, "weight_decay": 0.0}] if others else []
    groups += [{"order_params": parameters}]
    # one number would make MindSpore keep a constant learning rate, which is built another way
    rate = rates.tolist() if len(rates) > 1 else float(rates[0])
    match config.opt:
        case "momentum" if not config.use_nesterov:
            return nn.Momentum(groups, rate, momentum=config.momentum)
        case "sgd" | "momentum":  # the CPU kernel of nn.Momentum leaves use_nesterov unread
            return nn.SGD(groups, rate, momentum=config.momentum, nesterov=config.use_nesterov)
        case "adam":
            return nn.Adam(groups, rate, eps=config.eps, use_nesterov=config.use_nesterov)
        case "adamw":
            factors = [config.weight_decay * (parameter.name in names) for parameter in parameters]
            return AdamW(parameters, rate, factors, config.eps)
    raise AssertionError(f"config.py lets {config.opt} through, which has no optimizer here")


def is_decayed(parameter: Parameter, weight_decay_filter: str) -> bool:
    """Whether weight decay acts on a parameter under mindcv's three filters."""
    kind = parameter.name.rsplit(".", 1)[-1]
    exempt = {"disable": (), "auto": ("gamma", "beta"), "norm_and_bias": ("gamma", "beta", "bias")}
    return kind not in exempt[weight_decay_filter]


class AdamW(nn.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101, algorithm 2).

    Args:
        parameters: what is trained.
        learning_rate: one a step.
        weight_decay: one a parameter; a step multiplies it with the learning rate.
        eps: added to the denominator.
    """

    def __init__(
        self, parameters: list[Parameter], learning_rate: list[float] | float, weight_decay: list[float], eps: float
    ) -> None:
        super().__init__(parameters, learning_rate, eps=eps)
        self.decoupled_decay = tuple(weight_decay)

    # Adam's own construct is under jit, which would compile this one in its place when called eagerly
    @ms.jit
    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Decay the parameters, then let Adam update them."""
        lr = self.get_lr()
        for index, factor in enumerate(self.decoupled_decay):
            if factor > 0:
                ops.assign(self._parameters[index], self._parameters[index] * (1 - lr * factor))
        return super().construct(gradients)
