"""ShuffleNetV1. Parameter names are mindcv 0.3.0's; the layers are described in ``families/shufflenet_v1.py``.

Source: Zhang et al. 2017, "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices",
arXiv:1707.01083, figure 2.
"""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.families.shufflenet_v1 import LAYOUTS, shuffle_order
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.chains import Chain, run
from mindcv_shufflenet.models.stochastic_depth import ResidualBlock, add_branch


class Block(ResidualBlock):
    """One unit of a stage (figure 2 b and c of the paper).

    With stride 1 the input is added to the main branch; with stride 2 its average pool is put beside it. The main
    branch is a 1x1 convolution with groups, a depthwise one, and another 1x1 convolution with groups. The layouts
    differ in whether the channels are shuffled before or behind the depthwise one, and in which branch comes first.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: 1 or 2.
        groups: of the first 1x1 convolution and of the second.
        plan: of the network.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: tuple[int, int], plan: Plan) -> None:
        super().__init__()
        layout = LAYOUTS[plan.options["layout"]]
        self.main_first = layout.main_first
        self.is_residual = stride == 1
        middle = out_channels // 4
        main_out = out_channels if stride == 1 else out_channels - in_channels
        self.branch_main_1 = nn.SequentialCell(
            layers.conv2d(in_channels, middle, 1, groups=groups[0]), layers.batch_norm(middle), nn.ReLU()
        )
        self.branch_main_2 = nn.SequentialCell(
            layers.depthwise_conv2d(middle, stride),
            layers.batch_norm(middle),
            layers.conv2d(middle, main_out, 1, groups=groups[1]),
            layers.batch_norm(main_out),
        )
        self.branch_proj = layers.avg_pool(plan.options["pool"]) if stride == 2 else None
        order = shuffle_order(middle, groups[1], plan.options["channel_shuffle"])
        self.shuffle = layers.Reorder(order) if groups[1] > 1 else nn.Identity()
        self.relu = nn.ReLU()
        depthwise, norm1, conv, norm2 = self.branch_main_2
        if layout.shuffle_first:
            self.main: Chain = (self.branch_main_1, self.shuffle, depthwise, norm1, conv, norm2)
        else:
            self.main = (self.branch_main_1, depthwise, norm1, self.shuffle, conv, norm2)

    def construct(self, x: Tensor, path: Tensor | None = None) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        if self.branch_proj is None:
            return self.relu(add_branch(x, run(self.computed or self.main, x), path))
        x_main, x_proj = self.relu(run(self.computed or self.main, x)), self.branch_proj(x)
        return ops.concat((x_main, x_proj) if self.main_first else (x_proj, x_main), axis=1)


class ShuffleNetV1(Network):
    """ShuffleNetV1 of one variant.

    Options: ``layout`` is the project whose order of computation it has, ``mindcv``, ``megvii``, ``mmpretrain`` or
    ``imgclsmob`` (the last two with a bias in the classifier); it implies ``pool`` and ``channel_shuffle``. ``pool`` is
    the padding of the max pool and of the average pools: ``same`` (right and bottom only) or ``pad`` (every side).
    ``channel_shuffle`` is ``interleave`` (the paper's) or ``deinterleave`` (its authors' code). ``stem`` is
    ``imagenet`` (convolution with stride 2 and max pool) or ``cifar`` (stride 1, no max pool).
    """

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        groups, (channels, *widths), blocks = plan.variant
        is_small = plan.options["stem"] == "cifar"
        self.first_conv = nn.SequentialCell(
            layers.conv2d(plan.in_channels, channels, 3, stride=1 if is_small else 2, weight_init=Normal(0.01)),
            layers.batch_norm(channels),
            nn.ReLU(),
        )
        self.max_pool = None if is_small else layers.max_pool(plan.options["pool"])
        stages: list[tuple[Block, ...]] = []
        for repeats, width in zip(blocks, widths, strict=True):
            first = Block(channels, width, 2, (groups if stages else 1, groups), plan)
            stages.append((first, *(Block(width, width, 1, (groups, groups), plan) for _ in range(repeats - 1))))
            channels = width
        self.features = nn.SequentialCell([block for stage in stages for block in stage])
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.first_conv, self.max_pool) if self.max_pool else (self.first_conv,), *stages)
