"""ShuffleNetV2 in its published widths.

Source: Ma et al. 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", arXiv:1807.11164,
figure 3 (the blocks) and table 5 (the widths).
"""

from typing import Literal

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from mindcv_shufflenet.errors import UserError, check_counts
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.weights.names import POOL_OF_LAYOUT, STAGE_BLOCKS

# variant: channels of the stem, of stages 2 to 4, and of the last convolution (table 5 of the paper)
WIDTHS = {
    "x0_5": (24, 48, 96, 192, 1024),
    "x1_0": (24, 116, 232, 464, 1024),
    "x1_5": (24, 176, 352, 704, 1024),
    "x2_0": (24, 244, 488, 976, 2048),
}
STAGE_NAMES = ("stem", "stage2", "stage3", "stage4", "conv_last", "pooled")

Layout = Literal["megvii", "torchvision"]
Stem = Literal["imagenet", "cifar"]
Pool = Literal["same", "pad"]


class Block(nn.Cell):
    """One unit of a stage (figure 3 c and d of the paper).

    With stride 1 half of the channels pass untouched; with stride 2 both branches see the whole input. The layouts
    differ in where the channels are shuffled (``megvii``: at the start of a block, ``torchvision``: at its end) and in
    how a block of stride 2 divides its output channels between the branches.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, layout: Layout) -> None:
        super().__init__()
        self.shuffle_first = layout == "megvii"
        middle = out_channels // 2
        if stride == 1:
            main_in, main_out = in_channels // 2, middle
            self.branch_proj = None
        else:
            main_in = in_channels
            main_out = out_channels - in_channels if layout == "megvii" else middle
            proj_out = out_channels - main_out
            self.branch_proj = nn.SequentialCell(
                layers.depthwise_conv2d(in_channels, stride),
                layers.batch_norm(in_channels),
                layers.conv2d(in_channels, proj_out, 1),
                layers.batch_norm(proj_out),
                nn.ReLU(),
            )
        self.branch_main = nn.SequentialCell(
            layers.conv2d(main_in, middle, 1),
            layers.batch_norm(middle),
            nn.ReLU(),
            layers.depthwise_conv2d(middle, stride),
            layers.batch_norm(middle),
            layers.conv2d(middle, main_out, 1),
            layers.batch_norm(main_out),
            nn.ReLU(),
        )

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        if self.branch_proj is not None:
            x_proj, x_main = self.branch_proj(x), x
        elif self.shuffle_first:
            x_proj, x_main = layers.split_even_odd(x)
        else:
            x_proj, x_main = ops.split(x, x.shape[1] // 2, axis=1)
        conv1, norm1, relu1, depthwise, norm2, conv2, norm3, relu2 = self.branch_main
        x_main = conv1(x_main)
        x_main = layers.norm_relu_depthwise_norm(x_main, norm1, relu1, depthwise, norm2)
        if self.shuffle_first:
            return layers.norm_relu_concat(x_proj, conv2(x_main), norm3, relu2)
        return layers.norm_relu_interleave(x_proj, conv2(x_main), norm3, relu2)


class ShuffleNetV2(nn.Cell):
    """ShuffleNetV2 of one width.

    Args:
        widths: a row of ``WIDTHS``.
        num_classes: length of the logits.
        in_channels: channels of the input.
        layout: ``megvii`` (mindcv's parameter names and shapes, classifier without bias) or ``torchvision`` (both
            branches of a stride-2 block make half of its channels, classifier with bias).
        stem: ``imagenet`` (convolution with stride 2 and max pool) or ``cifar`` (stride 1, no pool).
        pool: padding of the max pool: ``same`` (right and bottom only, as mindcv pads) or ``pad`` (every side, as
            Megvii and torchvision do). None: what the layout's own weights were trained with, mindcv's for ``megvii``.
        drop_rate: share of the pooled features that training sets to zero.

    Attributes:
        stride: of the last map: an input of N pixels has a last map of N / stride, rounded up.

    Raises:
        UserError: an argument that is none of these.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
        layout: Layout | None = None,
        stem: Stem = "imagenet",
        pool: Pool | None = None,
        drop_rate: float | None = None,
    ) -> None:
        super().__init__()
        layout = layout or "megvii"
        drop_rate = drop_rate or 0.0
        _check("layout", layout, tuple(POOL_OF_LAYOUT))
        pool = pool or POOL_OF_LAYOUT[layout]
        _check("stem", stem, ("imagenet", "cifar"))
        _check("pool", pool, ("same", "pad"))
        check_counts(num_classes=num_classes, in_channels=in_channels)
        if not 0 <= drop_rate < 1:
            raise UserError(f"drop_rate={drop_rate}: it must be at least 0 and below 1")
        self.layout = layout
        self.stem = stem
        self.pool = pool
        self.drop_rate = drop_rate
        self.dropout = nn.Dropout(p=drop_rate) if drop_rate else None
        self.num_features = widths[-1]
        self.stride = 8 if stem == "cifar" else 32
        self.map_channels = widths[:4]

        channels = widths[0]
        self.first_conv = nn.SequentialCell(
            layers.conv2d(in_channels, channels, 3, stride=1 if stem == "cifar" else 2, weight_init=Normal(0.01)),
            layers.batch_norm(channels),
            nn.ReLU(),
        )
        self.max_pool = _max_pool(pool) if stem == "imagenet" else None
        blocks = []
        for repeats, width in zip(STAGE_BLOCKS, widths[1:4], strict=True):
            for index in range(repeats):
                blocks.append(Block(channels, width, 2 if index == 0 else 1, layout))
                channels = width
        self.features = nn.SequentialCell(blocks)
        self.conv_last = nn.SequentialCell(
            layers.conv2d(channels, widths[-1], 1), layers.batch_norm(widths[-1]), nn.ReLU()
        )
        self.classifier = nn.Dense(
            widths[-1], num_classes, weight_init=Normal(0.01), bias_init="zeros", has_bias=layout == "torchvision"
        )

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the stem and of stages 2 to 4 of an input ``[N, in_channels, H, W]``.

        They are ``[N, C, H, W]`` at strides 4, 8, 16 and 32 (1, 2, 4 and 8 with the ``cifar`` stem).
        """
        return _maps(self, x)

    def stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what ``STAGE_NAMES`` names: the maps, that of the last convolution, and the pooled vector ``[N, C]``.

        The last convolution keeps the stride of stage 4.
        """
        maps = self.maps(x)
        last = self.conv_last(maps[-1])
        return (*maps, last, layers.global_average(last))

    def construct(self, x: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Return the logits ``[N, num_classes]`` of ``[N, in_channels, H, W]``.

        Args:
            x: normalised images.
            dropout_mask: ``[N, num_features]``, factors of the pooled features: 0 or 1 / (1 - drop_rate). A training
                that can be resumed draws it itself; without one, MindSpore draws while training.
        """
        pooled = self.stages(x)[-1]
        if dropout_mask is not None:
            pooled = pooled * dropout_mask
        elif self.dropout is not None:
            pooled = self.dropout(pooled)
        return self.classifier(pooled)

    def classify(self, last_map: Tensor) -> Tensor:
        """Return the logits ``[N, num_classes]`` of a map of the last convolution, ``[N, C, H, W]``."""
        return self.classifier(layers.global_average(last_map))

    def extract_feat(self, x: Tensor, stage: str = "neck") -> tuple[Tensor, ...] | Tensor:
        """Return features as mmpretrain's method of that name does.

        Args:
            x: normalised images ``[N, in_channels, H, W]``.
            stage: ``backbone`` (the map of the last convolution), ``neck`` (the pooled vector ``[N, C]``) or
                ``pre_logits`` (the same, not in a tuple).

        Raises:
            UserError: another stage.
        """
        _check("stage", stage, ("backbone", "neck", "pre_logits"))
        *_, last, pooled = self.stages(x)
        return {"backbone": (last,), "neck": (pooled,), "pre_logits": pooled}[stage]

    def extract_features(self, x: Tensor) -> dict[str, Tensor]:
        """Return every stage's map and the pooled vector by name (``STAGE_NAMES``), out of one forward pass."""
        return dict(zip(STAGE_NAMES, self.stages(x), strict=True))


def _maps(cell: "ShuffleNetV2 | FeatureExtractor", x: Tensor) -> tuple[Tensor, ...]:
    x = cell.first_conv(x)
    if cell.max_pool is not None:
        x = cell.max_pool(x)
    maps: tuple[Tensor, ...] = (x,)
    first = 0
    for repeats in STAGE_BLOCKS:
        for index in range(repeats):
            x = cell.features[first + index](x)
        maps += (x,)
        first += repeats
    return maps


class FeatureExtractor(nn.Cell):
    """The maps of a network at four strides, for a detection or segmentation neck: without last convolution and head.

    Parameters keep the names that they have in the network.

    Attributes:
        channels: of each map.
        strides: of each map.
        left_out: how the names begin of parameters of the network that are not here.
    """

    left_out = ("conv_last.", "classifier.")

    def __init__(self, network: ShuffleNetV2) -> None:
        super().__init__(auto_prefix=False)
        self.first_conv = network.first_conv
        self.max_pool = network.max_pool
        self.features = network.features
        self.layout = network.layout
        self.stem = network.stem
        self.pool = network.pool
        self.channels = network.map_channels
        self.strides = (4, 8, 16, 32) if network.max_pool is not None else (1, 2, 4, 8)

    def construct(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``[N, C, H / stride, W / stride]`` of ``[N, in_channels, H, W]``."""
        return _maps(self, x)


def _max_pool(pool: Pool) -> nn.Cell:
    return layers.PaddedMaxPool() if pool == "pad" else nn.MaxPool2d(3, 2, pad_mode="same")


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"{name}={value}: it must be one of {', '.join(allowed)}")
