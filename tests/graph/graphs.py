"""Graphs of descriptions with random weights."""

from typing import Any

import numpy as np

from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.graph.base import LOGITS, Graph
from tests.families.reference import maps, random_arrays


def random_graph(model: str, *, with_stages: bool = False, **options: Any) -> Graph:
    """The graph of a model whose every parameter matters, with the maps of its stages among its outputs or without."""
    layers = find_family(model).describe(model, num_classes=10, **options)
    stages = {layer.stage: position for position, layer in enumerate(layers) if layer.stage} if with_stages else {}
    return Graph(layers, random_arrays(layers), stages | {LOGITS: len(layers) - 1})


def outputs(graph: Graph, size: int = 32) -> dict[str, np.ndarray]:
    """The outputs of a graph for two fixed images of noise, in float64 where the weights are."""
    images = np.random.default_rng(3).normal(size=(2, graph.layers[0].channels, size, size))
    found = maps(graph.layers, graph.arrays, images)
    return {name: found[position] for name, position in graph.outputs.items()}


def largest_error(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """The largest difference of any output, relative to the largest number in it."""
    assert found.keys() == wanted.keys()
    return max(np.abs(found[name] - wanted[name]).max() / np.abs(wanted[name]).max() for name in wanted)
