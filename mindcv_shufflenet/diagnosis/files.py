"""Checks of what is read and written: photos, checkpoints, and exported files on their runtime."""

import tempfile
import time
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from PIL import Image

from mindcv_shufflenet.data.loader import train_loader
from mindcv_shufflenet.data.open import read_splits
from mindcv_shufflenet.deploy.export.check import check
from mindcv_shufflenet.deploy.export.export import export
from mindcv_shufflenet.deploy.export.golden import golden_pixels
from mindcv_shufflenet.diagnosis import golden
from mindcv_shufflenet.diagnosis.outcome import CheckFailed
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.weights.checkpoint import save_checkpoint

_MODEL, _SIZE = "shufflenet_v2_x0_5", 64
# Photos that the loader reads, their size, and passes over them; a photo of ImageNet has about as many pixels.
_PHOTOS, _WIDTH, _HEIGHT, _PASSES = 64, 500, 375, 4


def loader() -> str:
    """Read photos through the loader of training, and tell how fast it is."""
    with tempfile.TemporaryDirectory() as folder:
        _write_photos(Path(folder))
        config = parse_config({"dataset": "folder", "data_dir": folder, "batch_size": 16, "val_split": "train"})
        split = read_splits(config)[config.train_split]
        reader = train_loader(config, split, count_cores())
        start = time.perf_counter()
        labels: list[int] = []
        brightness: list[float] = []
        for number in range(_PASSES):
            for batch in reader.batches(number):
                labels += batch.label.tolist()
                brightness += batch.image.mean(axis=(1, 2, 3)).tolist()
        seconds = time.perf_counter() - start
    if sorted(labels) != sorted(_PASSES * split.labels.tolist()):
        raise CheckFailed("the labels that were read are not those of the photos")
    dark, bright = (np.array(brightness)[np.array(labels) == label] for label in (0, 1))
    if not dark.max() < bright.min():
        raise CheckFailed("the pixels that were read are not those of the photos")
    return f"{len(labels) / seconds:.0f} images/s of JPEG files of {_WIDTH} x {_HEIGHT} pixels"


def checkpoint() -> str:
    """Write a checkpoint, and read it into another network."""
    with tempfile.TemporaryDirectory() as folder:
        path, network = _saved(folder)
        other = create_model(_MODEL, num_classes=golden.CLASSES, checkpoint_path=path)
        for one, two in zip(network.get_parameters(), other.get_parameters(), strict=True):
            if not np.array_equal(one.asnumpy(), two.asnumpy()):
                raise CheckFailed(f"{one.name} is not what was written")
        return f"{path.stat().st_size / 1e6:.1f} MB, read as they were written"


def onnx(device: str) -> str:
    """Export a network to ONNX, and compare ONNX Runtime with MindSpore."""
    with tempfile.TemporaryDirectory() as folder:
        return _exported(device, Path(folder))


def int8(device: str) -> str:
    """Export a network to ONNX in int8, and compare ONNX Runtime with ONNX's reference implementation."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        _write_photos(photos)
        return _exported(device, Path(folder), int8=True, calibration=str(photos))


def _exported(device: str, folder: Path, **form: Any) -> str:
    """Export a network, and let a runtime compute its golden images."""
    path, _ = _saved(folder)
    options = {"model": _MODEL, "ckpt_path": str(path), "image_resize": _SIZE, "device_target": device}
    file = folder / "network.onnx"
    export(options, file, given=(), **form)
    result = check(file)
    if not result.agrees:
        raise CheckFailed(result.verdict)
    engine = f"{result.engine} {result.version}"
    return f"{engine} is within {result.error:.1g} of {result.source}, of {result.tolerance:g} allowed"


def _saved(folder: str | Path) -> tuple[Path, ms.nn.Cell]:
    path = Path(folder, "network.ckpt")
    network = golden.golden_network(_MODEL)
    save_checkpoint(network, path)
    return path, network


def _write_photos(folder: Path) -> None:
    """Write photos of two classes, dark and bright ones."""
    for number, pixels in enumerate(golden_pixels(_PHOTOS, _HEIGHT, _WIDTH, 3)):
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - pixels // 4 if number % 2 else pixels // 4).save(path)
