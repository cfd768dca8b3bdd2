"""Exported files, and images to calibrate them on."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

from mindcv_shufflenet import export
from mindcv_shufflenet.deploy.export.export import Export
from tests.small import MODEL

SIZE = 32
OPTIONS = {"model": MODEL, "image_resize": SIZE}


def exported(checkpoint: Path, **form: Any) -> tuple[Export, onnx.ModelProto]:
    output = checkpoint.with_suffix(".onnx")
    result = export({"ckpt_path": str(checkpoint)}, output, overwrite=True, **form)
    return result, onnx.load(output)


def photos(folder: Path, number: int = 8) -> Path:
    """Write some noise as images, in folders inside one another."""
    (folder / "photos" / "inner").mkdir(parents=True)
    for seed in range(number):
        pixels = np.random.default_rng(seed).integers(0, 256, size=(40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / "inner" / f"{seed}.png")
    return folder / "photos"
