"""Weights under invented names, found by their place in the graph."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from mindcv_shufflenet.families import find_family, shufflenet_v2, shufflenet_v2_large
from mindcv_shufflenet.families.base import Layers
from mindcv_shufflenet.weights.load import Weights, read_weights
from mindcv_shufflenet.weights.names import Arrays
from tests.families.comparison import assert_close, images
from tests.families.reference import compute, random_arrays
from tests.small import MODEL_V1
from tests.weights.graphs import write_graph

SIZE = 32
V2, LARGE = "shufflenet_v2_of_test", "shufflenet_v2_large_of_test"
V1 = {
    name: {"layout": name, "pool": pool, "channel_shuffle": view}
    for name, pool, view in (
        ("mindcv", "same", "deinterleave"),
        ("megvii", "pad", "deinterleave"),
        ("mmpretrain", "pad", "interleave"),
        ("imgclsmob", "pad", "interleave"),
    )
}
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    *((V2, {"layout": layout, "pool": "pad"}) for layout in ("megvii", "torchvision")),
    (V2, {"layout": "megvii"}),
    (V2, {"layout": "torchvision", "stem": "cifar"}),
    (V2, {"se": True}),
    (V2, {"layout": "torchvision", "residual": True}),
    (V2, {"layout": "torchvision", "activation": "leaky_relu"}),
    (V2, {"layout": "megvii", "pool": "pad", "se": True, "residual": True}),
    *((MODEL_V1, options) for options in V1.values()),
    (MODEL_V1, V1["mindcv"] | {"stem": "cifar"}),
    (MODEL_V1, V1["megvii"] | {"stem": "cifar"}),
    (MODEL_V1, V1["megvii"] | {"channel_shuffle": "interleave"}),
    ("shufflenet_v1_g1_x0_25", {"layout": "imgclsmob"}),
    ("shufflenet_v1_g8_x0_5", {"layout": "mindcv"}),
    ("mobilenet_v1_025", {}),
    ("mobilenet_v2_035_224", {"stem": "cifar"}),
    ("shufflenet_v2_plus_small", {}),
    (LARGE, {}),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks of two families."""
    row = shufflenet_v2.Variant((2, 3), (16, 32, 64, 48))
    monkeypatch.setitem(shufflenet_v2.FAMILY.variants, V2, row)
    large = shufflenet_v2_large.Variant((8, 8, 16), (2, 1, 2, 1), (16, 32, 64, 64), 24, groups=4)
    monkeypatch.setitem(shufflenet_v2_large.FAMILY.variants, LARGE, large)


def drawn(model: str, options: dict[str, Any]) -> tuple[Layers, Arrays]:
    """A description, and weights for it."""
    layers = find_family(model).describe(model, num_classes=5, in_channels=4, **options)
    return layers, {name: value.astype(np.float32) for name, value in random_arrays(layers).items()}


def check_options(weights: Weights, model: str, options: dict[str, Any]) -> None:
    """Assert that what a graph has told, and what the family takes for granted, is how the network computes."""
    family = find_family(model)
    found = family.effective(model, weights.network_options)
    assert found == family.effective(model, options)


@pytest.mark.parametrize(("model", "options"), NETWORKS, ids=str)
def test_weights_without_names_compute_what_the_graph_does(model: str, options: dict[str, Any], tmp_path: Path) -> None:
    layers, arrays = drawn(model, options)
    path = tmp_path / "net.onnx"
    write_graph(path, layers, arrays, SIZE)
    weights = read_weights(path)
    check_options(weights, model, options)
    image = images(4, SIZE)
    (expected,) = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": image})
    found = find_family(model).describe(model, num_classes=5, in_channels=4, **weights.network_options)
    assert_close(compute(found, weights.arrays, image), expected)


@pytest.mark.parametrize(("model", "options"), NETWORKS, ids=str)
def test_weights_without_names_get_their_names(model: str, options: dict[str, Any], tmp_path: Path) -> None:
    """With BatchNorm as it is; shuffles are gathers."""
    layers, arrays = drawn(model, options)
    write_graph(tmp_path / "net.onnx", layers, arrays, SIZE, folded=False, transposed=False)
    weights = read_weights(tmp_path / "net.onnx")
    check_options(weights, model, options)
    assert weights.arrays.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], value)


def test_what_a_graph_does_not_tell_is_as_usual(tmp_path: Path) -> None:
    """A graph for images of any size computes the shapes of its views."""
    layers, arrays = drawn(MODEL_V1, V1["mmpretrain"])
    path = tmp_path / "net.onnx"
    write_graph(path, layers, arrays, SIZE)
    model = onnx.load(path)
    nodes = [*model.graph.node]
    for node in nodes:
        if node.op_type == "Reshape":
            model.graph.node.insert(0, onnx.helper.make_node("Identity", [node.input[1]], [f"{node.output[0]}_shape"]))
            node.input[1] = f"{node.output[0]}_shape"
    onnx.save(model, path)
    check_options(read_weights(path), MODEL_V1, V1["mmpretrain"])
