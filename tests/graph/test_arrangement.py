"""Arranged graphs compute the same, without shuffles, on padded channels."""

import pytest

from mindcv_shufflenet.families import FAMILIES
from mindcv_shufflenet.graph.arrangement import MOST_INPUTS, arrange, most_inputs
from mindcv_shufflenet.graph.base import Graph
from mindcv_shufflenet.graph.fold import fold_norms
from mindcv_shufflenet.graph.targets import STYLES, Style
from tests.graph.graphs import largest_error, outputs, random_graph
from tests.small import MODEL_V1

STYLE_NAMES = {
    "plain": Style(),
    "padded": Style(multiple=16),
    "blocks": STYLES["x86"],
    "each piece": Style(is_separate=True),
    "odd": Style(multiple=7, group_multiple=5, is_separate=True, overhead=9),
}
V2 = "shufflenet_v2_x0_5"
# a network of each family, and what decides how its channels are moved
NETWORKS = [
    *[(V2, options) for options in FAMILIES["ShuffleNetV2"].combinations(["layout", "se", "residual"])],
    *[(MODEL_V1, options) for options in FAMILIES["ShuffleNetV1"].combinations(["layout", "channel_shuffle"])],
    ("shufflenet_v2_plus_small", {}),
    ("mobilenet_v2_035_224", {}),
]


def shuffles(graph: Graph) -> int:
    return sum(layer.is_reordering for layer in graph.layers)


@pytest.mark.parametrize(("model", "options"), NETWORKS, ids=str)
def test_every_style_computes_the_same(model: str, options: dict) -> None:
    graph = fold_norms(random_graph(model, **options))
    wanted = outputs(graph)
    for style in STYLE_NAMES.values():
        assert largest_error(outputs(arrange(graph, style)), wanted) < 1e-12
    for shuffle in ("gather", "transpose"):
        assert largest_error(outputs(arrange(graph, STYLE_NAMES["odd"], shuffle)), wanted) < 1e-12


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
def test_maps_of_stages_keep_their_order(style: str, layout: str) -> None:
    graph = fold_norms(random_graph(V2, with_stages=True, layout=layout))
    assert largest_error(outputs(arrange(graph, STYLE_NAMES[style])), outputs(graph)) < 1e-12


@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
@pytest.mark.parametrize("se", [False, True])
def test_no_shuffle_is_left(layout: str, se: bool) -> None:
    graph = fold_norms(random_graph(V2, layout=layout, se=se))
    assert shuffles(graph) > 10
    for style in STYLE_NAMES.values():
        assert shuffles(arrange(graph, style)) == 0
    assert not [layer for layer in arrange(graph, STYLES["x86"]).layers if layer.kind == "gather"]


def test_shuffles_stay_where_pieces_would_be_many() -> None:
    graph = fold_norms(random_graph(V2, residual=True))
    arranged = arrange(graph)
    assert shuffles(arranged) == shuffles(graph)
    assert most_inputs(arranged) <= MOST_INPUTS


def test_channels_are_padded_inside_of_branches() -> None:
    graph = arrange(fold_norms(random_graph("shufflenet_v2_x1_0", layout="torchvision")), Style(multiple=16))
    depthwise = [layer for layer in graph.layers if layer.is_depthwise and ".branch_main." in layer.name]
    assert {layer.channels for layer in depthwise} == {64, 128, 240}  # 58, 116 and 232
    assert sorted(layer.channels for layer in graph.layers if layer.kind == "conv")[0] == 32  # the stem's 24


def test_shuffles_between_groups_are_gathers_of_padded_groups_behind_the_depthwise_convolution() -> None:
    graph = arrange(fold_norms(random_graph(MODEL_V1, layout="mindcv")), Style(group_multiple=16))
    for layer in graph.layers:
        if layer.is_reordering:
            source = graph.layers[layer.inputs[0]]
            assert source.is_depthwise
    expanding = [layer for layer in graph.layers if layer.groups == 3 and layer.name.endswith("branch_main_2.2")]
    widths = [graph.layers[layer.inputs[0]].channels for layer in expanding]
    assert widths == [3 * 5, 3 * 16, 3 * 16, 3 * 32]  # groups of 5, which would need too many zeros, 10, 10 and 20
