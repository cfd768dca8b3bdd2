"""Classify images with an exported file; needs no other part of this project.

pip install onnxruntime numpy pillow
python infer_onnx.py FILE.onnx IMAGE...
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def view(path: str, how: dict) -> np.ndarray:
    """Return what the network sees of an image: resized, the centre cropped, ``[size, size, C] uint8``."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("L" if len(how["mean"]) == 1 else "RGB")
    size, short = how["image_resize"], int(how["image_resize"] / how["crop_pct"])
    kind = Image.Resampling["BOX" if how["interpolation"] == "area" else how["interpolation"].upper()]
    width, height = (side * short // min(image.size) for side in image.size)
    if how["resize_backend"] == "pillow" or how["interpolation"] == "area":
        image = image.resize((width, height), kind)
    else:  # OpenCV's resize does not antialias, and neither does a transform of Pillow
        image = image.transform((width, height), Image.Transform.EXTENT, (0, 0, *image.size), kind)
    left, top = ((round if how["resize_backend"] == "pillow" else int)((side - size) / 2) for side in image.size)
    return np.atleast_3d(np.asarray(image.crop((left, top, left + size, top + size))))


def main(model: str, *images: str) -> None:
    """Print the five most likely classes of each image; it fills the batch of a file that takes several at once."""
    session = onnxruntime.InferenceSession(model)
    known, taken = session.get_modelmeta().custom_metadata_map, session.get_inputs()[0]
    how, labels = json.loads(known["preprocessing"]), known.get("labels", "").split("\n")
    for path in images:
        batch = np.stack([view(path, how)] * (taken.shape[0] if isinstance(taken.shape[0], int) else 1))
        if taken.type == "tensor(float)":  # otherwise the file normalises by itself
            batch = batch[..., :: -1 if how["channel_order"] == "bgr" else 1].astype(np.float32)
            batch = ((batch - np.float32(how["mean"])) / np.float32(how["std"])).transpose(0, 3, 1, 2)
        scores = session.run(None, {taken.name: batch})[0][0]
        lines = (f"{scores[i]:8.3f}  {labels[i] if len(labels) > i else i}" for i in np.argsort(-scores)[:5])
        print(path, *lines, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
