"""Graphs computed by MindSpore, and folded networks."""

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from mindcv_shufflenet import Predictor, create_model, fold
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.arrangement import Style, arrange
from mindcv_shufflenet.graph.base import Graph
from mindcv_shufflenet.graph.fold import fold_norms
from mindcv_shufflenet.graph.network import GraphNetwork
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.families.comparison import images
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import arrays_of, random_network, same

# A network of each kind of layer.
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    (MODEL, {}),
    (MODEL, {"layout": "torchvision", "pool": "pad", "activation": "leaky_relu"}),
    (MODEL, {"se": True, "residual": True, "stem": "cifar"}),
    (MODEL_V1, {"pool": "same"}),
    (MODEL_V1, {"layout": "megvii", "pool": "pad"}),
    ("mobilenet_v1_025", {}),
    ("mobilenet_v2_035_224", {}),
    ("shufflenet_v2_plus_small", {}),
]


def assert_same(found: Tensor, expected: Tensor) -> None:
    """Assert that both are equal to 1e-5 of the largest output."""
    assert found.shape == expected.shape
    assert np.abs((found - expected).asnumpy()).max() <= 1e-5 * np.abs(expected.asnumpy()).max()


@pytest.mark.parametrize(("model", "options"), NETWORKS, ids=str)
def test_a_graph_computes_what_its_network_does(model: str, options: dict[str, Any], pynative: None) -> None:
    network = random_network(model, num_classes=5, in_channels=2, **options)
    x = Tensor(images(2))
    expected = network(x)
    graph = Graph.of(network)
    for one in (graph, arrange(fold_norms(graph))):
        assert_same(GraphNetwork(one)(x), expected)


def test_zeros_among_the_channels_change_nothing(pynative: None) -> None:
    network = random_network(MODEL, num_classes=5)
    x = Tensor(images())
    padded = GraphNetwork(arrange(fold_norms(Graph.of(network)), Style(16, is_separate=True, overhead=15)))
    assert {cell.out_channels % 16 for _, cell in padded.cells_and_names() if isinstance(cell, nn.Conv2d)} == {0}
    assert_same(padded(x), network(x))


def test_a_folded_network_computes_the_same_when_it_is_compiled() -> None:
    network = random_network(MODEL, num_classes=5, se=True, residual=True)
    x = Tensor(images(size=16))
    compiled = fold(network)(x)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    assert_same(compiled, network(x))


def test_folding_leaves_no_norm_and_the_network_as_it_was(pynative: None) -> None:
    network = random_network(MODEL, num_classes=5).set_train(True)
    before = arrays_of(network)
    folded = fold(network)
    assert not [cell for _, cell in folded.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    names = [parameter.name for parameter in folded.get_parameters()]
    assert len({*names}) == len(names)
    assert {"first_conv.0.weight", "first_conv.0.bias", "classifier.weight"} <= {*names}
    for parameter in folded.get_parameters():
        parameter.set_data(ops.zeros_like(parameter))
    assert same(arrays_of(network), before)
    assert network.training


@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
def test_a_checkpoint_of_a_folded_network_loads_into_one_that_is_not(
    layout: str, tmp_path: Path, pynative: None
) -> None:
    network = random_network(MODEL, num_classes=5, layout=layout)
    save_checkpoint(fold(network), tmp_path / "folded.ckpt")
    loaded = create_model(MODEL, num_classes=5, layout=layout, checkpoint_path=tmp_path / "folded.ckpt")
    assert_same(loaded.set_train(False)(Tensor(images())), network(Tensor(images())))


def test_a_folded_network_predicts(pynative: None) -> None:
    network = random_network(MODEL, num_classes=5)
    photo = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    found, expected = (Predictor(one, image_resize=32)(photo) for one in (fold(network), network))
    assert [one.label for one in found.topk] == [one.label for one in expected.topk]
    assert np.allclose([one.score for one in found.topk], [one.score for one in expected.topk], rtol=1e-4)


def test_the_maps_of_a_network_fold_too(pynative: None) -> None:
    network = random_network(MODEL, features_only=True, out_indices=(1, 3))
    x = Tensor(images())
    found, expected = fold(network)(x), network(x)
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


def test_a_network_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match="a Dense cannot be folded"):
        fold(nn.Dense(2, 2))
