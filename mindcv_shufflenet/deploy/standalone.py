"""Classify images with an exported file; needs no other part of mindcv_shufflenet.

pip install onnxruntime numpy pillow
python SCRIPT [FILE.onnx] IMAGE...    (SCRIPT: this file; without FILE.onnx: the float32 one beside it)
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def view(path: str, preprocessing: dict) -> np.ndarray:
    """Return what the network sees of an image: resized, the centre cropped, ``[size, size, C] uint8``."""
    image = ImageOps.exif_transpose(Image.open(path))
    if max(image.size) > 100 * min(image.size) or image.mode in ("I", "F"):
        raise ValueError("a strip, or pixels of 32 bits")
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips them to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert("L" if len(preprocessing["mean"]) == 1 else "RGB")
    size, kind = preprocessing["image_resize"], preprocessing["interpolation"]
    short, is_pillow = int(size / preprocessing["crop_pct"]), preprocessing["resize_backend"] == "pillow"
    kernel = Image.Resampling["BOX" if kind == "area" else kind.upper()]
    width, height = (side * short // min(image.size) for side in image.size)
    if is_pillow or kind == "area":
        image = image.resize((width, height), kernel)
    else:  # OpenCV's resize does not antialias, and neither does a transform of Pillow
        image = image.transform((width, height), Image.Transform.EXTENT, (0, 0, *image.size), kernel)
    left, top = ((round if is_pillow else int)((side - size) / 2) for side in image.size)
    return np.atleast_3d(np.asarray(image.crop((left, top, left + size, top + size))))


def main(model: str, *images: str) -> bool:
    """Print the five most likely classes of each image; return whether one cannot be read.

    An image fills the batch of a file that takes several at once.
    """
    session = onnxruntime.InferenceSession(model)
    entries, pixels = session.get_modelmeta().custom_metadata_map, session.get_inputs()[0]
    preprocessing, labels = json.loads(entries["preprocessing"]), entries.get("labels", "").splitlines()
    metadata = {"temperature": 1, "threshold": 0} | json.loads(entries.get("mindcv_shufflenet", "{}"))
    failed = False
    for path in images:
        try:
            batch = np.stack([view(path, preprocessing)] * (pixels.shape[0] if isinstance(pixels.shape[0], int) else 1))
        except Exception as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
            continue
        if pixels.type == "tensor(float)":  # otherwise the file normalises by itself
            batch = batch[..., :: -1 if preprocessing["channel_order"] == "bgr" else 1].astype(np.float32)
            mean, std = (np.float32(preprocessing[name]) for name in ("mean", "std"))
            batch = ((batch - mean) / std).transpose(0, 3, 1, 2)
        scores = session.run(None, {pixels.name: batch})[0][0]
        if session.get_outputs()[0].name == "probabilities":
            scores = np.log(np.maximum(scores, 1e-30))
        scores = np.exp(scores / metadata["temperature"] - np.logaddexp.reduce(scores / metadata["temperature"]))
        lines = (f"{scores[i]:8.3f}  {labels[i] if len(labels) > i else i}" for i in np.argsort(-scores)[:5])
        unsure = metadata["threshold"] == 1 or scores.max() < metadata["threshold"]
        print(f"{path} (unsure)" if unsure else path, *lines, sep="\n")
    return failed


if __name__ == "__main__":
    beside = [str(file) for file in sorted(Path(__file__).parent.glob("*.onnx")) if "int8" not in file.stem]
    words = sys.argv[1:] if sys.argv[1:2] and sys.argv[1].endswith(".onnx") else beside[:1] + sys.argv[1:]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console without the letters of a class name
    sys.exit(main(*words) if len(words) > 1 else __doc__)
