"""ShuffleNetV2: its block and its network. The variants stand in ``families/shufflenet_v2.py``.

Source: Ma et al. 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", arXiv:1807.11164,
figure 3.
"""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network


class Block(nn.Cell):
    """One unit of a stage (figure 3 c and d of the paper).

    With stride 1 half of the channels pass untouched; with stride 2 both branches see the whole input. The layouts
    differ in where the channels are shuffled (``megvii``: at the start of a block, ``torchvision``: at its end) and in
    how a block of stride 2 divides its output channels between the branches.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, layout: str) -> None:
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
            x_proj, x_main = layers.channel_shuffle_split(x)
        else:
            x_proj, x_main = ops.split(x, x.shape[1] // 2, axis=1)
        conv1, norm1, relu1, depthwise, norm2, conv2, norm3, relu2 = self.branch_main
        x_main = conv1(x_main)
        x_main = layers.norm_relu_depthwise_norm(x_main, norm1, relu1, depthwise, norm2)
        if self.shuffle_first:
            return layers.norm_relu_concat(x_proj, conv2(x_main), norm3, relu2)
        return layers.norm_relu_interleave(x_proj, conv2(x_main), norm3, relu2)


class ShuffleNetV2(Network):
    """ShuffleNetV2 of one variant.

    Options: ``layout`` is ``megvii`` (mindcv's parameter names and shapes, classifier without bias) or ``torchvision``
    (both branches of a stride-2 block make half of its channels, classifier with bias). ``stem`` is ``imagenet``
    (convolution with stride 2 and max pool) or ``cifar`` (stride 1, no pool). ``pool`` is the padding of the max pool:
    ``same`` (right and bottom only, as mindcv pads) or ``pad`` (every side, as Megvii and torchvision do).
    """

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        blocks, widths = plan.variant
        layout, stem, pool = (plan.options[name] for name in ("layout", "stem", "pool"))
        channels = widths[0]
        self.first_conv = nn.SequentialCell(
            layers.conv2d(plan.in_channels, channels, 3, stride=1 if stem == "cifar" else 2, weight_init=Normal(0.01)),
            layers.batch_norm(channels),
            nn.ReLU(),
        )
        self.max_pool = None if stem == "cifar" else layers.max_pool(pool)
        stages = []
        for repeats, width in zip(blocks, widths[1:4], strict=True):
            first = Block(channels, width, 2, layout)
            stages.append((first, *(Block(width, width, 1, layout) for _ in range(repeats - 1))))
            channels = width
        self.features = nn.SequentialCell([block for stage in stages for block in stage])
        self.conv_last = nn.SequentialCell(
            layers.conv2d(channels, widths[4], 1), layers.batch_norm(widths[4]), nn.ReLU()
        )
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.first_conv, self.max_pool) if self.max_pool else (self.first_conv,), *stages)
        self.last = (self.conv_last,)
