"""Pictures and image files."""

import io

import numpy as np
from PIL import Image


def picture(mode: str = "RGB", size: tuple[int, int] = (90, 70)) -> Image.Image:
    """Smooth colours with some noise, so that every format has something to code."""
    y, x = np.mgrid[: size[1], : size[0]]
    pixels = np.stack([x * 2, y * 3, x + y], axis=-1) % 256
    noise = np.random.default_rng(0).integers(0, 20, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).convert(mode)


def encode(mode: str, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture(mode).save(buffer, kind, **options)
    return buffer.getvalue()
