"""ShuffleNetV2+.

Source: Megvii, ShuffleNet-Series, ShuffleNetV2+/network.py and blocks.py; there is no paper. The blocks are those of
ShuffleNetV2 (arXiv:1807.11164, figure 3) with kernels of several sizes or three depthwise convolutions one behind the
other, with hard-swish, and with squeeze-and-excitation whose first convolution has a BatchNorm. No max pool follows the
first convolution. Squeeze-and-excitation, a dense layer and hard-swish stand between the mean and the classifier.
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer, Project
from mindcv_shufflenet.families.builder import Builder


class Stage(NamedTuple):
    """What the blocks of a stage are, in all variants.

    Attributes:
        kernels: of each block's depthwise convolution, or ``XCEPTION``.
        activation: behind its convolutions.
        has_se: whether squeeze-and-excitation ends its main branches.
    """

    kernels: tuple[int, ...]
    activation: str
    has_se: bool


# A block with three depthwise convolutions of 3x3 pixels.
XCEPTION = 0

# Megvii's `architecture`, the same for all variants.
STAGES = (
    Stage((3, 3, XCEPTION, 5), "relu", False),
    Stage((5, 5, 3, 3), "hard_swish", False),
    Stage((7, 3, 7, 5, 5, 3, 7, 3), "hard_swish", True),
    Stage((7, 5, XCEPTION, 7), "hard_swish", True),
)

# Channels of the first convolution and of the last one, and the share of them that squeeze-and-excitation keeps.
STEM, LAST, SE_REDUCTION = 16, 1280, 4

# Channels of each stage.
VARIANTS = {
    "shufflenet_v2_plus_small": (36, 104, 208, 416),
    "shufflenet_v2_plus_medium": (48, 128, 256, 512),
    "shufflenet_v2_plus_large": (68, 168, 336, 672),
}


def _unit(net: Builder, x: int, channels: int, name: str, position: int, activation: str = "", **conv: int) -> int:
    """Add a convolution at a position of a branch, its BatchNorm behind it, and an activation if there is one."""
    x = net.norm(net.conv(x, channels, f"{name}.{position}", {}, **conv), f"{name}.{position + 1}", {})
    return net.add(activation, x) if activation else x


def _depthwise(net: Builder, x: int, name: str, position: int, kernel: int, stride: int = 1) -> int:
    """Add a depthwise convolution and its BatchNorm."""
    channels = net.layers[x].channels
    return _unit(net, x, channels, name, position, kernel=kernel, stride=stride, groups=channels)


def _se(net: Builder, x: int, name: str, megvii: str) -> int:
    """Add squeeze-and-excitation: each channel times a factor that the means of all channels give."""
    channels = net.layers[x].channels
    gate = x if net.layers[x].kind == "mean" else net.mean(x)
    gate = net.conv(gate, channels // SE_REDUCTION, f"{name}.squeeze", {"megvii": (f"{megvii}.SE_opr.1",)})
    gate = net.relu(net.norm(gate, f"{name}.norm", {"megvii": (f"{megvii}.SE_opr.2",)}))
    gate = net.conv(gate, channels, f"{name}.excite", {"megvii": (f"{megvii}.SE_opr.4",)})
    return net.add("multiply", x, net.add("hard_sigmoid", gate))


def _layers(widths: tuple[int, ...], *, in_channels: int, num_classes: int, stem: str) -> list[Layer]:
    net = Builder(in_channels)
    x = _unit(net, 0, STEM, "first_conv", 0, "hard_swish", kernel=3, stride=1 if stem == "cifar" else 2)
    net.stage(x, "stem")
    index = 0
    for number, (stage, width) in enumerate(zip(STAGES, widths, strict=True), start=1):
        for position, kernel in enumerate(stage.kernels):
            x = _block(net, x, width, 2 if position == 0 else 1, kernel, stage, f"features.{index}")
            index += 1
        net.stage(x, f"stage{number}")
    x = net.mean(_unit(net, x, LAST, "conv_last", 0, "hard_swish"))
    x = net.dense(_se(net, x, "last_se", "LastSE"), LAST, "fc.0", {}, bias=False)
    net.dense(net.add("hard_swish", x), num_classes, "classifier", {"megvii": ("classifier.0",)}, bias=False)
    return net.layers


def _block(net: Builder, x: int, width: int, stride: int, kernel: int, stage: Stage, name: str) -> int:
    """Add one block: the channels that pass or are projected, then those of the main branch."""
    channels, half, act = net.layers[x].channels, width // 2, stage.activation
    if stride == 2:
        passed = _depthwise(net, x, f"{name}.branch_proj", 0, kernel, stride)
        passed = _unit(net, passed, channels, f"{name}.branch_proj", 2, act)
    else:
        x = net.shuffle(x, half)
        passed, x = net.gather(x, range(half)), net.gather(x, range(half, width))
    main, out = f"{name}.branch_main", width - net.layers[passed].channels
    if kernel == XCEPTION:
        for position, made in ((0, half), (5, half), (10, out)):
            x = _unit(net, _depthwise(net, x, main, position, 3), made, main, position + 2, act)
        end = 15
    else:
        x = _depthwise(net, _unit(net, x, half, main, 0, act), main, 3, kernel, stride)
        x = _unit(net, x, out, main, 5, act)
        end = 8
    if stage.has_se:
        x = _se(net, x, f"{main}.{end}", f"{main}.{end}")
    return net.concat(passed, x)


FAMILY = Family(
    title="ShuffleNetV2+",
    network="mindcv_shufflenet.models.shufflenet_v2_plus:ShuffleNetV2Plus",
    variants=VARIANTS,
    layers=_layers,
    options={"stem": ("imagenet", "cifar")},
    projects={"megvii": Project("Megvii", {}, "megvii_in1k")},
)
