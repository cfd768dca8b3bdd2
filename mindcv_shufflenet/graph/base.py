"""A graph: the description of a network together with its weights.

Each rewriting of this room takes a graph and returns one that computes the same: ``fold.py``, ``arrangement.py``.
``onnx.py`` writes a graph, ``network.py`` computes one on MindSpore.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from mindspore import nn

from mindcv_shufflenet.families.base import Layer, Layers
from mindcv_shufflenet.models.base import FeatureExtractor
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays

# No parameters.
NONE: Mapping[str, np.ndarray] = MappingProxyType({})
# The output of a network that has one.
LOGITS = "logits"


@dataclass(frozen=True, eq=False)
class Graph:
    """A description and what it computes with.

    Attributes:
        layers: the description. A convolution may have a bias here.
        arrays: the parameters of its layers under MindSpore's names, float32.
        outputs: the positions of the layers whose outputs are the graph's, by the outputs' names.
    """

    layers: Layers
    arrays: Arrays
    outputs: dict[str, int]

    @classmethod
    def of(cls, network: nn.Cell) -> Self:
        """Return the graph of a network in inference; that of a :class:`FeatureExtractor` gives its maps."""
        layers = network.plan.layers
        arrays = {parameter.name: parameter.asnumpy().astype(np.float32) for parameter in network.get_parameters()}
        if isinstance(network, FeatureExtractor):
            names = {info.name for info in network.feature_info}
            outputs = {layer.stage: position for position, layer in enumerate(layers) if layer.stage in names}
        else:
            outputs = {LOGITS: len(layers) - 1}
        return cls(layers[: max(outputs.values()) + 1], arrays, outputs)

    def parameter(self, layer: Layer, kind: str) -> np.ndarray:
        """Return a parameter of a layer: ``weight``, ``bias``, ..."""
        return self.arrays[f"{layer.name}.{kind}"]

    def own(self, layer: Layer) -> Arrays:
        """Return the parameters of a layer by kind: ``weight``, ``bias``, ``gamma``, ..."""
        kinds = ("weight", "bias", *NORM_PARAMETERS)
        return {kind: self.arrays[f"{layer.name}.{kind}"] for kind in kinds if f"{layer.name}.{kind}" in self.arrays}

    @property
    def readers(self) -> list[list[int]]:
        """The positions of the layers that read the output of each layer."""
        found: list[list[int]] = [[] for _ in self.layers]
        for position, layer in enumerate(self.layers):
            for x in layer.inputs:
                found[x].append(position)
        return found


class Rewriter:
    """Builds a graph out of another one, layer by layer.

    Args:
        graph: the one that is rewritten.

    Attributes:
        graph: the same.
        layers: those of the new graph so far.
        arrays: the parameters of the new graph so far.
        positions: for each layer of the old graph, the position in the new one of what has its output.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers: list[Layer] = []
        self.arrays: Arrays = {}
        self.positions: dict[int, int] = {}

    def add(
        self, layer: Layer, inputs: Sequence[int], parameters: Mapping[str, np.ndarray] = NONE, stage: str | None = None
    ) -> int:
        """Add a layer.

        Args:
            layer: its inputs are those of the old graph.
            inputs: positions in the new graph of what it reads.
            parameters: its parameters by kind.
            stage: whose map it makes; None: that of ``layer``.

        Returns:
            Its position.
        """
        self.arrays |= {f"{layer.name}.{kind}": value for kind, value in parameters.items()}
        changes: dict[str, Any] = {"inputs": tuple(inputs)} | ({} if stage is None else {"stage": stage})
        self.layers.append(replace(layer, **changes))
        return len(self.layers) - 1

    def finish(self) -> Graph:
        """Return the new graph."""
        outputs = {name: self.positions[position] for name, position in self.graph.outputs.items()}
        return Graph(tuple(self.layers), self.arrays, outputs)
