"""The exponential moving average of a network's weights and BatchNorm statistics."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

# How the names of the averaged parameters begin, as in mindcv's checkpoints.
PREFIX = "ema."
# Updates in which the decay comes to 63 % of its value, as in mindcv.
WARMUP_UPDATES = 2000


class MovingAverage(nn.Cell):
    """Keeps the moving average of a network's parameters in another network, its inference twin.

    After update ``t`` an average moves by ``1 - d`` of the distance to its parameter, with
    ``d = decay * (1 - exp(-t / 2000))``: at first it follows closely, so that it soon forgets the start. The formula is
    mindcv's.

    Args:
        network: what is trained.
        average: has the same parameters, which become the averages; their names begin with ``ema.``.
        decay: share of an average that stays at an update, in the long run.
    """

    def __init__(self, network: nn.Cell, average: nn.Cell, decay: float) -> None:
        super().__init__(auto_prefix=False)
        averages = {parameter.name: parameter for parameter in average.get_parameters()}
        self.weights = ParameterTuple(network.get_parameters())
        self.averages = ParameterTuple([averages[weight.name] for weight in self.weights])
        for parameter in self.averages:
            parameter.name = PREFIX + parameter.name
            parameter.requires_grad = False
        self.updates = Parameter(Tensor(0.0, ms.float32), name="ema_updates", requires_grad=False)
        self.decay = decay
        self.map = ops.HyperMap()
        self.restart()

    def restart(self) -> None:
        """Reset the averages to the present weights."""
        for average, weight in zip(self.averages, self.weights, strict=True):
            # on the host: an operation would start threads of MindSpore that do not block the signals
            average.set_data(Tensor(weight.asnumpy().copy()))
        self.updates.set_data(Tensor(0.0, ms.float32))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the averages under the names of the network's parameters."""
        return {weight.name: mean.asnumpy() for weight, mean in zip(self.weights, self.averages, strict=True)}

    def construct(self, after: Tensor) -> Tensor:
        """Follow the weights after their update ``after``; return a tensor that depends on it."""
        updates = ops.assign_add(self.updates, ops.depend(Tensor(1.0, ms.float32), after))
        decay = self.decay * (1 - ops.exp(-updates / WARMUP_UPDATES))
        return ops.depend(
            updates, self.map(ops.partial(_follow, decay), self.averages, ops.depend(self.weights, updates))
        )


def _follow(decay: Tensor, average: Parameter, weight: Tensor) -> Tensor:
    return ops.assign(average, average + (weight - average) * (1 - decay))  # a frozen weight stays as it is
