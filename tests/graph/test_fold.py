"""BatchNorm vanishes from a graph, and its outputs stay the same."""

import pytest

from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.graph.base import LOGITS, Graph
from mindcv_shufflenet.graph.fold import fold_norms
from tests.families.reference import random_arrays
from tests.graph.graphs import largest_error, outputs, random_graph
from tests.small import MODEL, MODEL_V1


@pytest.mark.parametrize("model", [MODEL, MODEL_V1, "shufflenet_v2_plus_small", "mobilenet_v2_035_224"])
def test_folded_graphs_compute_the_same(model: str) -> None:
    graph = random_graph(model, with_stages=True)
    folded = fold_norms(graph)
    assert not [layer for layer in folded.layers if layer.kind == "norm"]
    assert largest_error(outputs(folded), outputs(graph)) < 1e-6  # its weights are float32


def test_a_norm_that_does_not_stand_behind_a_convolution_of_its_own_becomes_a_convolution() -> None:
    net = Builder(3)
    conv = net.conv(0, 8, "conv", {}, kernel=3)
    norm = net.norm(conv, "norm", {}, epsilon=0.1)
    net.dense(net.mean(net.norm(net.relu(net.add("add", conv, norm)), "second", {})), 5, "classifier", {}, bias=True)
    layers = tuple(net.layers)
    graph = Graph(layers, random_arrays(layers), {LOGITS: len(layers) - 1})
    folded = fold_norms(graph)
    assert [layer.kind for layer in folded.layers].count("conv") == 3
    assert largest_error(outputs(folded), outputs(graph)) < 1e-6


def test_a_norm_behind_a_convolution_with_a_bias_and_behind_an_output() -> None:
    net = Builder(3)
    biased = net.add("conv", 0, channels=8, name="biased", kernel=3, bias=True)
    shown = net.stage(net.conv(net.norm(biased, "norm", {}), 8, "shown", {}), "stage")
    net.dense(net.mean(net.norm(shown, "second", {})), 5, "classifier", {}, bias=True)
    layers = tuple(net.layers)
    graph = Graph(layers, random_arrays(layers), {"stage": shown, LOGITS: len(layers) - 1})
    folded = fold_norms(graph)
    assert [layer.kind for layer in folded.layers] == ["input", "conv", "conv", "conv", "mean", "dense"]
    assert largest_error(outputs(folded), outputs(graph)) < 1e-6
