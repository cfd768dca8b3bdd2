"""``check``: a right runtime passes, and a file that is computed otherwise does not."""

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mindcv_shufflenet import UserError, check, export
from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY
from tests.small import MODEL


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """An exported model with random weights."""
    path = tmp_path_factory.mktemp("check") / "net.onnx"
    export({"model": MODEL, "image_resize": 32, "num_classes": 5, "random_weights": True}, path, fixed_batch=3)
    return onnx.load(path)


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_right_runtime_passes(engine: str, model: onnx.ModelProto, tmp_path: Path) -> None:
    pytest.importorskip(engine)
    result = check(save(model, tmp_path / "net.onnx"), engine=engine)
    assert result.agrees
    assert 0 <= result.error < 1e-5
    assert f"{engine} {result.version} on {result.processor} computes" in result.verdict


def test_a_weight_that_was_changed_is_seen(model: onnx.ModelProto, tmp_path: Path) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(model)
    weight = next(tensor for tensor in damaged.graph.initializer if len(tensor.dims) == 4)
    array = numpy_helper.to_array(weight).copy()
    array.flat[0] += 1
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    result = check(save(damaged, tmp_path / "net.onnx"))
    assert not result.agrees
    assert "incorrectly: its outputs differ from those of MindSpore by" in result.verdict


@pytest.mark.parametrize("softmax", [False, True])
def test_some_weights_of_an_int8_file_that_were_lost_are_seen(softmax: bool, tmp_path: Path) -> None:
    """Five percent of those of the six largest tensors; right runtimes are far below what is allowed."""
    draw = np.random.default_rng(0)
    for number in range(4):
        pixels = draw.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    path = tmp_path / "net.onnx"
    options = {"model": MODEL, "image_resize": 32, "num_classes": 5, "random_weights": True}
    export(options, path, int8=True, calibration=tmp_path, softmax=softmax)
    found = check(path)
    assert found.agrees
    assert found.error < found.tolerance / 2
    damaged = onnx.load(path)
    weights = [one for one in damaged.graph.initializer if one.data_type == TensorProto.INT8 and len(one.dims) > 1]
    for weight in sorted(weights, key=lambda one: math.prod(one.dims))[-6:]:
        array = numpy_helper.to_array(weight).copy()
        array[draw.random(array.shape) < 0.05] = 0
        weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    result = check(save(damaged, path))
    assert not result.agrees
    assert "incorrectly: its outputs differ from those of ONNX's reference by" in result.verdict
    assert "of the largest, more than the 0.12 that is allowed; take another version" in result.verdict


def test_files_that_cannot_be_checked_are_told(model: onnx.ModelProto, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        check(tmp_path / "none.onnx")
    with pytest.raises(UserError, match=r"engine=openvin: it must be one of onnxruntime, openvino \(did you mean"):
        check(tmp_path / "none.onnx", engine="openvin")
    path = save(model, tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        check(path)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    for text, message in (("{}", "cannot be used: they are damaged; export it again"), ("", "carries no golden data")):
        others = onnx.ModelProto()
        others.CopyFrom(model)
        del others.metadata_props[:]
        helper.set_model_props(others, entries | {GOLDEN_ENTRY: text} if text else {})
        with pytest.raises(UserError, match=message):
            check(save(others, path))


def test_a_file_that_the_runtime_cannot_run_is_told(model: onnx.ModelProto, tmp_path: Path) -> None:
    newer = onnx.ModelProto()
    newer.CopyFrom(model)
    newer.opset_import[0].version = 99
    with pytest.raises(UserError, match=r"onnxruntime here cannot run .*net.onnx: .*; take a newer version of it"):
        check(save(newer, tmp_path / "net.onnx"))
    assert np.isfinite(check(save(model, tmp_path / "net.onnx")).error)
