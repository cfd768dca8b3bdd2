"""Optimizers with a learning rate a step and a weight decay that leaves some parameters alone."""

from collections.abc import Callable
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from mindcv_shufflenet.options.config import Config

# Parameters of a MindSpore optimizer that follow from the options; a training state leaves them out.
HYPERPARAMETERS = ("learning_rate", "momentum")


class Trained(NamedTuple):
    """What an optimizer updates.

    Attributes:
        parameters: all, in the network's order.
        decayed: whether weight decay acts on each.
        rate: one learning rate, or one a step.
    """

    parameters: list[Parameter]
    decayed: list[bool]
    rate: list[float] | float

    def groups(self, weight_decay: float) -> list[dict[str, object]]:
        """Return MindSpore's groups of parameters with and without weight decay."""
        groups: list[dict[str, object]] = []
        for decay, wanted in ((weight_decay, True), (0.0, False)):
            members = [p for p, decayed in zip(self.parameters, self.decayed, strict=True) if decayed is wanted]
            groups += [{"params": members, "weight_decay": decay}] if members else []  # an empty group is refused
        return [*groups, {"order_params": self.parameters}]


def create_optimizer(config: Config, network: nn.Cell, rates: np.ndarray) -> nn.Optimizer:
    """Return the optimizer of the network's trainable parameters.

    Args:
        config: the optimizer options.
        network: what is trained.
        rates: learning rate of each step, ``[steps]``.
    """
    parameters = network.trainable_params()
    decayed = [is_decayed(parameter, config.weight_decay_filter) for parameter in parameters]
    # one number would make MindSpore keep a constant learning rate, which is built another way
    rate = rates.tolist() if len(rates) > 1 else float(rates[0])
    return OPTIMIZERS[config.opt](config, Trained(parameters, decayed, rate))


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


def _sgd(config: Config, trained: Trained) -> nn.Optimizer:
    groups = trained.groups(config.weight_decay)
    return nn.SGD(groups, trained.rate, momentum=config.momentum, nesterov=config.use_nesterov)


def _momentum(config: Config, trained: Trained) -> nn.Optimizer:
    if config.use_nesterov:  # which the CPU kernel of nn.Momentum leaves unread
        return _sgd(config, trained)
    return nn.Momentum(trained.groups(config.weight_decay), trained.rate, momentum=config.momentum)


def _adam(config: Config, trained: Trained) -> nn.Optimizer:
    groups = trained.groups(config.weight_decay)
    return nn.Adam(groups, trained.rate, eps=config.eps, use_nesterov=config.use_nesterov)


def _adamw(config: Config, trained: Trained) -> nn.Optimizer:
    decay = [config.weight_decay * decayed for decayed in trained.decayed]
    return AdamW(trained.parameters, trained.rate, decay, config.eps)


# By the name of the option ``opt``.
OPTIMIZERS: dict[str, Callable[[Config, Trained], nn.Optimizer]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
    "adamw": _adamw,
}
