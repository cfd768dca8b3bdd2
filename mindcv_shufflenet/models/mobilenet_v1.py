"""MobileNetV1: its network. The variants stand in ``families/mobilenet_v1.py``.

Source: Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
arXiv:1704.04861, table 1.
"""

from mindspore import nn
from mindspore.common.initializer import XavierUniform

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.families.mobilenet_v1 import stages
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network


def _conv_norm_relu(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> list[nn.Cell]:
    """A convolution that starts as in mindcv, its BatchNorm and a ReLU."""
    conv = layers.conv2d(in_channels, out_channels, kernel_size, stride, groups, XavierUniform())
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Cell:
    """A depthwise convolution and a 1x1 convolution."""
    depthwise = _conv_norm_relu(in_channels, in_channels, 3, stride, groups=in_channels)
    return nn.SequentialCell(depthwise + _conv_norm_relu(in_channels, out_channels, 1))


class MobileNetV1(Network):
    """MobileNetV1 of one width, with mindcv's parameter names.

    Options: ``stem`` is ``imagenet`` (first convolution with stride 2) or ``cifar`` (stride 1).
    """

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        found = stages(plan.variant)
        stem_stride = 1 if plan.options["stem"] == "cifar" else 2
        stem = _conv_norm_relu(plan.in_channels, found[0][0].in_channels, 3, stem_stride)
        first, *others = [tuple(_block(*block) for block in blocks) for blocks in found]
        self.stages = ((*stem, *first), *others)
        self.features = nn.SequentialCell([cell for stage in self.stages for cell in stage])
        self.classifier = self.create_classifier(plan.num_classes)
