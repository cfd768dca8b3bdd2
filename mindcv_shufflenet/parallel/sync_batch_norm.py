"""BatchNorm over the images of all ranks."""

from collections.abc import Collection, Mapping
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops


class SyncBatchNorm(nn.Cell):
    """BatchNorm whose batch statistics are those of the images of all ranks; it replaces a BatchNorm on one rank.

    For the CPU and the GPU, where MindSpore's own does not run on several ranks. It averages the ranks' means, then
    their mean squared distances from that, in float32 at every precision.

    Args:
        norm: gives its parameters and settings.
        ranks: how many ranks there are, each with as many images.
    """

    use_batch_statistics = None  # nn.BatchNorm2d's name: those of the batch in training, the moving ones in inference
    keeps_float32 = True  # moving statistics in float16 would be rounded at every step, and not move

    def __init__(self, norm: nn.BatchNorm2d, ranks: int) -> None:
        super().__init__(auto_prefix=False)
        self.gamma, self.beta = norm.gamma, norm.beta
        self.moving_mean, self.moving_variance = norm.moving_mean, norm.moving_variance
        self.eps = norm.eps
        self.share_of_new = norm.momentum  # nn.BatchNorm2d keeps 1 - momentum under that name
        self.ranks = ranks
        self.all_reduce = ops.AllReduce()
        self.inference = ops.BatchNorm(is_training=False, epsilon=norm.eps)

    def construct(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.inference(x, self.gamma, self.beta, self.moving_mean, self.moving_variance)[0]
        precision, x = x.dtype, ops.cast(x, ms.float32)
        mean = self.all_reduce(ops.mean(x, (0, 2, 3), True)) / self.ranks
        centred = x - mean
        variance = self.all_reduce(ops.mean(centred * centred, (0, 2, 3), True)) / self.ranks
        count = x.shape[0] * x.shape[2] * x.shape[3] * self.ranks
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * (count / (count - 1)))
        gamma, beta = ops.reshape(self.gamma, (1, -1, 1, 1)), ops.reshape(self.beta, (1, -1, 1, 1))
        return ops.cast(centred * (gamma * ops.rsqrt(variance + self.eps)) + beta, precision)

    def _follow(self, moving: ms.Parameter, value: Tensor) -> None:
        """Move a moving statistic towards that of the batch."""
        value = ops.reshape(ops.stop_gradient(value), moving.shape)
        ops.assign(moving, moving + (value - moving) * self.share_of_new)


def synchronise_batch_norm(network: nn.Cell, norms: Collection[nn.BatchNorm2d], device: str, ranks: int) -> None:
    """Replace BatchNorms of a network by such over all ranks, with the same parameters.

    Args:
        network: changed in place.
        norms: which to replace.
        device: on ``Ascend``, the one that has it, MindSpore's own ``nn.SyncBatchNorm`` is used (not run here).
        ranks: how many ranks there are; one leaves the network as it is.
    """
    if ranks == 1:
        return
    cells = [cell for _, cell in network.cells_and_names()]
    own = {norm: _mindspores_own(norm) if device == "Ascend" else SyncBatchNorm(norm, ranks) for norm in norms}
    for cell in cells:
        for name, child in cell.name_cells().items():
            cell._cells[name] = own.get(child, child)
        if isinstance(cell, nn.SequentialCell):
            cell.cell_list = list(cell.cells())
        for name, value in vars(cell).items():
            if isinstance(value, tuple):  # a chain of cells, or several
                vars(cell)[name] = _exchanged(value, own)


def _exchanged(value: Any, own: Mapping[nn.Cell, nn.Cell]) -> Any:
    """Return a value, or nested tuples of values, with some cells exchanged for others."""
    if isinstance(value, tuple):
        return tuple([_exchanged(part, own) for part in value])
    return own.get(value, value) if isinstance(value, nn.Cell) else value


def _mindspores_own(norm: nn.BatchNorm2d) -> nn.SyncBatchNorm:
    own = nn.SyncBatchNorm(norm.num_features, norm.eps, 1 - norm.momentum)
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        setattr(own, name, getattr(norm, name))
    return own
