"""Shuffles moved behind layers that act on each channel by itself, some of which make the map smaller."""

from collections.abc import Sequence

import numpy as np

from mindcv_shufflenet.families.base import Layer
from mindcv_shufflenet.graph.base import Graph, Rewriter
from mindcv_shufflenet.graph.channels import Role, role_of


def sink_shuffles(graph: Graph) -> Graph:
    """Return the graph with each shuffle behind the depthwise convolutions, activations and pools that follow it.

    It moves past a layer that is its only reader and reads nothing else. Several shuffles that meet become one.
    """
    new = Rewriter(graph)
    readers = graph.readers
    orders: dict[int, Sequence[int]] = {}  # in which the output of a layer is still to be put
    for position, layer in enumerate(graph.layers):
        inputs = [new.positions[x] for x in layer.inputs]
        order = orders.get(layer.inputs[0]) if layer.inputs else None
        if layer.is_reordering:
            order, made = layer.order if order is None else [order[number] for number in layer.order], inputs[0]
        elif order is not None:
            back = np.argsort(order)
            made = new.add(layer, inputs, {kind: value[back] for kind, value in graph.own(layer).items()}, stage="")
        else:
            made = new.add(layer, inputs, graph.own(layer))
        if order is not None and _passes(graph, readers[position]):
            orders[position] = order
        elif order is not None:
            made = new.add(Layer("gather", (), len(order), order=tuple(order), stage=layer.stage), [made])
        new.positions[position] = made
    return new.finish()


def _passes(graph: Graph, readers: list[int]) -> bool:
    """Whether what reads a shuffle changes places with it."""
    if len(readers) != 1:
        return False
    (reader,) = (graph.layers[x] for x in readers)
    acts_on_each = role_of(reader, keeps_shuffles=True) is Role.PER_CHANNEL and len(reader.inputs) == 1
    return acts_on_each or reader.is_reordering
