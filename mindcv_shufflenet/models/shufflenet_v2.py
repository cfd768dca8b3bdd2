"""ShuffleNetV2: its block and its network. The variants stand in ``families/shufflenet_v2.py``.

Source: Ma et al. 2018, "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", arXiv:1807.11164,
figure 3; the appendix for squeeze-and-excitation and the shortcut.
"""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from mindcv_shufflenet.families.base import Plan
from mindcv_shufflenet.families.shufflenet_v2 import SE_REDUCTION
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.chains import run
from mindcv_shufflenet.models.stochastic_depth import ResidualBlock, add_branch


class SqueezeExcitation(nn.Cell):
    """Scale each channel by a factor that two dense layers make of the means of all channels.

    Source: Hu et al. 2018, "Squeeze-and-Excitation Networks", arXiv:1709.01507, section 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Dense(channels, channels // SE_REDUCTION, weight_init=Normal(0.01), bias_init="zeros")
        self.expand = nn.Dense(channels // SE_REDUCTION, channels, weight_init=Normal(0.01), bias_init="zeros")
        self.relu = nn.ReLU()
        self.sigmoid = nn.Sigmoid()

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, channels, H, W]`` to the same shape."""
        scale = self.sigmoid(self.expand(self.relu(self.reduce(layers.global_average(x)))))
        return x * ops.reshape(scale, (*x.shape[:2], 1, 1))


class Block(ResidualBlock):
    """One unit of a stage (figure 3 c and d of the paper).

    In a block that keeps the shape half of the channels pass untouched; in one that does not, the first of a stage,
    both branches see the whole input. The layouts differ in where the channels are shuffled (``megvii``: at the start
    of a block, ``torchvision``: at its end) and in how the first block divides its output channels between the
    branches.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: 1 or 2.
        layout: ``megvii`` or ``torchvision``.
        activation: a key of ``layers.ACTIVATIONS``.
        se: scale the output of the main branch.
        residual: then add what the main branch has read, where the block keeps the shape.
        kernel: of the depthwise convolutions.
        epsilon: of the BatchNorms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        layout: str,
        *,
        activation: str = "relu",
        se: bool = False,
        residual: bool = False,
        kernel: int = 3,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        act = layers.ACTIVATIONS[activation]
        self.shuffle_first = layout == "megvii"
        middle = main_out = out_channels // 2
        keeps_shape = stride == 1 and in_channels == out_channels
        if keeps_shape:
            main_in = in_channels // 2
            self.branch_proj = None
        else:
            main_in = in_channels
            if layout == "megvii":
                main_out = out_channels - in_channels
            proj_out = out_channels - main_out
            self.branch_proj = nn.SequentialCell(
                layers.depthwise_conv2d(in_channels, stride, kernel),
                layers.batch_norm(in_channels, epsilon),
                layers.conv2d(in_channels, proj_out, 1),
                layers.batch_norm(proj_out, epsilon),
                act(),
            )
        self.branch_main = nn.SequentialCell(
            layers.conv2d(main_in, middle, 1),
            layers.batch_norm(middle, epsilon),
            act(),
            layers.depthwise_conv2d(middle, stride, kernel),
            layers.batch_norm(middle, epsilon),
            layers.conv2d(middle, main_out, 1),
            layers.batch_norm(main_out, epsilon),
            act(),
        )
        self.se = SqueezeExcitation(main_out) if se else None
        self.is_residual = residual and keeps_shape
        self.is_plain = not se and not self.is_residual

    def construct(self, x: Tensor, path: Tensor | None = None) -> Tensor:
        """Map ``[N, in_channels, H, W]`` to ``[N, out_channels, H / stride, W / stride]``."""
        if self.computed:
            return run(self.computed, x)
        if self.branch_proj is not None:
            x_proj, x_main = self.branch_proj(x), x
        elif self.shuffle_first:
            x_proj, x_main = layers.channel_shuffle_split(x)
        else:
            x_proj, x_main = ops.split(x, x.shape[1] // 2, axis=1)
        branch = self.branch_main(x_main)
        if self.se is not None:
            branch = self.se(branch)
        if self.is_residual:
            branch = add_branch(x_main, branch, path)
        if self.shuffle_first:
            return ops.concat((x_proj, branch), axis=1)
        return layers.channel_shuffle_join(x_proj, branch)


class ShuffleNetV2(Network):
    """ShuffleNetV2 of one variant.

    Options: ``layout`` is ``megvii`` (mindcv's parameter names and shapes, classifier without bias) or ``torchvision``
    (both branches of a stage's first block make half of its channels, classifier with bias). ``stem`` is ``imagenet``
    (convolution with stride 2 and max pool) or ``cifar`` (stride 1, no pool). ``pool`` is the padding of the max pool:
    ``same`` (right and bottom only, as mindcv pads) or ``pad`` (every side, as Megvii and torchvision do).
    ``activation`` is ``relu`` or ``leaky_relu`` (slope 0.1). ``se`` and ``residual`` add squeeze-and-excitation and a
    shortcut to the main branches.
    """

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        variant = plan.variant
        stem, pool, activation = (plan.options[name] for name in ("stem", "pool", "activation"))
        act = layers.ACTIVATIONS[activation]
        cells: list[nn.Cell] = []
        channels, stride = plan.in_channels, 1 if stem == "cifar" else 2
        for width in (*variant.stem, variant.widths[0]):
            convolution = layers.conv2d(channels, width, 3, stride=stride, weight_init=Normal(0.01))
            cells += [convolution, layers.batch_norm(width, variant.epsilon), act()]
            channels, stride = width, 1
        self.first_conv = nn.SequentialCell(cells)
        has_pool = variant.has_pool and stem == "imagenet"
        self.max_pool = layers.max_pool(pool, activation) if has_pool else None
        style = {name: plan.options[name] for name in ("layout", "activation", "se", "residual")}
        style |= {"kernel": variant.kernel, "epsilon": variant.epsilon}
        stages = []
        stride = variant.first_stride
        for repeats, width in zip(variant.blocks, variant.widths[1:-1], strict=True):
            first = Block(channels, width, stride, **style)
            stages.append((first, *(Block(width, width, 1, **style) for _ in range(repeats - 1))))
            channels, stride = width, 2
        self.features = nn.SequentialCell([block for stage in stages for block in stage])
        last = variant.widths[-1]
        self.conv_last = nn.SequentialCell(
            layers.conv2d(channels, last, 1), layers.batch_norm(last, variant.epsilon), act()
        )
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.first_conv, self.max_pool) if self.max_pool else (self.first_conv,), *stages)
        self.last = (self.conv_last,)
