"""int8: close to float, of the types that a target wants, and in float where it has to be."""

import json
import tempfile
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest
from mindspore import Tensor
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from mindcv_shufflenet import create_model
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.deploy.int8.activations import Distribution, distributions
from mindcv_shufflenet.deploy.int8.bias_correction import correct_biases
from mindcv_shufflenet.deploy.int8.calibration import Calibration, open_calibration
from mindcv_shufflenet.deploy.int8.quantize import METHODS, _Search, quantize
from mindcv_shufflenet.engines import Forward
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.engines.openvino_engine import OpenVinoEngine
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.onnx_weights import read_graph
from tests.small import MODEL, MODEL_V1

TRANSFORM = create_transform(Preprocessing(image_resize=32))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images in two folders."""
    folder = tmp_path_factory.mktemp("images")
    numbers = np.random.default_rng(0)
    for number in range(12):
        file = folder / str(number % 2) / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        colours = numbers.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((40, 40), Image.Resampling.BICUBIC).save(file)
    return folder


@pytest.fixture
def calibration(images: Path) -> Calibration:
    return open_calibration(images, TRANSFORM, 1000)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return small_model()


def small_model(opset: int = 17, name: str = MODEL, target: str = "x86-vnni") -> onnx.ModelProto:
    """A small variant whose numbers neither vanish nor grow from layer to layer."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    network = create_model(name, num_classes=10)
    numbers = np.random.default_rng(0)
    for parameter in network.get_parameters():
        if parameter.name.endswith(".weight"):
            spread = np.sqrt(2 / np.prod(parameter.shape[1:]))
            parameter.set_data(Tensor(numbers.normal(0, spread, parameter.shape).astype(np.float32)))
    model = onnx_model(network, Interface(32), opset=opset, target=target)
    model.metadata_props.add(key="model", value=name)
    return model


def three_layers() -> onnx.ModelProto:
    """Two convolutions and a classifier."""
    numbers = np.random.default_rng(0)
    shapes = {"a": (8, 3, 3, 3), "b": (16, 8, 1, 1), "c": (10, 16)}
    own = [
        numpy_helper.from_array(numbers.normal(0, 0.3, shape).astype(np.float32), f"{layer}.{kind}")
        for layer, weight in shapes.items()
        for kind, shape in (("weight", weight), ("bias", weight[:1]))
    ]
    nodes = [
        helper.make_node("Conv", ["image", "a.weight", "a.bias"], ["a"], name="a"),
        helper.make_node("Relu", ["a"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "b.weight", "b.bias"], ["b"], name="b"),
        helper.make_node("GlobalAveragePool", ["b"], ["mean"], name="mean"),
        helper.make_node("Flatten", ["mean"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "c.weight", "c.bias"], ["logits"], name="c", transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "three_layers", [image], [logits], own)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def zero_points(model: onnx.ModelProto, operation: str) -> list[np.ndarray]:
    """The zero points of activations or of what is dequantised."""
    values = constants(model)
    return [values[node.input[2]] for node in model.graph.node if node.op_type == operation]


@pytest.mark.parametrize(
    ("target", "activations"),
    [
        ("x86", {"uint8"}),
        ("x86-vnni", {"uint8"}),
        ("arm", {"int8"}),
        ("openvino", {"uint8", "int8"}),
    ],
)
def test_int8_is_near_to_float(
    model: onnx.ModelProto, calibration: Calibration, target: str, activations: set[str]
) -> None:
    found = quantize(model, calibration, target)
    onnx.checker.check_model(found.model, full_check=True)
    assert found.excluded == ()
    assert found.method in METHODS
    assert (found.calibrated_on, found.measured_on) == (9, 3)
    assert 0 < found.error.divergence < 0.02
    json.dumps(found.settings())
    assert {str(point.dtype) for point in zero_points(found.model, "QuantizeLinear")} == activations
    weights = [value for name, value in constants(found.model).items() if name.endswith("weight_quantized")]
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(weights) == len(convolutions)
    assert {str(weight.dtype) for weight in weights} == {"int8"}
    assert max(abs(weight.astype(int)).max() for weight in weights) == (64 if target == "x86" else 127)
    # one scale for each channel
    scales = {name: value for name, value in constants(found.model).items() if name.endswith("weight_scale")}
    assert all(np.size(scale) > 1 for scale in scales.values())


def test_openvino_has_no_zero_points_to_correct(model: onnx.ModelProto, calibration: Calibration) -> None:
    """Signed numbers lie around zero, the others start there: sums of products need no correction."""
    found = quantize(model, calibration, "openvino").model
    assert all(not point.any() for point in zero_points(found, "QuantizeLinear"))
    unsigned = quantize(model, calibration, "x86-vnni").model
    assert any(point.any() for point in zero_points(unsigned, "QuantizeLinear"))


def test_openvino_computes_convolutions_with_groups_in_float(calibration: Calibration) -> None:
    """OpenVINO 2026.4.1 gives other numbers than ONNX's reference where they are int8."""
    model = small_model(19, MODEL_V1, "openvino")
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    groups = {
        node.name: attribute.i for node in model.graph.node for attribute in node.attribute if attribute.name == "group"
    }
    inputs = {node.name: shapes[node.input[1]][1] for node in model.graph.node if node.name in groups}
    wanted = {name for name, number in groups.items() if number > 1 and inputs[name] > 1}
    found = quantize(model, calibration, "openvino")
    assert wanted
    made = wanted | {node.output[0] for node in model.graph.node if node.op_type == "Relu" and node.input[0] in wanted}
    readers = {node.name for node in model.graph.node if node.name in groups and node.input[0] in made}
    assert {*found.excluded} == wanted | readers
    assert len(found.excluded) < len(groups)
    images = next(calibration.batches(calibration.held_out))
    (expected,) = ReferenceEvaluator(found.model).run(None, {"image": images})
    actual = OpenVinoEngine(found.model, precision="fp32")(images)
    assert np.abs(actual - expected).max() < 0.05 * np.abs(expected).max()


def test_the_model_keeps_what_it_says_of_itself(model: onnx.ModelProto, calibration: Calibration) -> None:
    found = quantize(model, calibration, "x86-vnni").model
    assert [*found.metadata_props] == [*model.metadata_props]
    assert (found.ir_version, found.producer_name) == (model.ir_version, model.producer_name)
    assert [*found.graph.input] == [*model.graph.input]
    assert [*found.graph.output] == [*model.graph.output]
    assert len(found.SerializeToString()) < 0.5 * len(model.SerializeToString())


def test_onnx_runtime_computes_what_the_file_says(calibration: Calibration) -> None:
    found = quantize(small_model(19), calibration, "x86-vnni").model  # onnx computes no older DequantizeLinear
    image = next(calibration.batches(calibration.held_out))[:1]
    (expected,) = ReferenceEvaluator(found).run(None, {"image": image})
    assert isinstance(expected, np.ndarray)
    np.testing.assert_allclose(OnnxRuntimeEngine(found)(image), expected, atol=0.02 * abs(expected).max())


def test_layers_stay_float_until_enough_images_are_right(
    calibration: Calibration, caplog: pytest.LogCaptureFixture
) -> None:
    right = [90, 50, 60, 89]  # of the float model, of int8, of int8 with one and with two layers in float

    def judge(_: Forward) -> Metrics:
        return Metrics(images=100, correct1=right.pop(0), correct5=100, losses=[0.0] * 100)

    found = quantize(three_layers(), calibration, "x86-vnni", judge)
    assert right == []
    assert found.before
    assert found.before.top1 == 90
    assert found.after
    assert found.after.top1 == 89
    assert len(found.excluded) == 2
    assert found.settings()["float_layers"] == [*found.excluded]
    kinds = {name: value.dtype for name, value in constants(found.model).items()}
    assert {name for name in "abc" if kinds.get(f"{name}.weight") == np.float32} == {*found.excluded}
    assert caplog.text == ""


def test_onnx_runtime_leaves_float_layers_float(calibration: Calibration) -> None:
    """Between quantised values it would compute them in int8, with one scale for all weights."""
    model = small_model(19)
    groups = {node.name: one.i for node in model.graph.node for one in node.attribute if one.name == "group"}
    for layers in ([name for name, number in groups.items() if number > 1], [*groups][1:9:2]):
        found = _Search(model, calibration, "x86-vnni", None)._attempt("minmax", layers)
        assert {*layers} < {*found.excluded}
        image = next(calibration.batches(calibration.held_out))[:1]
        (expected,) = ReferenceEvaluator(found.model).run(None, {"image": image})
        assert isinstance(expected, np.ndarray)
        options = onnxruntime.SessionOptions()
        with tempfile.TemporaryDirectory() as folder:
            options.optimized_model_filepath = f"{folder}/optimized.onnx"
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            session = onnxruntime.InferenceSession(found.model.SerializeToString(), options)
            optimized = onnx.load(f"{folder}/optimized.onnx")
        error = np.abs(np.asarray(session.run(None, {"image": image})[0]) - expected).max()
        assert error < 0.02 * np.abs(expected).max()
        kinds = {name: value.dtype for name, value in constants(optimized).items()}
        weights = {node.output[0]: node.input[1] for node in optimized.graph.node if node.op_type == "Conv"}
        assert {kinds.get(weights[name]) for name in layers} == {np.dtype("float32")}


def test_a_model_that_stays_outside_the_bounds_is_told_of(
    calibration: Calibration, caplog: pytest.LogCaptureFixture
) -> None:
    accuracies = iter([90])

    def judge(_: Forward) -> Metrics:
        return Metrics(images=100, correct1=next(accuracies, 10), correct5=100, losses=[0.0] * 100)

    found = quantize(three_layers(), calibration, "x86-vnni", judge)
    assert found.after
    assert found.after.top1 == 10
    assert "give more calibration images" in caplog.text


def test_biases_take_back_what_rounding_adds(calibration: Calibration) -> None:
    model = three_layers()
    quantized = quantize(model, calibration, "x86").model
    values = distributions(model, calibration.batches(calibration.images))
    means = {name: one.means for name, one in values.items()}
    corrected = constants(correct_biases(model, quantized, means))
    exact, (rounded, _) = constants(model), read_graph(quantized.graph)
    for x, weight, bias in (("relu", "b.weight", "b.bias"), ("flat", "c.weight", "c.bias")):
        lost = (exact[weight] - rounded[weight]).reshape(exact[weight].shape[:2]) @ means[x]
        assert abs(lost).max() > 1e-3
        np.testing.assert_allclose(corrected[bias] - exact[bias], lost, atol=1e-6)


def test_openvino_runs_it(model: onnx.ModelProto, calibration: Calibration) -> None:
    pytest.importorskip("openvino")
    assert quantize(model, calibration, "openvino").error.divergence < 0.02


@pytest.mark.parametrize("percent", [100, 99.9, 90])
def test_ranges_of_numbers_that_come_in_parts(percent: float) -> None:
    numbers = np.random.default_rng(0).standard_normal((64, 3, 50, 50)).astype(np.float32)
    numbers[:, 1] *= np.linspace(0.1, 4, 64, dtype=np.float32)[:, None, None]  # later parts have larger numbers
    distribution = Distribution()
    for part in np.split(numbers, 8):
        distribution.add(part)
    outside = (100 - percent) / 2
    expected = np.percentile(numbers, [outside, 100 - outside])
    np.testing.assert_allclose(distribution.range_of(percent), expected, atol=0.03)
    np.testing.assert_allclose(distribution.means, numbers.mean(axis=(0, 2, 3)), atol=1e-5)
    assert distribution.low == numbers.min()
    assert distribution.high == numbers.max()


def test_numbers_that_are_all_zero() -> None:
    distribution = Distribution()
    distribution.add(np.zeros((1, 2, 3, 3), np.float32))
    assert distribution.range_of(99.99) == (0, 0)


def test_every_fourth_image_is_held_back(images: Path) -> None:
    calibration = open_calibration(images, TRANSFORM, 1000)
    files = sorted([*calibration.images, *calibration.held_out])
    assert files == sorted(images.rglob("*.png"))
    assert [*calibration.held_out] == [files[3], files[7], files[11]]
    assert [len(batch) for batch in calibration.batches(calibration.images)] == [8, 1]


def test_of_many_images_some_are_taken_evenly(images: Path) -> None:
    calibration = open_calibration(images, TRANSFORM, 4)
    files = sorted(images.rglob("*.png"))
    assert [*calibration.images, *calibration.held_out] == files[::3]


def test_one_image_is_used_for_both(images: Path) -> None:
    one = images / "0" / "0.png"
    calibration = open_calibration(one, TRANSFORM, 1000)
    assert [*calibration.images] == [*calibration.held_out] == [one]


def test_images_that_are_none(tmp_path: Path, model: onnx.ModelProto) -> None:
    with pytest.raises(UserError, match="no images in"):
        open_calibration(tmp_path, TRANSFORM, 1000)
    (tmp_path / "damaged.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"damaged\.png"):
        quantize(model, open_calibration(tmp_path, TRANSFORM, 1000), "x86")
