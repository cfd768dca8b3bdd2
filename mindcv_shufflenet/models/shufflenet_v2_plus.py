"""ShuffleNetV2+: its block and its network. The variants stand in ``families/shufflenet_v2_plus.py``.

Source: Megvii, ShuffleNet-Series, ShuffleNetV2+/network.py and blocks.py; there is no paper.
"""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer, Normal

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.families.shufflenet_v2_plus import LAST, SE_REDUCTION, STAGES, STEM, XCEPTION, Stage
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network


class SqueezeExcitation(nn.Cell):
    """Scale each channel by a factor of 0 to 1, computed from the means of all channels.

    BatchNorm follows the first of its two convolutions. The input is maps ``[N, C, H, W]`` or their means ``[N, C]``;
    the output has the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // SE_REDUCTION
        self.squeeze = layers.conv2d(channels, squeezed, 1, weight_init=Normal(0.01))
        self.norm = layers.batch_norm(squeezed)
        self.relu = nn.ReLU()
        self.excite = layers.conv2d(squeezed, channels, 1, weight_init=Normal(0.01))
        self.hard_sigmoid = nn.HSigmoid()

    def construct(self, x: Tensor) -> Tensor:
        """Scale the channels of ``x``."""
        batch, channels = x.shape[:2]
        means = x if x.ndim == 2 else layers.global_average(x)
        gate = self.relu(self.norm(self.squeeze(ops.reshape(means, (batch, channels, 1, 1)))))
        gate = self.hard_sigmoid(self.excite(gate))
        return x * (ops.reshape(gate, (batch, channels)) if x.ndim == 2 else gate)


class Block(nn.Cell):
    """One unit of a stage. With stride 1 half of the channels pass untouched; with stride 2 both branches see all.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: 1 or 2.
        kernel: of the depthwise convolution; ``XCEPTION``: there are three with 3x3 pixels, and stride is 1.
        stage: the activation, and whether squeeze-and-excitation ends the main branch.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, kernel: int, stage: Stage) -> None:
        super().__init__()
        activation = layers.ACTIVATIONS[stage.activation]
        middle = out_channels // 2
        self.branch_proj = None
        if stride == 2:
            self.branch_proj = nn.SequentialCell(
                *_depthwise_norm(in_channels, kernel, stride), *_conv_norm(in_channels, in_channels, 1), activation()
            )
            main_in, main_out = in_channels, out_channels - in_channels
        else:
            main_in, main_out = middle, middle
        if kernel == XCEPTION:
            main = [
                *_depthwise_norm(main_in, 3), *_conv_norm(main_in, middle, 1), activation(),
                *_depthwise_norm(middle, 3), *_conv_norm(middle, middle, 1), activation(),
                *_depthwise_norm(middle, 3), *_conv_norm(middle, main_out, 1), activation(),
            ]  # fmt: skip
        else:
            main = [
                *_conv_norm(main_in, middle, 1), activation(),
                *_depthwise_norm(middle, kernel, stride), *_conv_norm(middle, main_out, 1), activation(),
            ]  # fmt: skip
        if stage.has_se:
            main.append(SqueezeExcitation(main_out))
        self.branch_main = nn.SequentialCell(main)

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        x_proj, x_main = layers.channel_shuffle_split(x) if self.branch_proj is None else (self.branch_proj(x), x)
        return ops.concat((x_proj, self.branch_main(x_main)), axis=1)


class ShuffleNetV2Plus(Network):
    """ShuffleNetV2+ of one variant.

    Options: ``stem`` is ``imagenet`` (first convolution with stride 2) or ``cifar`` (stride 1).
    """

    default_drop_rate = 0.2

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        stem_stride = 1 if plan.options["stem"] == "cifar" else 2
        self.first_conv = nn.SequentialCell(
            *_conv_norm(plan.in_channels, STEM, 3, stem_stride, weight_init=Normal(0.01)), nn.HSwish()
        )
        channels = STEM
        stages = []
        for stage, width in zip(STAGES, plan.variant, strict=True):
            blocks = []
            for position, kernel in enumerate(stage.kernels):
                blocks.append(Block(channels, width, 2 if position == 0 else 1, kernel, stage))
                channels = width
            stages.append(tuple(blocks))
        self.features = nn.SequentialCell([block for stage in stages for block in stage])
        self.conv_last = nn.SequentialCell(*_conv_norm(channels, LAST, 1), nn.HSwish())
        self.last_se = SqueezeExcitation(LAST)
        self.fc = nn.SequentialCell(nn.Dense(LAST, LAST, weight_init=Normal(0.01), has_bias=False), nn.HSwish())
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.first_conv,), *stages)
        self.last = (self.conv_last,)
        self.head = (self.last_se, self.fc)


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    weight_init: Initializer | None = None,
) -> list[nn.Cell]:
    """A convolution and its BatchNorm."""
    conv = layers.conv2d(in_channels, out_channels, kernel_size, stride, groups, weight_init)
    return [conv, layers.batch_norm(out_channels)]


def _depthwise_norm(channels: int, kernel_size: int, stride: int = 1) -> list[nn.Cell]:
    """A depthwise convolution and its BatchNorm."""
    return _conv_norm(channels, channels, kernel_size, stride, groups=channels)
