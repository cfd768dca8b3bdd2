"""int8 on photographs of ImageNet: as many right as in float32, on images other than those it was calibrated on."""

from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet import evaluate, export


@pytest.fixture(scope="module")
def halves(imagenet_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two data sets of every other class."""
    folder = tmp_path_factory.mktemp("halves")
    classes = sorted((imagenet_sample / "val").iterdir())
    found = [folder / "even", folder / "odd"]
    for number, half in enumerate(found):
        (half / "val").mkdir(parents=True)
        (half / "synsets.txt").symlink_to(imagenet_sample / "synsets.txt")
        for one in classes[number::2]:
            (half / "val" / one.name).symlink_to(one)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("target", "engine"), [("x86-vnni", "onnxruntime"), ("openvino", "openvino")])
def test_int8_has_as_many_right_as_float(
    target: str, engine: str, halves: list[Path], shared: Path, tmp_path: Path
) -> None:
    """Each half calibrates and the other one judges: one image more or less of fifty."""
    pytest.importorskip(engine)
    weights = shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz"
    tagged = {"model": "shufflenet_v2_x1_0.tv_in1k", "ckpt_path": str(weights)}
    for calibration, judge in (halves, halves[::-1]):
        file = tmp_path / f"{calibration.name}.onnx"
        export(tagged, file, int8=True, target=target, calibration=calibration / "val")
        data: dict[str, Any] = {"dataset": "imagenet", "data_dir": str(judge), "batch_size": 10}
        in_float = evaluate(tagged | data | {"engine": "onnxruntime"})
        in_int8 = evaluate({"model": str(file)} | data | {"engine": engine})
        assert (in_float.images, in_int8.images) == (50, 50)
        assert 70 < in_float.top1 < 90
        assert abs(in_int8.top1 - in_float.top1) <= 2, (calibration.name, in_int8, in_float)
