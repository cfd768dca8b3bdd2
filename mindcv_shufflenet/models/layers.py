"""The units that a ShuffleNet block is made of.

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


def depthwise_conv2d(channels: int, stride: int) -> nn.Conv2d:
    """A 3x3 convolution of every channel by itself."""
    return conv2d(channels, channels, 3, stride, groups=channels)


def norm_relu_depthwise_norm(
    x: Tensor, norm: nn.Cell, relu: nn.Cell, depthwise: nn.Cell, norm_after: nn.Cell
) -> Tensor:
    """BatchNorm and ReLU, then a depthwise convolution and its BatchNorm: ``[N, C, H, W]`` to ``[N, C, H', W']``."""
    return norm_after(depthwise(relu(norm(x))))


def norm_relu_concat(x_proj: Tensor, x_main: Tensor, norm: nn.Cell, relu: nn.Cell) -> Tensor:
    """BatchNorm and ReLU of the main branch, joined behind the other branch along the channels."""
    return ops.concat((x_proj, relu(norm(x_main))), axis=1)


def deinterleave(x: Tensor) -> Tensor:
    """Even channels first, then the odd ones: channel ``2i + j`` goes to ``j * C/2 + i``.

    The reshape keeps height and width together so that the transpose moves whole planes; on a CPU this form is the
    fastest of those that MindSpore can differentiate (``benchmarks/channel_shuffle.py``).

    Args:
        x: ``[N, C, H, W]``, C even.

    Returns:
        ``[N, C, H, W]``.
    """
    return _transpose_channels(x, x.shape[1] // 2, 2)


def interleave(x: Tensor) -> Tensor:
    """The halves of the channels in turn, the inverse of :func:`deinterleave`: torchvision's shuffle of two groups.

    Args:
        x: ``[N, C, H, W]``, C even.

    Returns:
        ``[N, C, H, W]``.
    """
    return _transpose_channels(x, 2, x.shape[1] // 2)


def _transpose_channels(x: Tensor, rows: int, columns: int) -> Tensor:
    _, channels, height, width = x.shape
    x = ops.reshape(x, (-1, rows, columns, height * width))
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (-1, channels, height, width))


class PaddedMaxPool(nn.Cell):
    """3x3 max pool with stride 2 and one pixel of padding on every side, for inputs that are not negative.

    After a ReLU, zeros can stand for the minus infinity that a padded pool uses, and MindSpore's CPU pool without
    padding is several times faster than the one with ``pad_mode="pad"``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, pad_mode="valid")

    def construct(self, x: Tensor) -> Tensor:
        return self.pool(ops.pad(x, (1, 1, 1, 1)))
