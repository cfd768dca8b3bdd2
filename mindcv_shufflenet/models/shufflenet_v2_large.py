"""Megvii's large ShuffleNetV2; ``families/shufflenet_v2_large.py`` says what it is."""

from collections import OrderedDict

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.families.shufflenet_v2_large import EPSILON, block_name
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.stochastic_depth import ResidualBlock, add_branch


def _unit(
    in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1, *,
    has_relu: bool = True, weight_init: Normal | None = None,
) -> nn.Cell:  # fmt: skip
    """A convolution, BatchNorm, and a ReLU unless told otherwise."""
    weight_init = weight_init or Normal(groups / in_channels)
    conv = layers.conv2d(in_channels, out_channels, kernel, stride, groups, weight_init)
    cells: dict[str, nn.Cell] = {"conv": conv, "bn": layers.batch_norm(out_channels, EPSILON)}
    return nn.SequentialCell(OrderedDict(cells | ({"relu": nn.ReLU()} if has_relu else {})))


class Block(ResidualBlock):
    """One block: the even channels pass or are projected, the odd ones go through the main branch.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: 1 or 2.
        groups: of the 3x3 convolution.
        is_first: whether the block opens a stage, and so has a projection instead of a shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: int, *, is_first: bool) -> None:
        super().__init__()
        self.is_residual = not is_first
        half_in, half = in_channels // 2, out_channels // 2
        self.down = _unit(out_channels, out_channels) if stride == 2 else None
        self.proj = _unit(half_in, half, 3, stride, has_relu=False) if is_first else None
        self.branch_main = nn.SequentialCell(
            _unit(half_in, half), _unit(half, half, 3, stride, groups), _unit(half, half, has_relu=False)
        )
        self.se_block = nn.SequentialCell(
            nn.Dense(half, half, weight_init=Normal(0.01), bias_init="zeros"),
            nn.ReLU(),
            nn.Dense(half, half, weight_init=Normal(0.01), bias_init="zeros"),
            nn.Sigmoid(),
        )
        self.relu = nn.ReLU()

    def construct(self, x: Tensor, path: Tensor | None = None) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        passed, read = layers.channel_shuffle_split(x)
        x = self.branch_main(read)
        scale = self.se_block(layers.global_average(x))
        x = x * ops.reshape(scale, (*scale.shape, 1, 1))
        if self.proj is None:
            x = add_branch(read, x, path)
        else:
            passed = self.proj(passed)
        x = self.relu(ops.concat((passed, x), axis=1))
        return x if self.down is None else self.down(x)


class ShuffleNetV2Large(Network):
    """Megvii's large ShuffleNetV2, without the auxiliary classifiers of its training. It has no options."""

    default_drop_rate = 0.2

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        variant = plan.variant
        stem, channels = [], plan.in_channels
        for index, width in enumerate(variant.stem):
            stem.append(_unit(channels, width, 3, 1 if index else 2, weight_init=Normal(0.01)))
            channels = width
        self.first_conv = nn.SequentialCell(stem)
        self.max_pool = layers.max_pool("pad")
        stages = []
        for stage, (repeats, width) in enumerate(zip(variant.blocks, variant.widths, strict=True), 2):
            blocks: OrderedDict[str, nn.Cell] = OrderedDict()
            for block in range(repeats):
                stride = 2 if stage > 2 and block == 0 else 1
                is_first = block == 0
                blocks[block_name(stage, block)] = Block(channels, width, stride, variant.groups, is_first=is_first)
                channels = width
            stages.append(blocks)
        self.features = nn.SequentialCell([nn.SequentialCell(blocks) for blocks in stages])
        self.conv_last = _unit(channels, variant.last, 3)
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.first_conv, self.max_pool), *(tuple(blocks.values()) for blocks in stages))
        self.last = (self.conv_last,)
