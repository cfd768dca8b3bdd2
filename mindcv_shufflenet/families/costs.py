"""Parameters and multiply-adds of a network, layer by layer, out of its description."""

from collections.abc import Iterable
from typing import NamedTuple

from mindcv_shufflenet.families.base import Layer, Layers

# What is behind the map of the last stage.
HEAD = "head"


class Complexity(NamedTuple):
    """``parameters``: trainable ones; ``multiply_adds``: of convolutions and dense layers, for one image."""

    parameters: int
    multiply_adds: int


class LayerCost(NamedTuple):
    """A layer and what it costs.

    Attributes:
        layer: as the description has it.
        stage: whose map it contributes to; behind the last one ``head``.
        shape: of its output for one image: channels, height, width.
        cost: its own parameters and multiply-adds.
    """

    layer: Layer
    stage: str
    shape: tuple[int, int, int]
    cost: Complexity


def layer_costs(layers: Layers, image_size: int) -> list[LayerCost]:
    """Return what each layer costs for one image of ``image_size`` pixels each way, in the order of computation.

    A convolution costs (kernel area) x (input channels / groups) multiply-adds for each value of its output, a
    dense layer its input channels; BatchNorm, activations and pooling are left out, as in table 1 of
    ShuffleNetV2's paper.
    """
    found: list[LayerCost] = []
    stages = _stages(layers)
    for layer, stage in zip(layers, stages, strict=True):
        read = [found[x] for x in layer.inputs]
        size = max((one.shape[1] for one in read), default=image_size)
        size = 1 if layer.kind == "mean" else -(-size // layer.stride)
        weights, others = _parameters(layer, read[0].shape[0] if read else 0)
        cost = Complexity(weights + others, weights * size * size)
        found.append(LayerCost(layer, stage, (layer.channels, size, size), cost))
    return found


def total(costs: Iterable[Complexity]) -> Complexity:
    """Return the sum of some costs."""
    each = [*costs]
    return Complexity(sum(cost.parameters for cost in each), sum(cost.multiply_adds for cost in each))


def _parameters(layer: Layer, inputs: int) -> tuple[int, int]:
    """How many weights a layer has that each are multiplied once a pixel, and how many other trainable parameters."""
    if layer.kind in ("conv", "dense"):
        return layer.kernel**2 * inputs // layer.groups * layer.channels, layer.channels * layer.bias
    return 0, 2 * layer.channels if layer.kind == "norm" else 0


def _stages(layers: Layers) -> list[str]:
    """The stage of each layer: the next one in the order of computation whose map is named."""
    stages: list[str] = []
    stage = HEAD
    for layer in reversed(layers):
        stage = layer.stage or stage
        stages.append(stage)
    return stages[::-1]
