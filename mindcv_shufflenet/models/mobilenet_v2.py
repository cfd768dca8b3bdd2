"""MobileNetV2: its block and its network. The variants stand in ``families/mobilenet_v2.py``.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv:1801.04381, table 1 (the
block) and table 2.
"""

from collections import OrderedDict

from mindspore import Tensor, nn
from mindspore.common.initializer import Normal

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.families.mobilenet_v2 import Block, last_channels, stages
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.stochastic_depth import ResidualBlock, add_branch


def _conv_norm(
    in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Cell]:
    """A convolution that starts as in mindcv, and its BatchNorm."""
    init = Normal((2 / (kernel_size**2 * out_channels)) ** 0.5)
    return [
        layers.conv2d(in_channels, out_channels, kernel_size, stride, groups, init),
        nn.BatchNorm2d(out_channels),
    ]


class InvertedResidual(ResidualBlock):
    """Expansion, depthwise convolution and linear bottleneck, with a shortcut where the map keeps its shape."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        inner = block.in_channels * block.expansion
        self.is_residual = block.is_residual
        expand = [*_conv_norm(block.in_channels, inner), nn.ReLU6()] if block.expansion > 1 else []
        depthwise = [*_conv_norm(inner, inner, 3, block.stride, groups=inner), nn.ReLU6()]
        self.layers = nn.SequentialCell(expand + depthwise + _conv_norm(inner, block.out_channels))

    def construct(self, x: Tensor, path: Tensor | None = None) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        return add_branch(x, self.layers(x), path) if self.is_residual else self.layers(x)


class MobileNetV2(Network):
    """MobileNetV2 of one width, with mindcv's parameter names.

    Options: ``stem`` is ``imagenet`` (first convolution with stride 2) or ``cifar`` (stride 1).
    """

    default_drop_rate = 0.2

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        found = stages(plan.variant)
        stem_stride = 1 if plan.options["stem"] == "cifar" else 2
        stem = (*_conv_norm(plan.in_channels, found[0][0].in_channels, 3, stem_stride), nn.ReLU6())
        first, *others = [tuple(InvertedResidual(block) for block in blocks) for blocks in found]
        self.stages = ((*stem, *first), *others)
        self.last = (*_conv_norm(found[-1][-1].out_channels, last_channels(plan.variant)), nn.ReLU6())
        self.features = nn.SequentialCell([*(cell for stage in self.stages for cell in stage), *self.last])
        self.classifier = self.create_classifier(plan.num_classes)

    def create_classifier(self, num_classes: int) -> nn.Cell:
        """Return the dense layer under mindcv's name ``classifier.1``; there, dropout is ``classifier.0``."""
        return nn.SequentialCell(OrderedDict({"1": super().create_classifier(num_classes)}))

    def get_classifier(self) -> nn.Cell:
        """Return the dense layer."""
        return self.classifier[0]
