"""What every optimizer is made of: parameters with their weight decay, and a learning rate a step and a parameter."""

from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule


class Trained(NamedTuple):
    """What an optimizer updates, and how strongly.

    Attributes:
        parameters: all, in the network's order.
        decays: weight decay of each.
        factors: learning rate of each, as a multiple of the step's.
        rates: learning rate of each step, ``[steps]``.
    """

    parameters: list[Parameter]
    decays: list[float]
    factors: list[float]
    rates: np.ndarray

    def groups(self) -> list[dict[str, Any]]:
        """Return MindSpore's groups of parameters of one weight decay."""
        groups: dict[float, list[Parameter]] = {}
        for parameter, decay in zip(self.parameters, self.decays, strict=True):
            groups.setdefault(decay, []).append(parameter)
        by_decay = [{"params": members, "weight_decay": decay} for decay, members in groups.items()]
        return [*by_decay, {"order_params": self.parameters}]


class Rates(LearningRateSchedule):
    """The learning rate of each step."""

    def __init__(self, rates: np.ndarray) -> None:
        super().__init__()
        self.rates = Parameter(Tensor(rates, ms.float32), name="learning_rate")

    def construct(self, global_step: Tensor) -> Tensor:
        """Return the learning rate ``[] float32`` of a step ``[1] int32``."""
        return ops.reshape(ops.gather(self.rates, global_step, 0), ())


class ScheduledOptimizer(nn.Optimizer):
    """One of MindSpore's optimizers, the class behind it in the bases, with a learning rate a step and a parameter.

    MindSpore's groups can have rates of their own, but a graph of some 500 of them exceeds its depth of calls; so does
    any loop over parameters, and ``map_`` does not.

    Args:
        trained: what is updated.
        options: of the optimizer.

    Attributes:
        is_decoupled: whether the optimizer applies ``decays`` itself, rather than MindSpore to the gradients.
        decays: weight decay of each parameter.
        factors: learning rate of each parameter, as a multiple of the step's.
    """

    is_decoupled = False

    def __init__(self, trained: Trained, **options: Any) -> None:
        in_gradients = trained
        if self.is_decoupled:
            in_gradients = trained._replace(decays=[0.0] * len(trained.decays))
        super().__init__(params=in_gradients.groups(), learning_rate=Rates(trained.rates), **options)
        self.is_group_lr = True
        self.decays = tuple(trained.decays)
        self.factors = tuple(trained.factors)

    def get_lr(self) -> tuple[Tensor, ...]:
        """Return the learning rate of each parameter in this step, ``[] float32``."""
        return self.map_(ops.partial(_scaled, self.learning_rate(self.global_step)), self.factors)


def _scaled(rate: Tensor, factor: float) -> Tensor:
    """Multiply a rate with a factor that the graph knows."""
    return rate if factor == 1.0 else rate * factor


class Averaging(nn.Optimizer):
    """An optimizer with running averages, for those that MindSpore lacks. It stands behind :class:`ScheduledOptimizer`.

    Args:
        params: MindSpore's groups.
        learning_rate: of each step.

    Attributes:
        updates: how many updates the averages hold, ``[] float32``. ``global_step`` counts the steps of a training,
            which may go on with new averages.
    """

    def __init__(self, params: list[dict[str, Any]], learning_rate: LearningRateSchedule) -> None:
        super().__init__(learning_rate, params)
        self.updates = Parameter(Tensor(0.0, ms.float32), name="updates")

    def averages(self, name: str) -> ms.ParameterTuple:
        """Return a running average of each parameter's shape; they start at 0."""
        return self.parameters.clone(prefix=name, init="zeros")

    def count_update(self) -> Tensor:
        """Count a step, whose learning rates are taken before. Return the number of the update, from 1."""
        ops.assign_add(self.global_step, self.global_step_increase_tensor)
        count = self.updates + 1.0
        ops.assign(self.updates, count)
        return count
