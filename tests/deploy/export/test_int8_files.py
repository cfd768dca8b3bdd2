"""Exported int8 files: proven by ONNX's reference, and judged."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet import RunError, export
from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY, Golden
from mindcv_shufflenet.engines.onnx_engine import Session
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.engines.openvino_engine import OpenVinoEngine
from tests.deploy.export.files import OPTIONS, exported, photos


def test_an_int8_file_has_golden_outputs_of_its_own(checkpoint: Path, tmp_path: Path) -> None:
    result, model = exported(checkpoint, normalize=True, int8=True, calibration=photos(tmp_path))
    assert (result.precision, result.images) == ("int8", 8)
    assert result.int8
    assert result.int8["calibration_images"] + result.int8["held_out_images"] == 8
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(entries["mindcv_shufflenet.export"])["int8"] == result.int8
    golden = Golden.parse(entries[GOLDEN_ENTRY])
    assert (golden.source, golden.images.dtype.name) == ("ONNX's reference", "uint8")
    found = OnnxRuntimeEngine.start(model).run(golden.images)
    assert golden.error(found) < golden.tolerance
    assert golden.error({"logits": -found["logits"]}) > golden.tolerance
    _, float_model = exported(checkpoint, normalize=True)  # whose outputs are others
    assert golden.error(OnnxRuntimeEngine.start(float_model).run(golden.images)) > 1e-3


def test_one_calibration_image_is_no_other_image(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mindcv_shufflenet"):
        result, _ = exported(checkpoint, int8=True, calibration=photos(tmp_path, 1))
    assert result.int8
    assert (result.int8["calibration_images"], result.int8["held_out_images"]) == (1, 0)
    assert "few images (1)" in caplog.text


def test_int8_that_is_computed_incorrectly_here_gets_no_file(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": np.ones((len(images), 5), np.float32)}

    monkeypatch.setattr(OpenVinoEngine, "start", lambda *_: Session(run, "fp32"))
    with pytest.raises(RunError, match="the runtime for target openvino computes the int8 model incorrectly"):
        exported(checkpoint, int8=True, calibration=photos(tmp_path), target="openvino")
    assert not checkpoint.with_suffix(".onnx").exists()


def test_int8_is_judged_on_the_data_set_that_is_given(checkpoint: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "random_weights": True, "dataset": "digits", "num_samples": 20, "batch_size": 10}
    result = export(options, tmp_path / "net.onnx", int8=True, calibration=photos(tmp_path))
    assert result.int8
    assert result.int8["validation_images"] == 20
    assert abs(result.int8["top1_int8"] - result.int8["top1_float"]) <= 5  # one image
