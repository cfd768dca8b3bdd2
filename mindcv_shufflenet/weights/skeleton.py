"""The skeleton of a network: its convolutions and how they are connected, without their weights.

A description and a graph of another program are both reduced to it: the shape of each convolution's weights, and the
convolutions that it reads without another one in between.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mindcv_shufflenet.families.base import Layers
from mindcv_shufflenet.families.builder import interleaved
from mindcv_shufflenet.weights.names import parameter_shapes

# Kinds of layers that tell a network option by being there.
TELLING = ("leaky_relu", "add")
# Kinds of pools.
POOLS = ("max_pool", "avg_pool")

# The convolutions that something reads, in the order of their channels, and whether channels are reordered on every way
# from there.
Producers = dict[int, bool]


class Conv(NamedTuple):
    """A convolution: the shape of its weights, its stride, and what it reads, by position among the convolutions."""

    shape: tuple[int, ...]
    stride: int
    producers: Producers


class Skeleton(NamedTuple):
    """A network without its weights.

    Attributes:
        convs: the convolutions, in an order of computation.
        pools: the kind and the padding of each max pool and average pool.
        shuffles: the number of parts of which each reordering takes a channel in turn; 0: it is not told.
        biases: whether each dense layer has a bias.
        kinds: those of ``TELLING`` that there are.
    """

    convs: list[Conv]
    pools: list[tuple[str, str]]
    shuffles: list[int]
    biases: list[bool]
    kinds: set[str]


def reduce(layers: Layers) -> tuple[Skeleton, list[str]]:
    """Return a description's skeleton, and the name of each of its convolutions."""
    shapes = parameter_shapes(layers)
    convs: list[Conv] = []
    names: list[str] = []
    reach: list[Producers] = []
    for layer in layers:
        producers = join([reach[x] for x in layer.inputs], layer.is_reordering)
        if layer.kind == "conv":
            reach.append({len(convs): False})
            convs.append(Conv(shapes[f"{layer.name}.weight"], layer.stride, producers))
            names.append(layer.name)
        else:
            reach.append(producers)
    pools = [(layer.kind, layer.padding) for layer in layers if layer.kind in POOLS]
    shuffles = [parts_of(layer.order) for layer in layers if layer.is_reordering]
    biases = [layer.bias for layer in layers if layer.kind == "dense"]
    kinds = {layer.kind for layer in layers if layer.kind in TELLING}
    return Skeleton(convs, pools, shuffles, biases, kinds), names


def parts_of(order: Sequence[int]) -> int:
    """Return the number of equal parts of which an order takes a channel in turn; 0: it is another order."""
    parts = len(order) // order[1] if len(order) > 1 and order[1] > 1 else 0
    return parts if parts and [*order] == interleaved(len(order), parts) else 0


def join(inputs: list[Producers], is_reordering: bool) -> Producers:
    """Return what is read through several inputs: a way on which no channels are reordered goes before the others."""
    joined: Producers = {}
    for producers in inputs:
        for conv, reordered in producers.items():
            joined[conv] = (reordered or is_reordering) and joined.get(conv, True)
    return joined


def pair(graph: Skeleton, description: Skeleton) -> list[int] | None:
    """Return the position in the graph of each convolution of a description, by shape and inputs; None: one lacks."""
    waiting: dict[tuple[tuple[int, ...], frozenset[int]], list[int]] = {}
    for position, conv in enumerate(graph.convs):
        waiting.setdefault((conv.shape, frozenset(conv.producers)), []).append(position)
    place: list[int] = []
    for conv in description.convs:
        found = waiting.get((conv.shape, frozenset(place[producer] for producer in conv.producers)))
        if not found:
            return None
        place.append(found.pop(0))
    return place


def agreement(graph: Skeleton, description: Skeleton, place: list[int]) -> int:
    """Return in how many strides, orders, shuffles, pools, biases and kinds a graph and a description agree.

    Args:
        graph: its skeleton.
        description: its skeleton.
        place: as :func:`pair` returns it.
    """
    count = int(graph.pools == description.pools) - len(graph.kinds ^ description.kinds)
    for told, own in ((graph.shuffles, description.shuffles), (graph.biases, description.biases)):
        if len(told) == len(own):
            count += sum(a == b for a, b in zip(told, own, strict=True))
    for conv, position in zip(description.convs, place, strict=True):
        theirs = graph.convs[position]
        count += conv.stride == theirs.stride
        count += [place[producer] for producer in conv.producers] == [*theirs.producers]
        count += sum(theirs.producers[place[producer]] == reordered for producer, reordered in conv.producers.items())
    return count
