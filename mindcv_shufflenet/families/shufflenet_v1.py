"""ShuffleNetV1.

Source: Zhang et al. 2017, "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices",
arXiv:1707.01083, figure 2 (the blocks) and table 1 (the widths).

Four projects with weights compute it in different orders of the channels (``LAYOUTS``).
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer, Project, ZooNames
from mindcv_shufflenet.families.builder import Builder, interleaved


class Variant(NamedTuple):
    """A row of the table.

    Attributes:
        groups: of the 1x1 convolutions, but for the first one, which has one.
        widths: channels of the stem and of stages 2 to 4.
        blocks: in stages 2 to 4.
    """

    groups: int
    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int] = (4, 8, 4)


# The paper has x1.0 (table 1), its authors' code x0.5 to x2.0 of g3 and g8, and imgclsmob the other widths. The stages
# of all of them are multiples of x1.0. The stems are not: 16 in g8 x0.5, and 24 in x1.5.
VARIANTS = {
    "shufflenet_v1_g1_x0_25": Variant(1, (6, 36, 72, 144)),
    "shufflenet_v1_g1_x0_5": Variant(1, (12, 72, 144, 288)),
    "shufflenet_v1_g1_x0_75": Variant(1, (18, 108, 216, 432)),
    "shufflenet_v1_g1_x1_0": Variant(1, (24, 144, 288, 576)),
    "shufflenet_v1_g2_x1_0": Variant(2, (24, 200, 400, 800)),
    "shufflenet_v1_g3_x0_25": Variant(3, (6, 60, 120, 240)),
    "shufflenet_v1_g3_x0_5": Variant(3, (12, 120, 240, 480)),
    "shufflenet_v1_g3_x0_75": Variant(3, (18, 180, 360, 720)),
    "shufflenet_v1_g3_x1_0": Variant(3, (24, 240, 480, 960)),
    "shufflenet_v1_g3_x1_5": Variant(3, (24, 360, 720, 1440)),
    "shufflenet_v1_g3_x2_0": Variant(3, (48, 480, 960, 1920)),
    "shufflenet_v1_g4_x1_0": Variant(4, (24, 272, 544, 1088)),
    "shufflenet_v1_g8_x0_5": Variant(8, (16, 192, 384, 768)),
    "shufflenet_v1_g8_x1_0": Variant(8, (24, 384, 768, 1536)),
    "shufflenet_v1_g8_x1_5": Variant(8, (24, 576, 1152, 2304)),
    "shufflenet_v1_g8_x2_0": Variant(8, (48, 768, 1536, 3072)),
}


class Layout(NamedTuple):
    """How a project computes the network.

    Attributes:
        title: the project's.
        tag: of its published weights.
        shuffle_first: the channels are shuffled before the depthwise convolution, else behind it.
        main_first: a block of stride 2 puts its main branch before the pooled one, else behind it.
        bias: the classifier has one.
        pool: padding of the max pool and of the average pools.
        channel_shuffle: view of the channels in the shuffle, as :func:`shuffle_order` takes it.
        is_torch: its parameters are PyTorch's.
    """

    title: str
    tag: str
    shuffle_first: bool
    main_first: bool
    bias: bool
    pool: str
    channel_shuffle: str
    is_torch: bool = True

    @property
    def implied(self) -> dict[str, str]:
        """The other network options of the project."""
        return {"pool": self.pool, "channel_shuffle": self.channel_shuffle}


# Our own names are those of mindcv 0.3.0 and of its weights up to then. Later versions have an array for each group of
# a convolution; their weights are those for Ascend 910 of the second version.
LAYOUTS = {
    "mindcv": Layout("mindcv 0.3.1", "mindcv_910v2_in1k", True, False, False, "same", "deinterleave", is_torch=False),
    "megvii": Layout("Megvii", "megvii_in1k", False, False, False, "pad", "deinterleave"),
    "mmpretrain": Layout("mmpretrain", "mmpretrain_in1k", False, False, True, "pad", "interleave"),
    "imgclsmob": Layout("imgclsmob", "imgclsmob_in1k", True, True, True, "pad", "interleave"),
}


def shuffle_order(channels: int, groups: int, channel_shuffle: str) -> list[int]:
    """Return the channels in the order of a shuffle.

    Args:
        channels: how many there are.
        groups: of the convolutions around it.
        channel_shuffle: ``interleave`` transposes a view (groups, channels / groups) of the channels, as the paper
            has it; ``deinterleave`` transposes (channels / groups, groups), as its authors' code does.
    """
    return interleaved(channels, groups if channel_shuffle == "interleave" else channels // groups)


class _Unit(NamedTuple):
    """A convolution and the BatchNorm behind it, and what each project calls the two within a block."""

    own: tuple[str, str]
    mindcv: tuple[str, str]
    megvii: tuple[str, str]
    mmpretrain: tuple[str, str]
    imgclsmob: tuple[str, str]


_STEM = _Unit(("0", "1"), ("0", "1"), ("0", "1"), ("conv1.conv", "conv1.bn"), ("conv", "bn"))
_COMPRESS = _Unit(
    ("branch_main_1.0", "branch_main_1.1"),
    ("branch_main_1.0.convs.{group}", "branch_main_1.1"),
    ("branch_main_1.0", "branch_main_1.1"),
    ("g_conv_1x1_compress.conv", "g_conv_1x1_compress.bn"),
    ("compress_conv1", "compress_bn1"),
)
_DEPTHWISE = _Unit(
    ("branch_main_2.0", "branch_main_2.1"),
    ("branch_main_2.0", "branch_main_2.1"),
    ("branch_main_1.3", "branch_main_1.4"),
    ("depthwise_conv3x3_bn.conv", "depthwise_conv3x3_bn.bn"),
    ("dw_conv2", "dw_bn2"),
)
_EXPAND = _Unit(
    ("branch_main_2.2", "branch_main_2.3"),
    ("branch_main_2.2.convs.{group}", "branch_main_2.3"),
    ("branch_main_2.0", "branch_main_2.1"),
    ("g_conv_1x1_expand.conv", "g_conv_1x1_expand.bn"),
    ("expand_conv3", "expand_bn3"),
)


class _Place(NamedTuple):
    """What a block is called: by mindcv and the paper's authors, by mmpretrain, and by imgclsmob."""

    own: str
    mmpretrain: str
    imgclsmob: str

    def add(self, net: Builder, x: int, channels: int, unit: _Unit, **conv: int) -> int:
        """Add a unit of the block."""
        conv_name, norm_name = (f"{self.own}.{part}" for part in unit.own)
        x = net.conv(x, channels, conv_name, self._names(unit, 0), **conv)
        return net.norm(x, norm_name, self._names(unit, 1))

    def _names(self, unit: _Unit, part: int) -> dict[str, tuple[str]]:
        return {
            "mindcv": (f"{self.own}.{unit.mindcv[part]}",),
            "megvii": (f"{self.own}.{unit.megvii[part]}",),
            "mmpretrain": (f"{self.mmpretrain}.{unit.mmpretrain[part]}",),
            "imgclsmob": (f"{self.imgclsmob}.{unit.imgclsmob[part]}",),
        }


def _layers(
    variant: Variant, *, in_channels: int, num_classes: int, layout: str, stem: str, pool: str, channel_shuffle: str
) -> list[Layer]:
    net = Builder(in_channels)
    place = _Place("first_conv", "backbone", "features.init_block")
    x = net.relu(place.add(net, 0, variant.widths[0], _STEM, kernel=3, stride=1 if stem == "cifar" else 2))
    if stem == "imagenet":
        x = net.pool("max_pool", x, 3, 2, pool)
    net.stage(x, "stem")
    index = 0
    for stage, (repeats, width) in enumerate(zip(variant.blocks, variant.widths[1:], strict=True)):
        for block in range(repeats):
            place = _Place(
                f"features.{index}", f"backbone.layers.{stage}.{block}", f"features.stage{stage + 1}.unit{block + 1}"
            )
            groups = (1 if index == 0 else variant.groups, variant.groups)
            x = _block(net, x, width, 2 if block == 0 else 1, groups, place, LAYOUTS[layout], pool, channel_shuffle)
            index += 1
        net.stage(x, f"stage{stage + 2}")
    names = {"megvii": ("classifier.0",), "mmpretrain": ("head.fc",), "imgclsmob": ("output",)}
    net.dense(net.mean(x), num_classes, "classifier", names, bias=LAYOUTS[layout].bias)
    return net.layers


def _block(
    net: Builder,
    x: int,
    width: int,
    stride: int,
    groups: tuple[int, int],
    place: _Place,
    layout: Layout,
    pool: str,
    channel_shuffle: str,
) -> int:
    """Add one block (figure 2 b and c); ``groups`` are those of its first and of its last convolution."""
    middle = width // 4

    def shuffle(x: int) -> int:
        return net.gather(x, shuffle_order(middle, groups[1], channel_shuffle)) if groups[1] > 1 else x

    main = net.relu(place.add(net, x, middle, _COMPRESS, groups=groups[0]))
    main = shuffle(main) if layout.shuffle_first else main
    main = place.add(net, main, middle, _DEPTHWISE, kernel=3, stride=stride, groups=middle)
    main = main if layout.shuffle_first else shuffle(main)
    if stride == 1:
        return net.relu(net.add("add", x, place.add(net, main, width, _EXPAND, groups=groups[1])))
    main = net.relu(place.add(net, main, width - net.layers[x].channels, _EXPAND, groups=groups[1]))
    pooled = net.pool("avg_pool", x, 3, 2, pool)
    return net.concat(main, pooled) if layout.main_first else net.concat(pooled, main)


FAMILY = Family(
    title="ShuffleNetV1",
    network="mindcv_shufflenet.models.shufflenet_v1:ShuffleNetV1",
    variants=VARIANTS,
    layers=_layers,
    options={
        "layout": tuple(LAYOUTS),
        "stem": ("imagenet", "cifar"),
        "pool": ("same", "pad"),
        "channel_shuffle": ("deinterleave", "interleave"),
    },
    implied={("layout", name): layout.implied for name, layout in LAYOUTS.items()},
    projects={
        name: Project(layout.title, {"layout": name, **layout.implied}, layout.tag, layout.is_torch)
        for name, layout in LAYOUTS.items()
    },
    # mindcv's names
    aliases={
        f"shufflenet_v1_g{groups}_{width}": f"shufflenet_v1_g{groups}_x{width[0]}_{width[1]}"
        for groups in (3, 8)
        for width in ("05", "10", "15", "20")
    },
    zoo=ZooNames("gpu_0/data_0", "gpu_0/softmax_1", softmax=True),
)
