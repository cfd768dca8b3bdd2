"""BatchNorm over the images of all ranks."""

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


def synchronise_batch_norm(network: nn.Cell, device: str, ranks: int) -> None:
    """Replace every BatchNorm of a network by one over all ranks, with the same parameters.

    Args:
        network: changed in place.
        device: on ``Ascend``, the one that has it, MindSpore's own ``nn.SyncBatchNorm`` is used (not run here).
        ranks: how many ranks there are; one leaves the network as it is.
    """
    if ranks == 1:
        return
    for name, cell in network.name_cells().items():
        if isinstance(cell, nn.BatchNorm2d):
            network._cells[name] = _mindspores_own(cell) if device == "Ascend" else SyncBatchNorm(cell, ranks)
        else:
            synchronise_batch_norm(cell, device, ranks)
    if isinstance(network, nn.SequentialCell):
        network.cell_list = list(network.cells())


def _mindspores_own(norm: nn.BatchNorm2d) -> nn.SyncBatchNorm:
    own = nn.SyncBatchNorm(norm.num_features, norm.eps, 1 - norm.momentum)
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        setattr(own, name, getattr(norm, name))
    return own
