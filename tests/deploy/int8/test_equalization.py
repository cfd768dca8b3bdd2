"""Equalised channels: the same function, with ranges that suit one scale."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mindcv_shufflenet.deploy.int8.activations import Distribution, distributions
from mindcv_shufflenet.deploy.int8.equalization import equalized
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.graph.arrangement import arrange
from mindcv_shufflenet.graph.base import Graph
from mindcv_shufflenet.graph.fold import fold_norms
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.onnx import write_model
from mindcv_shufflenet.graph.targets import STYLES
from tests.graph.graphs import random_graph
from tests.small import MODEL, MODEL_V1

IMAGES = np.random.default_rng(1).standard_normal((4, 3, 64, 64), np.float32)


def folded(model: str, **options: Any) -> Graph:
    """A graph with random weights in float32."""
    graph = random_graph(model, **options)
    arrays = {name: array.astype(np.float32) for name, array in graph.arrays.items()}
    return fold_norms(Graph(graph.layers, arrays, graph.outputs))


def exported(model: str, target: str, shuffle: str = "pieces", **options: Any) -> onnx.ModelProto:
    graph = arrange(folded(model, **options), STYLES[target], shuffle)
    return write_model(graph, Interface(64), 17, STYLES[target].kept_shuffle(shuffle))


def spread(model: onnx.ModelProto, values: dict[str, Distribution], operations: tuple[str, ...]) -> float:
    """How many times as large as a channel its tensor is, the median of all channels that some operations make."""
    found = []
    for node in model.graph.node:
        if node.op_type in operations and node.output[0] in values:
            value = values[node.output[0]]
            reach = np.maximum(-value.lows, value.highs)
            found += [*(reach.max() / reach[reach > 0])]
    return float(np.median(found))


@pytest.mark.parametrize(
    ("model", "target", "shuffle", "options"),
    [
        (MODEL, "openvino", "pieces", {}),
        (MODEL, "x86", "pieces", {"layout": "megvii"}),
        (MODEL, "x86", "gather", {}),
        (MODEL, "x86", "transpose", {}),
        (MODEL, "arm", "pieces", {"se": True, "residual": True}),
        (MODEL, "arm", "pieces", {"activation": "leaky_relu"}),
        (MODEL_V1, "x86", "pieces", {}),
        (MODEL_V1, "openvino", "pieces", {}),
        ("mobilenet_v1_025", "x86", "pieces", {}),
        ("mobilenet_v2_075", "x86", "pieces", {}),
        ("shufflenet_v2_plus_small", "x86", "pieces", {}),
    ],
)
def test_the_function_stays_the_same(model: str, target: str, shuffle: str, options: dict[str, Any]) -> None:
    original = exported(model, target, shuffle, **options)
    wanted = OnnxRuntimeEngine(original)(IMAGES)
    found = equalized(original, distributions(original, [IMAGES]))
    onnx.checker.check_model(found, full_check=True)
    assert np.abs(OnnxRuntimeEngine(found)(IMAGES) - wanted).max() < 1e-5 * np.abs(wanted).max()
    is_changed = [a != b for a, b in zip(original.graph.initializer, found.graph.initializer, strict=True)]
    assert any(is_changed)


def test_channels_fill_the_range_of_their_tensor() -> None:
    original = exported(MODEL, "openvino")
    before = distributions(original, [IMAGES])
    found = equalized(original, before)
    after = distributions(found, [IMAGES])
    assert spread(found, after, ("Relu",)) < 0.8 * spread(original, before, ("Relu",))
    # what only depthwise convolutions read fills it exactly: their weights have scales of their own
    value = after["features.0.branch_main.0.relu"]
    np.testing.assert_allclose(value.highs[value.highs > 0], value.highs.max(), rtol=1e-3)
    # the numbers in front of a pointwise convolution have zero in the middle
    centred = after["features.0.branch_main.3"]
    np.testing.assert_allclose(-centred.lows, centred.highs, atol=1e-3 * centred.highs.max())
    assert not np.allclose(-before["features.0.branch_main.3"].lows, before["features.0.branch_main.3"].highs, rtol=0.1)


def test_a_channel_that_reaches_farther_is_divided() -> None:
    graph = folded(MODEL)
    name = "features.0.branch_main.3"
    weight, bias = (graph.arrays[f"{name}.{kind}"] for kind in ("weight", "bias"))
    weight[0], bias[0] = weight[0] * 50, bias[0] * 50
    original = write_model(arrange(graph, STYLES["arm"], "pieces"), Interface(64), 17)
    before = distributions(original, [IMAGES])
    after = distributions(equalized(original, before), [IMAGES])
    spreads = [spread(original, {name: values[name]}, ("Conv",)) for values in (before, after)]
    assert spreads[0] > 20
    assert spreads[1] < spreads[0] / 3


def test_a_channel_that_was_hardly_seen_grows_within_bounds() -> None:
    """On other images it may reach farther, and would be clipped."""
    graph = folded(MODEL)
    name = "features.0.branch_main.0"  # only a depthwise convolution reads it
    weight, bias = (graph.arrays[f"{name}.{kind}"] for kind in ("weight", "bias"))
    weight[0], bias[0] = weight[0] * 1e-6, np.abs(bias[0]) * 1e-6
    original = write_model(arrange(graph, STYLES["arm"], "pieces"), Interface(64), 17)
    found = equalized(original, distributions(original, [IMAGES]))
    weights = [
        next(numpy_helper.to_array(one) for one in model.graph.initializer if one.name == f"{name}.weight")
        for model in (original, found)
    ]
    assert np.abs(weights[1][0]).max() < 200 * np.abs(weights[0][0]).max()
