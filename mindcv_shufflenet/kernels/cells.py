"""Cells that compute several others by one kernel. They hold the cells that they stand for, with their parameters."""

import mindspore as ms
from mindspore import Parameter, Tensor, nn

from mindcv_shufflenet.kernels import operators

# What the operators read of a BatchNorm: settings, gamma, beta, moving mean and variance.
NormTensors = tuple[Tensor, Parameter, Parameter, Parameter, Parameter]
# The settings of a BatchNorm that normalises by its moving statistics, and of one that normalises by the batch's.
Settings = tuple[Tensor, Tensor]


def activation_number(cell: nn.Cell | None) -> int | None:
    """Return the number that the kernels know an activation by, None for one that they do not have."""
    if cell is None:
        return operators.LINEAR
    if type(cell) is nn.LeakyReLU:
        return operators.LEAKY_RELU if cell.alpha == 0.1 else None
    numbers = {nn.ReLU: operators.RELU, nn.ReLU6: operators.RELU6, nn.HSwish: operators.HARD_SWISH}
    return numbers.get(type(cell))


def _settings(norm: nn.BatchNorm2d, activation: nn.Cell | None = None) -> Settings:
    number = activation_number(activation)
    assert number is not None
    # `momentum` of MindSpore's cell is 1 minus the argument of that name: the share of the new statistics
    by_moving, by_batch = (operators.norm_settings(norm.eps, norm.momentum, number, trains) for trains in (False, True))
    return by_moving, by_batch


def norm_tensors(norm: nn.BatchNorm2d, settings: Settings) -> NormTensors:
    """Return what the operators read of a BatchNorm."""
    by_batch = norm.training if norm.use_batch_statistics is None else norm.use_batch_statistics
    return settings[1] if by_batch else settings[0], norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance


def _given(cell: nn.Cell | None) -> tuple[nn.Cell, ...]:
    return () if cell is None else (cell,)


class Fused(nn.Cell):
    """The base of these cells. They compute in float32, in a network of any precision.

    Inputs: what the first part reads, ``[N, C, H, W] float32``. Outputs: what the last one gives, likewise.

    Args:
        parts: what it computes, in order.
    """

    def __init__(self, *parts: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.to_float(ms.float32)
        self.parts = parts
        for number, part in enumerate(parts):
            self.insert_child_to_cell(f"part_{number}", part)


class NormActivation(Fused):
    """BatchNorm, with an activation or without."""

    def __init__(self, norm: nn.BatchNorm2d, activation: nn.Cell | None = None) -> None:
        super().__init__(norm, *_given(activation))
        self.settings = _settings(norm, activation)
        self.operator = operators.norm()

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, *norm_tensors(self.parts[0], self.settings))[0]


class NormMaxPool(Fused):
    """BatchNorm, ReLU and a max pool."""

    def __init__(self, norm: nn.BatchNorm2d, activation: nn.Cell, pool: nn.Cell, padding: str) -> None:
        super().__init__(norm, activation, pool)
        self.settings = _settings(norm, activation)
        self.operator = operators.norm_max_pool(padding)

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, *norm_tensors(self.parts[0], self.settings))[0]


class DepthwiseNorm(Fused):
    """A depthwise convolution and BatchNorm, with an activation or without."""

    def __init__(self, depthwise: nn.Conv2d, norm: nn.BatchNorm2d, activation: nn.Cell | None = None) -> None:
        super().__init__(depthwise, norm, *_given(activation))
        self.settings = _settings(norm, activation)
        self.operator = operators.depthwise_norm(depthwise.stride[0])

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, self.parts[0].weight, *norm_tensors(self.parts[1], self.settings))[0]


class NormDepthwiseNorm(Fused):
    """BatchNorm and activation, a depthwise convolution, and BatchNorm, with an activation or without."""

    def __init__(
        self,
        norm: nn.BatchNorm2d,
        activation: nn.Cell,
        depthwise: nn.Conv2d,
        norm_after: nn.BatchNorm2d,
        activation_after: nn.Cell | None = None,
    ) -> None:
        super().__init__(norm, activation, depthwise, norm_after, *_given(activation_after))
        self.settings = _settings(norm, activation)
        self.settings_after = _settings(norm_after, activation_after)
        self.operator = operators.norm_depthwise_norm(depthwise.stride[0])

    def construct(self, x: Tensor) -> Tensor:
        before = norm_tensors(self.parts[0], self.settings)
        after = norm_tensors(self.parts[3], self.settings_after)
        return self.operator(x, *before, self.parts[2].weight, *after)[0]


class Pointwise(Fused):
    """A 1x1 convolution."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.operator = operators.pointwise()

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, self.parts[0].weight)


class FirstConvolution(Fused):
    """A convolution of few channels."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        self.operator = operators.convolution(conv.out_channels, conv.kernel_size[0], conv.stride[0])

    def construct(self, x: Tensor) -> Tensor:
        return self.operator(x, self.parts[0].weight)


class ShuffleBlock(Fused):
    """A block of ShuffleNetV2 that keeps the shape.

    Args:
        layout: ``megvii`` or ``torchvision``.
        parts: of the main branch: convolution, norm, activation, depthwise convolution, norm, convolution, norm,
            activation.
    """

    def __init__(self, layout: str, *parts: nn.Cell) -> None:
        super().__init__(*parts)
        _, norm1, activation, _, norm2, _, norm3, _ = parts
        self.settings1, self.settings2 = _settings(norm1, activation), _settings(norm2)
        self.settings3 = _settings(norm3, activation)
        self.operator = operators.shuffle_block(layout)

    def construct(self, x: Tensor) -> Tensor:
        conv1, norm1, _, depthwise, norm2, conv2, norm3, _ = self.parts
        first, second = norm_tensors(norm1, self.settings1), norm_tensors(norm2, self.settings2)
        third = norm_tensors(norm3, self.settings3)
        return self.operator(x, conv1.weight, *first, depthwise.weight, *second, conv2.weight, *third)[0]
