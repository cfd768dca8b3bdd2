"""ShuffleNetV2.

Source: Ma et al. 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", arXiv:1807.11164,
figure 3 (the blocks) and table 5 (the widths).

Layouts: with ``megvii``, the paper's authors' and mindcv's, the channels are shuffled at the start of a block, and a
block of stride 2 passes as many channels through its projection as it takes in. With ``torchvision``, they are shuffled
at the end of a block, and both branches make half of its channels.
"""

from typing import NamedTuple

from mindcv_shufflenet.families.base import Family, Layer, Project
from mindcv_shufflenet.families.builder import Builder


class Variant(NamedTuple):
    """A row of the table.

    Attributes:
        blocks: in stages 2 to 4.
        widths: channels of the stem, of stages 2 to 4, and of the last convolution.
    """

    blocks: tuple[int, int, int]
    widths: tuple[int, int, int, int, int]


VARIANTS = {
    "shufflenet_v2_x0_5": Variant((4, 8, 4), (24, 48, 96, 192, 1024)),
    "shufflenet_v2_x1_0": Variant((4, 8, 4), (24, 116, 232, 464, 1024)),
    "shufflenet_v2_x1_5": Variant((4, 8, 4), (24, 176, 352, 704, 1024)),
    "shufflenet_v2_x2_0": Variant((4, 8, 4), (24, 244, 488, 976, 2048)),
}


class _Branch(NamedTuple):
    """A chain of layers, and what each project calls it.

    Attributes:
        own: in mindcv, and in the paper's authors' code.
        detector: in detectors that took their backbone from the authors and number the blocks by stage.
        torchvision: in torchvision.
        mmpretrain: in mmpretrain.
    """

    own: str
    detector: str
    torchvision: str
    mmpretrain: str

    def unit(
        self, net: Builder, x: int, channels: int, position: int, module: str = "", *, relu: bool = True, **conv: int
    ) -> int:
        """Add a convolution at ``position``, its BatchNorm behind it, and a ReLU; ``module`` is mmpretrain's part."""
        for place, part in ((position, "conv"), (position + 1, "bn")):
            own = f"{self.own}.{place}"
            names = {
                "mindspore": (f"{self.detector}.{place}",),
                "megvii": (own, f"{self.detector}.{place}"),
                "torchvision": (f"{self.torchvision}.{place}",),
                "mmpretrain": (f"{self.mmpretrain}{module}.{part}",),
            }
            x = net.conv(x, channels, own, names, **conv) if part == "conv" else net.norm(x, own, names)
        return net.relu(x) if relu else x


def _layers(variant: Variant, *, in_channels: int, num_classes: int, layout: str, stem: str, pool: str) -> list[Layer]:
    net = Builder(in_channels)
    first = _Branch("first_conv", "first_conv", "conv1", "backbone.conv1")
    x = first.unit(net, 0, variant.widths[0], 0, kernel=3, stride=1 if stem == "cifar" else 2)
    if stem == "imagenet":
        x = net.max_pool(x, 3, 2, pool)
    net.stage(x, "stem")
    index = 0
    for stage, (repeats, width) in enumerate(zip(variant.blocks, variant.widths[1:4], strict=True)):
        for block in range(repeats):
            proj, main = (
                _Branch(
                    f"features.{index}.{own}",
                    f"stage{stage + 2}.{block}.{own}",
                    f"stage{stage + 2}.{block}.{theirs}",
                    f"backbone.layers.{stage}.{block}.{theirs}",
                )
                for own, theirs in (("branch_proj", "branch1"), ("branch_main", "branch2"))
            )
            x = _block(net, x, width, 2 if block == 0 else 1, layout, proj, main)
            index += 1
        net.stage(x, f"stage{stage + 2}")
    last = _Branch("conv_last", "conv_last", "conv5", "backbone.layers.3")
    x = net.mean(last.unit(net, x, variant.widths[4], 0))
    names = {"megvii": ("classifier.0",), "torchvision": ("fc",), "mmpretrain": ("head.fc",)}
    net.dense(x, num_classes, "classifier", names, bias=layout == "torchvision")
    return net.layers


def _block(net: Builder, x: int, width: int, stride: int, layout: str, proj: _Branch, main: _Branch) -> int:
    """Add one block (figure 3 c and d): the channels that pass or are projected, then those of the main branch."""
    channels = net.layers[x].channels
    half = width // 2
    if stride == 2:
        main_out = width - channels if layout == "megvii" else half
        passed = proj.unit(net, x, channels, 0, ".0", relu=False, kernel=3, stride=2, groups=channels)
        passed = proj.unit(net, passed, width - main_out, 2, ".1")
    else:
        main_out = half
        if layout == "megvii":
            x = net.shuffle(x, half)
        passed, x = net.gather(x, range(half)), net.gather(x, range(half, width))
    x = main.unit(net, x, half, 0, ".0")
    x = main.unit(net, x, half, 3, ".1", relu=False, kernel=3, stride=stride, groups=half)
    x = net.concat(passed, main.unit(net, x, main_out, 5, ".2"))
    return net.shuffle(x, 2) if layout == "torchvision" else x


FAMILY = Family(
    title="ShuffleNetV2",
    network="mindcv_shufflenet.models.shufflenet_v2:ShuffleNetV2",
    variants=VARIANTS,
    layers=_layers,
    options={"layout": ("megvii", "torchvision"), "stem": ("imagenet", "cifar"), "pool": ("same", "pad")},
    # mindcv pads its max pool on the right and at the bottom only, the PyTorch projects on every side
    implied={("layout", "torchvision"): {"pool": "pad"}},
    projects={
        "megvii": Project("Megvii", {"layout": "megvii", "pool": "pad"}, "megvii_in1k"),
        "torchvision": Project("torchvision", {"layout": "torchvision", "pool": "pad"}, "tv_in1k"),
        "mmpretrain": Project("mmpretrain", {"layout": "torchvision", "pool": "pad"}, "mmpretrain_in1k"),
    },
)
