"""What blocks are made of: convolutions, norms, activations, pools, and the shuffle of channels."""

from collections.abc import Callable, Sequence

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer, Normal


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    weight_init: Initializer | None = None,
    bias: bool = False,
) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1.

    It has no bias unless told otherwise: the norm behind it shifts. Weights start as N(0, s) with s = groups /
    in_channels unless told otherwise, as in the training code that the paper's authors published. The class is that of
    :func:`conv_class`.
    """
    return conv_class(in_channels, groups, ms.get_context("device_target"))(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        pad_mode="pad",
        padding=kernel_size // 2,
        group=groups,
        has_bias=bias,
        weight_init=weight_init or Normal(groups / in_channels),
        bias_init="zeros",
    )


def conv_class(in_channels: int, groups: int, device_target: str) -> type[nn.Conv2d]:
    """Return what computes a convolution on a device: on Ascend :class:`SlicedConv2d`, if it has groups of channels."""
    return SlicedConv2d if device_target == "Ascend" and 1 < groups < in_channels else nn.Conv2d


class SlicedConv2d(nn.Conv2d):
    """A convolution with groups, computed group by group on slices of its one parameter.

    mindcv 0.3.1 and newer compute it so, and say that MindSpore lacks such convolutions. MindSpore's CPU has them, so
    that Ascend is meant is our reading (not run here). On a CPU ``nn.Conv2d`` is faster: with its gradients, this takes
    1.1 to 1.3 times as long (``benchmarks/channel_shuffle.py``, ``conv g3`` and ``conv g8``).
    """

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        maps = ops.split(x, self.in_channels // self.group, axis=1)
        weights = ops.split(self.weight, self.out_channels // self.group, axis=0)
        parts = [
            ops.conv2d(maps[group], weights[group], stride=self.stride, pad_mode="pad", padding=self.padding)
            for group in range(self.group)
        ]
        joined = ops.concat(parts, axis=1)
        return ops.bias_add(joined, self.bias) if self.has_bias else joined


def batch_norm(channels: int, epsilon: float = 1e-5) -> nn.BatchNorm2d:
    """BatchNorm whose shift starts at 0.0001, as in the training code of the paper's authors."""
    return nn.BatchNorm2d(channels, eps=epsilon, beta_init=0.0001)


def depthwise_conv2d(channels: int, stride: int, kernel_size: int = 3) -> nn.Conv2d:
    """A convolution of every channel by itself."""
    return conv2d(channels, channels, kernel_size, stride, groups=channels)


def channel_shuffle_split(x: Tensor) -> tuple[Tensor, Tensor]:
    """The even and the odd channels of ``[N, C, H, W]``, each ``[N, C/2, H, W]``: the shuffle of the ``megvii`` layout.

    Two neighbouring channels lie behind each other in memory, so the even one is the first half of the pair. The usual
    form needs a transpose, which MindSpore's CPU runs on one thread (``benchmarks/channel_shuffle.py`` compares them).
    """
    _, channels, height, width = x.shape
    pairs = ops.reshape(x, (-1, channels // 2, 2 * height * width))
    even, odd = ops.split(pairs, height * width, axis=2)
    shape = (-1, channels // 2, height, width)
    return ops.reshape(even, shape), ops.reshape(odd, shape)


def channel_shuffle_join(even: Tensor, odd: Tensor) -> Tensor:
    """The channels of both in turn, ``[N, C, H, W]``: the shuffle of the ``torchvision`` layout.

    It undoes :func:`channel_shuffle_split`.
    """
    _, half, height, width = even.shape
    return ops.reshape(ops.stack((even, odd), axis=2), (-1, 2 * half, height, width))


class Reorder(nn.Cell):
    """The channels of ``[N, C, H, W]`` in another order: a shuffle of any number of groups.

    The gradient is the inverse order. MindSpore's own gradient of a gather adds up channels that come several times. On
    a CPU that gather takes 1.4 to 1.6 times as long as this with its gradient, and a transpose of 4 or 5 axes 1.2 to
    1.5 times (``benchmarks/channel_shuffle.py``, ``g3`` and ``g8``).

    Args:
        order: of its input, the channels that become its output; each of them once.
    """

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = Tensor(np.asarray(order, np.int32))
        self.inverse = Tensor(np.argsort(order).astype(np.int32))

    def construct(self, x: Tensor) -> Tensor:
        """Return the reordered map."""
        return ops.gather(x, self.order, 1)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:  # noqa: ARG002  # MindSpore's signature
        """Return the gradient of the input."""
        return (ops.gather(dout, self.inverse, 1),)


def global_average(x: Tensor) -> Tensor:
    """The mean of every map, ``[N, C, H, W]`` to ``[N, C]``; on a CPU pooling does it in a quarter of a mean's time."""
    batch, channels, height, width = x.shape
    return ops.reshape(ops.avg_pool2d(x, (height, width)), (batch, channels))


# The activations of a description, by kind.
ACTIVATIONS: dict[str, Callable[[], nn.Cell]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
    "hard_swish": nn.HSwish,
    "hard_sigmoid": nn.HSigmoid,
    "sigmoid": nn.Sigmoid,
}


def max_pool(padding: str, activation: str = "relu", kernel: int = 3, stride: int = 2) -> nn.Cell:
    """A max pool: ``same`` pads on the right and at the bottom only, ``pad`` on every side.

    ``activation`` is that in front of it. After a ReLU, zeros can stand for the minus infinity that a padded pool uses.
    """
    if padding == "same":
        return nn.MaxPool2d(kernel, stride, pad_mode="same")
    value = 0.0 if activation == "relu" else float("-inf")
    return PaddedPool(nn.MaxPool2d(kernel, stride, pad_mode="valid"), value, kernel // 2)


def avg_pool(padding: str, kernel: int = 3, stride: int = 2) -> nn.Cell:
    """An average pool, padded as :func:`max_pool`.

    The padding of ``same`` is left out of the average, and that of ``pad`` counts as zeros, as in PyTorch.
    """
    if padding == "same":
        return nn.AvgPool2d(kernel, stride, pad_mode="same")
    return PaddedPool(nn.AvgPool2d(kernel, stride, pad_mode="valid"), 0.0, kernel // 2)


class PaddedPool(nn.Cell):
    """A pool behind padding on every side.

    The padding is put there by concatenation: on a CPU that is three times faster than a max pool with
    ``pad_mode="pad"`` and five times faster than ``ops.pad``, whose gradient does not always end (docs/mindspore.md).

    Args:
        pool: without padding of its own.
        value: of the padding.
        width: of the padding, in pixels.
    """

    def __init__(self, pool: nn.Cell, value: float, width: int) -> None:
        super().__init__()
        self.pool = pool
        self.value = value
        self.width = width

    def construct(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        column = ops.full((batch, channels, height, self.width), self.value, dtype=x.dtype)
        row = ops.full((batch, channels, self.width, width + 2 * self.width), self.value, dtype=x.dtype)
        return self.pool(ops.concat((row, ops.concat((column, x, column), 3), row), 2))
