"""What the ranks compute together inside a graph."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.shared_memory import open_shared_sum

# Adds up an array of each rank inside a graph: [N] float32 -> [N] float32, the same on all ranks.
AddUp = Callable[[Tensor], Tensor]

# Numbers that are averaged beside gradients and statistics: the loss, the images classified correctly, the vote.
_FIGURES = 3


class MeanOverRanks(nn.Cell):
    """The means of tensors over all ranks, by one all-reduce for all of them.

    A message costs about as much as 30,000 numbers do, and a network has two hundred tensors.

    Args:
        shapes: of the tensors.
        size: number of ranks.
        add_up: over the ranks.

    Inputs: a tuple of float tensors. Outputs: the same, in float32.
    """

    def __init__(self, shapes: list[tuple[int, ...]], size: int, add_up: AddUp) -> None:
        super().__init__()
        self.shapes = shapes
        ends = tuple(accumulate(math.prod(shape) for shape in shapes))
        self.starts = (0, *ends[:-1])
        self.share = 1 / size
        self.add_up = add_up
        self.map = ops.HyperMap()  # loops over so many tensors would exceed MindSpore's limit of nested calls

    def construct(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        total = self.add_up(ops.concat(self.map(_flat, tensors))) * self.share
        return self.map(ops.partial(_part, total), self.starts, tensors)


class WaitForAll(nn.Cell):
    """A barrier inside a graph: each rank waits until all ranks reach it.

    On a CPU only, where MindSpore's collective operations fail if a rank comes half a minute later than another: one
    that is still compiling, or whose images are slow to read.

    Inputs: a tensor. Outputs: the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wait = ops.Custom(_wait, _same, _same, "pyfunc")

    def construct(self, x: Tensor) -> Tensor:
        return self.wait(x)


class OneRank(nn.Cell):
    """The reduce of a training step on one rank: the identity.

    Inputs and outputs: those of :class:`AllRanks`.
    """

    def start(self, image: Tensor, _vote: Tensor) -> Tensor:
        """Return the images."""
        return image

    def construct(
        self, gradients: tuple[Tensor, ...], loss: Tensor, correct: Tensor, vote: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]:
        return gradients, loss, correct, vote


class AllRanks(nn.Cell):
    """The reduce of a training step on several ranks, by one all-reduce.

    BatchNorm's moving statistics are averaged as well, so that all ranks keep one network.

    Args:
        parameters: those with gradients, in the gradients' order.
        statistics: BatchNorm's moving means and variances; none where all are frozen.
        ranks: number of ranks.
        wait: gives its input when all ranks have reached it.
        add_up: over the ranks.

    Inputs: gradients of the parameters, the loss, the number of images classified correctly and a vote, all
    ``[] float32`` and of this rank.
    Outputs: the mean gradients, the mean loss, the sum of the correct images, and the share of votes, over all ranks.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        statistics: Sequence[Parameter],
        ranks: int,
        wait: nn.Cell,
        add_up: AddUp,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.ranks = ranks
        self.wait = wait
        self.map = ops.HyperMap()
        self.statistics = ParameterTuple(statistics)
        shared = (*parameters, *self.statistics)
        self.mean = MeanOverRanks([parameter.shape for parameter in shared] + [()] * _FIGURES, ranks, add_up)

    def start(self, image: Tensor, vote: Tensor) -> Tensor:
        """Return the images when all ranks have come to this step."""
        return ops.depend(image, self.wait(vote))

    def construct(
        self, gradients: tuple[Tensor, ...], loss: Tensor, correct: Tensor, vote: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]:
        tensors, trained = gradients, len(gradients)
        if self.statistics:
            tensors += ops.depend(self.statistics, gradients)  # as the forward pass has left them
        means = self.mean((*tensors, loss, correct, vote))
        loss, correct, vote = means[-_FIGURES:]
        if self.statistics:
            loss = ops.depend(loss, self.map(ops.assign, self.statistics, means[trained:-_FIGURES]))
        return means[:trained], loss, correct * self.ranks, vote


def create_reduce(parameters: Sequence[Parameter], statistics: Sequence[Parameter], device: str, ranks: int) -> nn.Cell:
    """Return what makes the gradients and figures of one rank those of all ranks; all ranks call this together.

    Args:
        parameters: those of the network that have gradients.
        statistics: its BatchNorms' means and variances that move.
        device: ``Ascend``, ``GPU`` or ``CPU``.
        ranks: number of ranks.
    """
    if ranks == 1:
        return OneRank()
    numbers = sum(parameter.size for parameter in (*parameters, *statistics)) + _FIGURES
    on_cpu = device == "CPU"
    shared = open_shared_sum(current(), numbers) if on_cpu else None
    return AllRanks(
        parameters,
        statistics,
        ranks,
        WaitForAll() if on_cpu else nn.Identity(),
        ops.AllReduce() if shared is None else ops.Custom(shared.add_up, _same, _same, "pyfunc"),
    )


def _same(shape_or_type: Any) -> Any:
    return shape_or_type


def _wait(x: np.ndarray) -> np.ndarray:
    current().barrier()
    return x


def _flat(tensor: Tensor) -> Tensor:
    return ops.reshape(ops.cast(tensor, ms.float32), (-1,))


def _part(total: Tensor, start: int, tensor: Tensor) -> Tensor:
    return ops.reshape(ops.slice(total, (start,), (tensor.size,)), tensor.shape)
