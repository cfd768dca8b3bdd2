"""What the ranks compute together inside a graph."""

import math
from itertools import accumulate

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindcv_shufflenet.parallel.group import current


class MeanOverRanks(nn.Cell):
    """The means of tensors over all ranks, by one all-reduce for all of them.

    A message costs about as much as 30,000 numbers do, and a network has two hundred tensors.

    Args:
        shapes: of the tensors.
        size: how many ranks there are.

    Inputs: a tuple of float tensors. Outputs: the same, in float32.
    """

    def __init__(self, shapes: list[tuple[int, ...]], size: int) -> None:
        super().__init__()
        self.shapes = shapes
        ends = tuple(accumulate(math.prod(shape) for shape in shapes))
        self.starts = (0, *ends[:-1])
        self.share = 1 / size
        self.all_reduce = ops.AllReduce()
        self.map = ops.HyperMap()  # loops over so many tensors would exceed MindSpore's limit of nested calls

    def construct(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        total = self.all_reduce(ops.concat(self.map(_flat, tensors))) * self.share
        return self.map(ops.partial(_part, total), self.starts, tensors)


class WaitForAll(nn.Cell):
    """Lets a graph go on when all ranks have come to the same place in theirs.

    On a CPU only, where MindSpore's collective operations fail if a rank comes half a minute later than another: one
    that is still compiling, or whose images are slow to read.

    Inputs: a tensor. Outputs: the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wait = ops.Custom(_wait, lambda shape: shape, lambda dtype: dtype, "pyfunc")

    def construct(self, x: Tensor) -> Tensor:
        return self.wait(x)


def _wait(x: np.ndarray) -> np.ndarray:
    current().barrier()
    return x


def _flat(tensor: Tensor) -> Tensor:
    return ops.reshape(ops.cast(tensor, ms.float32), (-1,))


def _part(total: Tensor, start: int, tensor: Tensor) -> Tensor:
    return ops.reshape(ops.slice(total, (start,), (tensor.size,)), tensor.shape)
