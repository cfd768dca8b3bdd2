"""ONNX Runtime and OpenVINO as functions from images to logits."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from mindcv_shufflenet.engines.model_file import read_model_file
from mindcv_shufflenet.engines.onnx_engine import OnnxEngine
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.engines.openvino_engine import OpenVinoEngine
from mindcv_shufflenet.engines.runtimes import RUNTIMES, target_on
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.options.names import ENGINES
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.runtime.processor import processor
from tests.engines.models import SIZE, export, foreign
from tests.small import MODEL
from tests.weights.networks import random_network

Engine = Callable[..., OnnxEngine]
COLOURS = Preprocessing(SIZE, 1.0, mean=(10.0, 100.0, 200.0), std=(20.0, 50.0, 80.0), channel_order="bgr")
GREY = Preprocessing(SIZE, 1.0, mean=(100.0,), std=(50.0,))


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request: pytest.FixtureRequest) -> Engine:
    pytest.importorskip(request.param)
    return OnnxRuntimeEngine if request.param == "onnxruntime" else partial(OpenVinoEngine, precision="fp32")


def pixels(preprocessing: Preprocessing, images: int = 5) -> np.ndarray:
    """Normalised images of whole bytes, ``[N, C, H, W] float32``."""
    shape = (images, preprocessing.channels, SIZE, SIZE)
    image = np.random.default_rng(3).integers(0, 256, shape)
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in (preprocessing.mean, preprocessing.std))
    return ((image - mean) / std).astype(np.float32)


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize(
    ("interface", "preprocessing"),
    [
        (Interface(SIZE), COLOURS),
        (Interface(SIZE, batch=1), COLOURS),
        (Interface(SIZE, batch=3), COLOURS),
        (Interface(SIZE, is_dynamic_size=True), COLOURS),
        (Interface(SIZE, normalize=COLOURS), COLOURS),
        (Interface(SIZE, batch=2, normalize=GREY), GREY),
    ],
)
def test_every_model_is_fed_the_same_images(interface: Interface, preprocessing: Preprocessing, engine: Engine) -> None:
    """Whatever batch it takes, and floats or bytes."""
    options = {**preprocessing.options(), "in_channels": preprocessing.channels}
    images = pixels(preprocessing)
    network = random_network(MODEL, num_classes=10, in_channels=preprocessing.channels)
    expected = network(ms.Tensor(images)).asnumpy()
    run = engine(export(interface, **options))
    logits = run(images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_allclose(run(images[:1]), logits[:1], atol=2e-5 * np.abs(expected).max())
    assert run(images[:0]).shape == (0, 10)


def test_probabilities_give_their_logarithm(engine: Engine) -> None:
    """A class of probability 0 has a finite one, so that the mean loss is a number."""
    images = np.zeros((2, 3, 4, 4), np.float32)
    images[:, 1], images[:, 2] = 1, -1000
    logits = engine(foreign(["n", 3, 4, 4], {"scores": ["n", 3]}, operation="Softmax"))(images)
    np.testing.assert_allclose(np.exp(logits), [[1 / (1 + np.e), np.e / (1 + np.e), 0]] * 2, atol=1e-6)
    assert np.isfinite(logits).all()


def test_every_engine_of_the_options_is_a_runtime() -> None:
    assert [*RUNTIMES] == [name for name in ENGINES if name != "mindspore"]
    assert target_on("openvino") == "openvino"
    assert target_on("onnxruntime") == processor().target


def test_openvino_tells_its_precision() -> None:
    pytest.importorskip("openvino")
    model = foreign(["n", 3, 4, 4], {"scores": ["n", 3]})
    assert OpenVinoEngine(model, precision="fp32").precision == "fp32"
    assert OpenVinoEngine(model).precision in ("fp32", "bf16", "fp16")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            foreign(["n", 3, 4, 4], {"a": ["n", 3], "b": ["n", 3]}),
            "gives a [n,3] float32, b [n,3] float32; supported: one",
        ),
        (foreign(["n", 3, 4, 6], {"a": ["n", 3]}), "the model takes picture [n,3,4,6] float32"),
        (foreign(["n", 4, 4], {"a": ["n", 3]}), "picture [n,4,4] float32"),
        (foreign(["n", 7, 4, 4], {"a": ["n", 7]}), "picture [n,7,4,4] float32"),
        (foreign(["n", 3, 4, 4], {"a": ["n", "classes"]}), "gives a [n,classes] float32"),
        (foreign(["n", 3, 4, 4], {"a": ["n", 3]}, TensorProto.INT64), "picture [n,3,4,4] int64"),
        (foreign(["n", 4, 4, 3], {"a": ["n", 3]}, TensorProto.UINT8), "does not tell their preprocessing"),
    ],
)
def test_names_and_shapes_of_a_model_that_does_not_fit_are_told(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_model_file(model)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_of_another_shape_are_refused(engine: Engine) -> None:
    run = engine(foreign(["n", 3, 4, 4], {"a": ["n", 3]}))
    with pytest.raises(UserError, match=r"the model takes images \[3, 4, 4\] and not \[3, 8, 8\]"):
        run(np.zeros((1, 3, 8, 8), np.float32))


def test_what_a_runtime_refuses_is_one_line(engine: Engine) -> None:
    unknown = foreign(["n", 3, 4, 4], {"a": ["n", 3]}, operation="Nonsense")
    with pytest.raises(UserError, match=r"cannot run the model: .*Nonsense.*; give another --engine") as caught:
        engine(unknown)
    assert "\n" not in str(caught.value)


def test_a_model_whose_batch_is_one_after_all(engine: Engine) -> None:
    """Exporters call a batch free that a shape inside the graph fixes."""
    model = foreign(["n", 3, 4, 4], {"a": ["n", 3]})
    flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
    shape = onnx.numpy_helper.from_array(np.array([1, 3]), "shape")
    model.graph.initializer.append(shape)
    flatten.CopyFrom(onnx.helper.make_node("Reshape", ["mean", "shape"], ["flat"]))
    run = engine(model)
    assert run(np.ones((1, 3, 4, 4), np.float32)).tolist() == [[1, 1, 1]]
    with pytest.raises(UserError, match="give --batch_size 1"):
        run(np.ones((2, 3, 4, 4), np.float32))


@pytest.mark.parametrize(
    ("name", "package"), [("onnxruntime", "mindcv_shufflenet"), ("openvino", "mindcv_shufflenet[openvino]")]
)
def test_a_runtime_that_is_not_installed(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    engines: dict[str, Any] = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}
    with pytest.raises(UserError) as caught:
        engines[name](foreign(["n", 3, 4, 4], {"a": ["n", 3]}))
    assert str(caught.value) == f'{name} is not installed here: pip install "{package}"'


def test_openvino_reports_nothing_home(tmp_path: Path) -> None:
    """Its package would write the user's number into this folder before it sends anything."""
    pytest.importorskip("openvino")
    program = "from mindcv_shufflenet.engines.openvino_engine import import_openvino; import_openvino()"
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not [*tmp_path.iterdir()]


def test_onnx_may_be_imported_before_mindspore() -> None:
    """Both have messages in one protobuf runtime, and MindSpore's end a process with the other one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROTOCOL_BUFFERS")}
    program = "import mindcv_shufflenet.engines.model_file, mindspore"
    assert subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True).returncode == 0
