"""BatchNorm folded into the convolutions."""

from dataclasses import replace

import numpy as np

from mindcv_shufflenet.families.base import Layer
from mindcv_shufflenet.graph.base import Graph, Rewriter
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays


def fold_norms(graph: Graph) -> Graph:
    """Return the graph without BatchNorm: its scale goes into the convolution in front of it, its shift into a bias.

    A BatchNorm that stands behind anything else than a convolution of its own becomes a depthwise 1x1 convolution. The
    products are computed in float64 and rounded once.
    """
    new = Rewriter(graph)
    folded = _folded(graph)
    for position, layer in enumerate(graph.layers):
        if position in folded.values():
            continue  # the norm behind it takes its place
        own = graph.own(layer)
        if position in folded:
            conv = graph.layers[folded[position]]
            layer, own = replace(conv, bias=True, stage=layer.stage), _folded_parameters(graph.own(conv), layer, own)
        elif layer.kind == "norm":
            identity = {"weight": np.ones((layer.channels, 1, 1, 1))}
            conv = Layer("conv", layer.inputs, layer.channels, layer.name, groups=layer.channels)
            layer, own = replace(conv, bias=True, stage=layer.stage), _folded_parameters(identity, layer, own)
        new.positions[position] = new.add(layer, [new.positions[x] for x in layer.inputs], own)
    return new.finish()


def _folded(graph: Graph) -> dict[int, int]:
    """The convolution that each BatchNorm is folded into: one that it alone reads, and that is no output."""
    readers = graph.readers
    return {
        position: x
        for position, layer in enumerate(graph.layers)
        for x in layer.inputs
        if layer.kind == "norm" and graph.layers[x].kind == "conv"
        if readers[x] == [position] and x not in graph.outputs.values()
    }


def _folded_parameters(conv: Arrays, norm: Layer, own: Arrays) -> Arrays:
    """The parameters of a convolution with those of the BatchNorm behind it."""
    gamma, beta, mean, variance = (own[kind].astype(np.float64) for kind in NORM_PARAMETERS)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    weight, bias = conv["weight"] * scale[:, None, None, None], (conv.get("bias", 0) - mean) * scale + beta
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
