"""Shuffles move behind what acts on each channel by itself."""

from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.graph.base import LOGITS, Graph
from mindcv_shufflenet.graph.sinking import sink_shuffles
from tests.families.reference import random_arrays
from tests.graph.graphs import largest_error, outputs


def sunk(net: Builder) -> tuple[Graph, list[str]]:
    net.dense(net.mean(net.conv(len(net.layers) - 1, 4, "last", {})), 5, "classifier", {}, bias=True)
    layers = tuple(net.layers)
    graph = Graph(layers, random_arrays(layers), {LOGITS: len(layers) - 1})
    found = sink_shuffles(graph)
    assert largest_error(outputs(found), outputs(graph)) < 1e-12
    return found, [layer.kind for layer in found.layers[1:-3]]


def test_a_shuffle_moves_behind_depthwise_convolutions_activations_and_pools() -> None:
    net = Builder(3)
    x = net.shuffle(net.conv(0, 6, "made", {}), 3)
    x = net.relu(net.conv(x, 6, "depthwise", {}, kernel=3, stride=2, groups=6))
    net.pool("max_pool", x, 3, 2, "pad")
    assert sunk(net)[1] == ["conv", "conv", "relu", "max_pool", "gather"]


def test_two_shuffles_that_meet_become_one() -> None:
    net = Builder(3)
    net.shuffle(net.relu(net.shuffle(net.conv(0, 6, "made", {}), 3)), 3)
    graph, kinds = sunk(net)
    assert kinds == ["conv", "relu", "gather"]
    assert graph.layers[3].order == (0, 4, 3, 2, 1, 5)


def test_a_shuffle_that_others_read_stays() -> None:
    net = Builder(3)
    x = net.shuffle(net.conv(0, 6, "made", {}), 3)
    net.add("add", net.relu(x), x)
    assert sunk(net)[1] == ["conv", "gather", "relu", "add"]
