"""MobileNetV1, a network that ShuffleNet is measured against.

Source: Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
arXiv:1704.04861, table 1 (the layers) and section 3.3 (the width multiplier, which is the row of a variant).
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer
from mindcv_shufflenet.families.builder import Builder

VARIANTS = {"mobilenet_v1_025": 0.25, "mobilenet_v1_050": 0.5, "mobilenet_v1_075": 0.75, "mobilenet_v1_100": 1.0}

# Table 1 at width 1: the channels of the stem, and the blocks and channels of each stage. Every stage but the first
# begins with a block of stride 2.
STEM = 32
STAGES = ((1, 64), (2, 128), (2, 256), (6, 512), (2, 1024))


class Block(NamedTuple):
    """A depthwise convolution, which has ``stride``, and a 1x1 convolution."""

    in_channels: int
    out_channels: int
    stride: int


def stages(width: float) -> list[list[Block]]:
    """Return the blocks of each stage at a width; the first block reads the stem."""
    found: list[list[Block]] = []
    channels = int(STEM * width)
    for repeats, full in STAGES:
        wide = int(full * width)
        found.append([Block(channels, wide, 2 if found else 1), *[Block(wide, wide, 1)] * (repeats - 1)])
        channels = wide
    return found


def _unit(net: Builder, x: int, channels: int, block: str, position: int, **conv: int) -> int:
    """Add a convolution at a position of a block, its BatchNorm behind it, and a ReLU."""
    x = net.conv(x, channels, f"{block}.{position}", {}, **conv)
    return net.relu(net.norm(x, f"{block}.{position + 1}", {}))


def _layers(width: float, *, in_channels: int, num_classes: int, stem: str) -> list[Layer]:
    net = Builder(in_channels)
    found = stages(width)
    x = _unit(net, 0, found[0][0].in_channels, "features", 0, kernel=3, stride=1 if stem == "cifar" else 2)
    index = 3  # behind convolution, BatchNorm and ReLU of the stem
    for number, blocks in enumerate(found, 1):
        for channels, wide, stride in blocks:
            x = _unit(net, x, channels, f"features.{index}", 0, kernel=3, stride=stride, groups=channels)
            x = _unit(net, x, wide, f"features.{index}", 3)
            index += 1
        net.stage(x, f"stage{number}")
    net.dense(net.mean(x), num_classes, "classifier", {}, bias=True)
    return net.layers


FAMILY = Family(
    title="MobileNetV1",
    network="mindcv_shufflenet.models.mobilenet_v1:MobileNetV1",
    variants=VARIANTS,
    layers=_layers,
    options={"stem": ("imagenet", "cifar")},
    # mindcv trains 1001 outputs on the labels 0 to 999
    classes_of_outputs={1001: 1000},
)
