"""ShuffleNetV2.

Source: Ma et al. 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", arXiv:1807.11164,
figure 3 (the blocks), table 5 (the widths) and the appendix (the large networks).

Layouts: with ``megvii``, the paper's authors' and mindcv's, the channels are shuffled at the start of a block, and a
block that opens a stage passes as many channels through its projection as it takes in. With ``torchvision``, they are
shuffled at the end of a block, and both branches make half of its channels.

Squeeze-and-excitation (``se``) scales the output of the main branch, behind its last ReLU; its first dense layer has a
sixteenth of their channels. A shortcut (``residual``) then adds the main branch's input, in blocks that keep the shape.
The appendix has both in figures, and leaves open the ReLU behind the sum (there is none here), the sixteenth and the
biases; these are those of imgclsmob's ``shufflenetv2b`` and of the squeeze-and-excitation paper.

The paper prints 2.3 G (50) and 12.7 G (SE-164) multiply-adds for the large networks. Counted are 2.31 G and 12.55 G,
with layout ``torchvision`` 2.30 G and 12.54 G: what makes the other 1.2 % of the second is not known.
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer, Project
from mindcv_shufflenet.families.builder import Builder


class Variant(NamedTuple):
    """A row of the table.

    Attributes:
        blocks: in each stage; the first one is called stage 2.
        widths: channels of the stem, of the stages, and of the last convolution.
        stem: channels of the stem's convolutions in front of its last one.
        has_pool: whether a max pool stands behind the stem.
        first_stride: of the first stage. The others halve the map.
        kernel: of the depthwise convolutions.
        epsilon: of the BatchNorms.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    stem: tuple[int, ...] = ()
    has_pool: bool = True
    first_stride: int = 2
    kernel: int = 3
    epsilon: float = 1e-5


X0_5 = Variant((4, 8, 4), (24, 48, 96, 192, 1024))
X1_0 = Variant((4, 8, 4), (24, 116, 232, 464, 1024))
X1_5 = Variant((4, 8, 4), (24, 176, 352, 704, 1024))
X2_0 = Variant((4, 8, 4), (24, 244, 488, 976, 2048))

VARIANTS = {
    "shufflenet_v2_x0_5": X0_5,
    "shufflenet_v2_x1_0": X1_0,
    "shufflenet_v2_x1_5": X1_5,
    "shufflenet_v2_x2_0": X2_0,
    "se_shufflenet_v2_x0_5": X0_5,
    "se_shufflenet_v2_x1_0": X1_0,
    "se_shufflenet_v2_x1_5": X1_5,
    "se_shufflenet_v2_x2_0": X2_0,
    "shufflenet_v2_50": Variant((3, 4, 6, 3), (64, 244, 488, 976, 1952, 2048), first_stride=1),
    "se_shufflenet_v2_164": Variant((10, 10, 23, 10), (128, 340, 680, 1360, 2720, 2048), stem=(64, 64), first_stride=1),
    # of openpifpaf, which sets the epsilon of every BatchNorm
    "shufflenet_v2_k16": Variant((4, 8, 4), (24, 348, 696, 1392, 1392), has_pool=False, kernel=5, epsilon=1e-3),
}

# The first dense layer of squeeze-and-excitation makes one channel out of this many.
SE_REDUCTION = 16


class _Style(NamedTuple):
    """What all blocks of a network have in common: options and columns of the table."""

    layout: str
    activation: str
    se: bool
    residual: bool
    kernel: int
    epsilon: float


class _Part(NamedTuple):
    """A chain of layers, and what each project calls it.

    Attributes:
        own: in mindcv, and in the paper's authors' code.
        detector: in detectors that took their backbone from the authors and number the blocks by stage.
        torchvision: in torchvision.
        mmpretrain: in mmpretrain.
        nanodet: in NanoDet, behind ``backbone.``; "": as in torchvision.
        openpifpaf: in openpifpaf, behind ``base_net.``; "": as in torchvision.
    """

    own: str
    detector: str
    torchvision: str
    mmpretrain: str
    nanodet: str = ""
    openpifpaf: str = ""

    def names(self, place: object, part: str) -> dict[str, tuple[str, ...]]:
        """The names of a layer at a place of the chain; ``part`` is what mmpretrain calls the place."""
        openpifpaf = f"{self.openpifpaf or self.torchvision}.{place}"
        return {
            "mindspore": (f"{self.detector}.{place}",),
            "megvii": (f"{self.own}.{place}", f"{self.detector}.{place}"),
            "torchvision": (f"{self.torchvision}.{place}",),
            "mmpretrain": (f"{self.mmpretrain}{part}",),
            "nanodet": (f"backbone.{self.nanodet or self.torchvision}.{place}",),
            "openpifpaf": (f"base_net.{openpifpaf}", openpifpaf),
        }

    def unit(
        self, net: Builder, x: int, channels: int, position: int, style: _Style, module: str = "", **conv: int
    ) -> int:
        """Add a convolution at ``position`` and its BatchNorm behind it; ``module`` is mmpretrain's part of both."""
        place, behind = position, position + 1
        x = net.conv(x, channels, f"{self.own}.{place}", self.names(place, f"{module}.conv"), **conv)
        return net.norm(x, f"{self.own}.{behind}", self.names(behind, f"{module}.bn"), style.epsilon)


def _block_parts(index: int, stage: int, block: int) -> tuple[_Part, _Part, _Part]:
    """The names of projection, main branch and squeeze-and-excitation of a block.

    Args:
        index: of the block in the network.
        stage: of the block, from 2 on.
        block: its index in the stage.
    """
    branches = (("branch_proj", "branch1"), ("branch_main", "branch2"), ("se", "se"))
    proj, main, se = (
        _Part(
            f"features.{index}.{own}",
            f"stage{stage}.{block}.{own}",
            f"stage{stage}.{block}.{theirs}",
            f"backbone.layers.{stage - 2}.{block}.{theirs}",
        )
        for own, theirs in branches
    )
    return proj, main, se


def _layers(
    variant: Variant,
    *,
    in_channels: int,
    num_classes: int,
    layout: str,
    stem: str,
    pool: str,
    activation: str,
    se: bool,
    residual: bool,
) -> list[Layer]:
    net = Builder(in_channels)
    style = _Style(layout, activation, se, residual, variant.kernel, variant.epsilon)
    first = _Part("first_conv", "first_conv", "conv1", "backbone.conv1", openpifpaf="input_block.0")
    x = 0
    for index, width in enumerate((*variant.stem, variant.widths[0])):
        module = f".{index}" if index else ""
        stride = 2 if index == 0 and stem == "imagenet" else 1
        x = net.add(activation, first.unit(net, x, width, 3 * index, style, module, kernel=3, stride=stride))
    if variant.has_pool and stem == "imagenet":
        x = net.pool("max_pool", x, 3, 2, pool)
    net.stage(x, "stem")
    index = 0
    for stage, (repeats, width) in enumerate(zip(variant.blocks, variant.widths[1:-1], strict=True), 2):
        for block in range(repeats):
            stride = 1 if block else 2 if stage > 2 else variant.first_stride
            x = _block(net, x, width, stride, style, _block_parts(index, stage, block))
            index += 1
        net.stage(x, f"stage{stage}")
    behind = f"stage{len(variant.blocks) + 1}"
    last = _Part("conv_last", "conv_last", "conv5", f"backbone.layers.{len(variant.blocks)}", nanodet=f"{behind}.conv5")
    x = net.mean(net.add(activation, last.unit(net, x, variant.widths[-1], 0, style)))
    names = {
        "megvii": ("classifier.0",), "torchvision": ("fc",), "mmpretrain": ("head.fc",), "nanodet": ("backbone.fc",),
        "openpifpaf": ("base_net.fc",),
    }  # fmt: skip
    net.dense(x, num_classes, "classifier", names, bias=layout == "torchvision")
    return net.layers


def _block(net: Builder, x: int, width: int, stride: int, style: _Style, parts: tuple[_Part, _Part, _Part]) -> int:
    """Add one block (figure 3 c and d): the channels that pass or are projected, then those of the main branch."""
    proj, main, se = parts
    channels = net.layers[x].channels
    half = main_out = width // 2
    shortcut = None
    if stride == 2 or channels != width:
        if style.layout == "megvii":
            main_out = width - channels
        passed = proj.unit(net, x, channels, 0, style, ".0", kernel=style.kernel, stride=stride, groups=channels)
        passed = net.add(style.activation, proj.unit(net, passed, width - main_out, 2, style, ".1"))
    else:
        if style.layout == "megvii":
            x = net.shuffle(x, half)
        passed, x = net.gather(x, range(half)), net.gather(x, range(half, width))
        shortcut = x
    x = net.add(style.activation, main.unit(net, x, half, 0, style, ".0"))
    x = main.unit(net, x, half, 3, style, ".1", kernel=style.kernel, stride=stride, groups=half)
    x = net.add(style.activation, main.unit(net, x, main_out, 5, style, ".2"))
    if style.se:
        x = _squeeze_excitation(net, x, se)
    if style.residual and shortcut is not None:
        x = net.add("add", x, shortcut)
    x = net.concat(passed, x)
    return net.shuffle(x, 2) if style.layout == "torchvision" else x


def _squeeze_excitation(net: Builder, x: int, se: _Part) -> int:
    """Scale each channel by what two dense layers make of the means of all channels."""
    width = net.layers[x].channels
    names = {place: se.names(place, f".{place}") for place in ("reduce", "expand")}
    scale = net.dense(net.mean(x), width // SE_REDUCTION, f"{se.own}.reduce", names["reduce"], bias=True)
    scale = net.dense(net.relu(scale), width, f"{se.own}.expand", names["expand"], bias=True)
    return net.add("multiply", x, net.add("sigmoid", scale))


FAMILY = Family(
    title="ShuffleNetV2",
    network="mindcv_shufflenet.models.shufflenet_v2:ShuffleNetV2",
    variants=VARIANTS,
    layers=_layers,
    options={
        "layout": ("megvii", "torchvision"),
        "stem": ("imagenet", "cifar"),
        "pool": ("same", "pad"),
        "activation": ("relu", "leaky_relu"),
        "se": (False, True),
        "residual": (False, True),
    },
    model_options={
        **{name: {"se": True} for name in VARIANTS if name.startswith("se_")},
        "se_shufflenet_v2_164": {"se": True, "residual": True},
    },
    # mindcv pads its max pool on the right and at the bottom only, the PyTorch projects on every side
    implied={("layout", "torchvision"): {"pool": "pad"}},
    projects={
        "megvii": Project("Megvii", {"layout": "megvii", "pool": "pad"}, "megvii_in1k"),
        "torchvision": Project("torchvision", {"layout": "torchvision", "pool": "pad"}, "tv_in1k"),
        "mmpretrain": Project("mmpretrain", {"layout": "torchvision", "pool": "pad"}, "mmpretrain_in1k"),
        # its detectors; the configurations that it publishes have LeakyReLU
        "nanodet": Project(
            "NanoDet", {"layout": "torchvision", "pool": "pad", "activation": "leaky_relu"},
            other_parts=("fpn.", "head.", "aux_fpn.", "aux_head."),
        ),
        # its pose estimators; its files are pickled programs, whose `model.state_dict()` is read
        "openpifpaf": Project("openpifpaf", {"layout": "torchvision"}, other_parts=("head_nets.",)),
    },
)  # fmt: skip
