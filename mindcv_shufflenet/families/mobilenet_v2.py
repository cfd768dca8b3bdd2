"""MobileNetV2, a network that ShuffleNet is measured against.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv:1801.04381, table 2 (the
layers) and section 4 (the width multiplier, which is the row of a variant).
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer, Project
from mindcv_shufflenet.families.builder import Builder

VARIANTS = {
    "mobilenet_v2_035_224": 0.35,
    "mobilenet_v2_050_224": 0.5,
    "mobilenet_v2_075": 0.75,
    "mobilenet_v2_100": 1.0,
    "mobilenet_v2_130_224": 1.3,
    "mobilenet_v2_140": 1.4,
}


class Line(NamedTuple):
    """A line of table 2: blocks of the same width.

    Attributes:
        expansion: the channels inside a block are its input's times this.
        channels: of the output at width 1.
        repeats: how many blocks.
        stride: of the first one.
    """

    expansion: int
    channels: int
    repeats: int
    stride: int


# Table 2 at width 1: the channels of the first and the last convolution, and the blocks of each stage.
STEM, LAST = 32, 1280
STAGES = (
    (Line(1, 16, 1, 1),),
    (Line(6, 24, 2, 2),),
    (Line(6, 32, 3, 2),),
    (Line(6, 64, 4, 2), Line(6, 96, 3, 1)),
    (Line(6, 160, 3, 2), Line(6, 320, 1, 1)),
)


def _scale(channels: int, width: float) -> int:
    """Return the channels at a width: the nearest multiple of 8, but not below 90 % of what the width gives."""
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


class Block(NamedTuple):
    """An inverted residual (table 1 of the paper); ``expansion`` as in :class:`Line`."""

    in_channels: int
    out_channels: int
    stride: int
    expansion: int

    @property
    def is_residual(self) -> bool:
        """Whether a shortcut is added: the map keeps its shape."""
        return self.stride == 1 and self.in_channels == self.out_channels


def stages(width: float) -> list[list[Block]]:
    """Return the blocks of each stage at a width; the first block reads the stem."""
    channels = _scale(STEM, width)
    found: list[list[Block]] = []
    for lines in STAGES:
        found.append([])
        for line in lines:
            wide = _scale(line.channels, width)
            found[-1].append(Block(channels, wide, line.stride, line.expansion))
            found[-1] += [Block(wide, wide, 1, line.expansion)] * (line.repeats - 1)
            channels = wide
    return found


def last_channels(width: float) -> int:
    """Return the channels of the last convolution, which a width below 1 does not make fewer."""
    return _scale(LAST, max(1.0, width))


def _unit(
    net: Builder,
    x: int,
    channels: int,
    own: tuple[str, int],
    theirs: tuple[str, int],
    *,
    relu6: bool = True,
    **conv: int,
) -> int:
    """Add a convolution, the BatchNorm behind it and, but for a bottleneck, a ReLU6.

    ``own`` and ``theirs`` are a chain of modules and the convolution's position in it, here and in torchvision.
    """
    (chain, first), (their_chain, their_first) = own, theirs
    x = net.conv(x, channels, f"{chain}.{first}", {"torchvision": (f"{their_chain}.{their_first}",)}, **conv)
    x = net.norm(x, f"{chain}.{first + 1}", {"torchvision": (f"{their_chain}.{their_first + 1}",)})
    return net.add("relu6", x) if relu6 else x


def _layers(width: float, *, in_channels: int, num_classes: int, stem: str) -> list[Layer]:
    net = Builder(in_channels)
    found, stride = stages(width), 1 if stem == "cifar" else 2
    x = _unit(net, 0, found[0][0].in_channels, ("features", 0), ("features.0", 0), kernel=3, stride=stride)
    index = 3  # behind convolution, BatchNorm and ReLU6 of the stem, which are one module of torchvision's
    for number, blocks in enumerate(found, 1):
        for block in blocks:
            x = _block(net, x, block, index)
            index += 1
        net.stage(x, f"stage{number}")
    x = _unit(net, x, last_channels(width), ("features", index), (f"features.{index - 2}", 0))
    net.dense(net.mean(x), num_classes, "classifier.1", {}, bias=True)
    return net.layers


def _block(net: Builder, x: int, block: Block, index: int) -> int:
    """Add an inverted residual: expansion, depthwise convolution, linear bottleneck."""
    own, theirs = f"features.{index}.layers", f"features.{index - 2}.conv"
    inner, inside = block.in_channels * block.expansion, x
    units = 0  # of three modules here, of one in torchvision
    if block.expansion > 1:
        inside = _unit(net, x, inner, (own, 0), (f"{theirs}.0", 0))
        units = 1
    place = f"{theirs}.{units}", 0
    inside = _unit(net, inside, inner, (own, 3 * units), place, kernel=3, stride=block.stride, groups=inner)
    inside = _unit(net, inside, block.out_channels, (own, 3 * units + 3), (theirs, units + 1), relu6=False)
    return net.add("add", x, inside) if block.is_residual else inside


FAMILY = Family(
    title="MobileNetV2",
    network="mindcv_shufflenet.models.mobilenet_v2:MobileNetV2",
    variants=VARIANTS,
    layers=_layers,
    options={"stem": ("imagenet", "cifar")},
    projects={"torchvision": Project("torchvision", {}, "tv_in1k")},
)
