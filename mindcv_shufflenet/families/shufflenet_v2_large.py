"""Megvii's large ShuffleNetV2, another network than the paper's SE-ShuffleNetV2-164.

Source: the code that the paper's authors published (https://github.com/megvii-model/ShuffleNet-Series, folder
ShuffleNetV2.Large). Against the paper's block, the 3x3 convolutions have 8 groups instead of one a channel; a block
that opens a stage splits its channels too, and has a dense 3x3 projection; behind one that halves the map stands a 1x1
convolution; squeeze-and-excitation has as many channels inside as outside; a ReLU follows the sum with the shortcut.

Its README publishes 12.7 G multiply-adds and 140.7 M parameters. The description has 12.78 G and 125.12 M: three
auxiliary classifiers, which take part in training alone, have the other 15.56 M and are left out here.
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer, Project
from mindcv_shufflenet.families.builder import Builder


class Variant(NamedTuple):
    """A row of the table.

    Attributes:
        stem: channels of its three convolutions.
        blocks: in stages 2 to 5.
        widths: channels of these stages.
        last: channels of the last convolution.
        groups: of the 3x3 convolutions of the main branches.
    """

    stem: tuple[int, int, int]
    blocks: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    last: int
    groups: int


EPSILON = 1e-9
VARIANTS = {
    "shufflenet_v2_large_megvii": Variant((64, 64, 128), (10, 10, 23, 10), (256, 512, 1024, 2048), 1280, groups=8)
}


def block_name(stage: int, block: int) -> str:
    """Return the name of a block among those of its stage: the third one of stage 2 is ``2c``."""
    return f"{stage}{chr(ord('a') + block)}"


def _layers(variant: Variant, *, in_channels: int, num_classes: int) -> list[Layer]:
    net = Builder(in_channels)
    x = 0
    for index, width in enumerate(variant.stem):
        x = net.relu(_unit(net, x, width, f"first_conv.{index}", kernel=3, stride=1 if index else 2))
    x = net.stage(net.pool("max_pool", x, 3, 2, "pad"), "stem")
    for stage, (repeats, width) in enumerate(zip(variant.blocks, variant.widths, strict=True), 2):
        for block in range(repeats):
            name = f"features.{stage - 2}.{block_name(stage, block)}"
            x = _block(net, x, width, 2 if stage > 2 and block == 0 else 1, variant.groups, name, is_first=block == 0)
        net.stage(x, f"stage{stage}")
    x = net.mean(net.relu(_unit(net, x, variant.last, "conv_last", kernel=3)))
    net.dense(x, num_classes, "classifier", {"megvii": ("fc",)}, bias=True)
    return net.layers


def _unit(net: Builder, x: int, channels: int, name: str, **conv: int) -> int:
    """Add a convolution and its BatchNorm."""
    return net.norm(net.conv(x, channels, f"{name}.conv", {}, **conv), f"{name}.bn", {}, EPSILON)


def _block(net: Builder, x: int, width: int, stride: int, groups: int, name: str, *, is_first: bool) -> int:
    """Add one block: half of the channels pass or are projected, the others go through the main branch."""
    half = width // 2
    channels = net.layers[x].channels
    x = net.shuffle(x, channels // 2)
    passed, read = net.gather(x, range(channels // 2)), net.gather(x, range(channels // 2, channels))
    x = net.relu(_unit(net, read, half, f"{name}.branch_main.0"))
    x = net.relu(_unit(net, x, half, f"{name}.branch_main.1", kernel=3, stride=stride, groups=groups))
    x = _unit(net, x, half, f"{name}.branch_main.2")
    scale = net.relu(_dense(net, net.mean(x), half, f"{name}.se_block.0", f"{name}.se_fc1"))
    scale = net.add("sigmoid", _dense(net, scale, half, f"{name}.se_block.2", f"{name}.se_fc2"))
    x = net.add("multiply", x, scale)
    if is_first:
        passed = _unit(net, passed, half, f"{name}.proj", kernel=3, stride=stride)
    else:
        x = net.add("add", read, x)
    x = net.relu(net.concat(passed, x))
    return net.relu(_unit(net, x, width, f"{name}.down")) if stride == 2 else x


def _dense(net: Builder, x: int, channels: int, name: str, other: str) -> int:
    """Add a dense layer that Megvii's files hold under two names."""
    return net.dense(x, channels, name, {"megvii": (name, other)}, bias=True)


FAMILY = Family(
    title="ShuffleNetV2.Large",
    network="mindcv_shufflenet.models.shufflenet_v2_large:ShuffleNetV2Large",
    variants=VARIANTS,
    layers=_layers,
    projects={
        "megvii": Project(
            "Megvii", tag="megvii_in1k", other_parts=("predict_56.", "predict_28.", "predict_14.")
        )
    },
)  # fmt: skip
