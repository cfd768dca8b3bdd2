"""The units that blocks are made of.

Each unit is a plain function over cells that the block owns, so that a parameter keeps the name it has in mindcv and a
unit can be computed by one kernel where a device has one.
"""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer, Normal


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    weight_init: Initializer | None = None,
) -> nn.Conv2d:
    """A convolution without bias that keeps the size at stride 1.

    Weights start as N(0, s) with s = groups / in_channels unless told otherwise, as in the training code that the
    paper's authors published.
    """
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        pad_mode="pad",
        padding=kernel_size // 2,
        group=groups,
        weight_init=weight_init or Normal(groups / in_channels),
    )


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """BatchNorm whose shift starts at 0.0001, as in the training code of the paper's authors."""
    return nn.BatchNorm2d(channels, beta_init=0.0001)


def depthwise_conv2d(channels: int, stride: int) -> nn.Conv2d:
    """A 3x3 convolution of every channel by itself."""
    return conv2d(channels, channels, 3, stride, groups=channels)


def norm_relu_depthwise_norm(
    x: Tensor, norm: nn.Cell, relu: nn.Cell, depthwise: nn.Cell, norm_after: nn.Cell
) -> Tensor:
    """BatchNorm and ReLU, then a depthwise convolution and its BatchNorm: ``[N, C, H, W]`` to ``[N, C, H', W']``."""
    return norm_after(depthwise(relu(norm(x))))


def norm_relu_concat(x_proj: Tensor, x_main: Tensor, norm: nn.Cell, relu: nn.Cell) -> Tensor:
    """BatchNorm and ReLU of the main branch, put behind the other branch along the channels."""
    return ops.concat((x_proj, relu(norm(x_main))), axis=1)


def norm_relu_interleave(x_proj: Tensor, x_main: Tensor, norm: nn.Cell, relu: nn.Cell) -> Tensor:
    """BatchNorm and ReLU of the main branch, its channels and the other branch's in turn."""
    return channel_shuffle_join(x_proj, relu(norm(x_main)))


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


def global_average(x: Tensor) -> Tensor:
    """The mean of every map, ``[N, C, H, W]`` to ``[N, C]``; on a CPU pooling does it in a quarter of a mean's time."""
    batch, channels, height, width = x.shape
    return ops.reshape(ops.avg_pool2d(x, (height, width)), (batch, channels))


def max_pool(padding: str) -> nn.Cell:
    """A 3x3 max pool with stride 2: ``same`` pads on the right and at the bottom only, ``pad`` on every side."""
    return PaddedMaxPool() if padding == "pad" else nn.MaxPool2d(3, 2, pad_mode="same")


class PaddedMaxPool(nn.Cell):
    """3x3 max pool with stride 2 and one pixel of padding on every side, for inputs that are not negative.

    After a ReLU, zeros can stand for the minus infinity that a padded pool uses. They are put there by concatenation:
    on a CPU that is three times faster than a pool with ``pad_mode="pad"`` and five times faster than ``ops.pad``,
    whose gradient does not always end (docs/mindspore.md).
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, pad_mode="valid")

    def construct(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        column = ops.zeros((batch, channels, height, 1), x.dtype)
        row = ops.zeros((batch, channels, 1, width + 2), x.dtype)
        return self.pool(ops.concat((row, ops.concat((column, x, column), 3), row), 2))
