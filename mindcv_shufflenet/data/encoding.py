"""The original of an image: its picture, and its bytes in a record.

A record has a file's own bytes where they can stay, else those of a smaller or an upright image.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, JpegImagePlugin

from mindcv_shufflenet.data.decoding import UnfitError, decodable, explain, opened, upright
from mindcv_shufflenet.data.image_check import find_fault
from mindcv_shufflenet.errors import UserError


class Original(Protocol):
    """An image of a data set as it is. It can be pickled for another process."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def picture(self) -> Image.Image:
        """Return the image upright, in RGB.

        Raises:
            UnfitError: it is damaged, or cannot be used; the text says why.
        """
        ...

    def encode(self, short_side: int | None) -> bytes:
        """Return the bytes of an image file that MindSpore decodes to the upright RGB pixels.

        Args:
            short_side: an image whose short side is larger is resized to it; None: none is.

        Raises:
            UserError: the image cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class FileOriginal:
    """An image file."""

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def picture(self) -> Image.Image:
        """Return the image, decoded by Pillow.

        Raises:
            UnfitError: training would refuse the file, or Pillow cannot decode it.
        """
        fault = find_fault(self.path)
        if fault is None:
            try:
                with opened(self.path) as image:
                    return upright(image)
            except Exception as error:
                fault = explain(error)
        raise UnfitError(fault)

    def encode(self, short_side: int | None) -> bytes:
        """Return the file's own bytes if MindSpore decodes them as they should be and the image is small enough.

        A JPEG that is made smaller keeps its quantisation tables and its chroma subsampling, and so its quality. All
        other images become PNG.

        Raises:
            UserError: the file cannot be read or decoded.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the image {self.path}: {error.strerror}; check its permissions") from error
        try:
            return _encode(content, short_side)
        except Exception as error:
            raise UserError(
                f"image {self.path} cannot be packed: {explain(error)}; mend it or take it out of the data set"
            ) from error


@dataclass(frozen=True, eq=False)
class PixelOriginal:
    """An image in memory, ``[H, W, 3] uint8``, RGB."""

    pixels: np.ndarray

    @property
    def name(self) -> str:
        """The shape: an array has no name."""
        return f"of shape {self.pixels.shape}"

    def picture(self) -> Image.Image:
        """Return the pixels."""
        return Image.fromarray(self.pixels)

    def encode(self, short_side: int | None) -> bytes:  # noqa: ARG002 - of the protocol
        """Return the pixels as PNG, in their own size."""
        return _save(Image.fromarray(self.pixels), "PNG")


def _encode(content: bytes, short_side: int | None) -> bytes:
    """Encode the content of an image file; raises what Pillow raises on damaged ones."""
    upright = decodable(content)
    with opened(io.BytesIO(upright)) as picture, opened(io.BytesIO(content)) as original:
        if short_side is None or min(picture.size) <= short_side:
            return content if upright is content else _save(picture, "PNG")
        share = short_side / min(picture.size)
        size = (max(short_side, round(picture.width * share)), max(short_side, round(picture.height * share)))
        colours = picture.convert("RGB") if picture.mode in ("P", "1") else picture
        smaller = colours.resize(size, Image.Resampling.LANCZOS)
        if not isinstance(original, JpegImagePlugin.JpegImageFile):
            return _save(smaller, "PNG")
        sampling = max(JpegImagePlugin.get_sampling(original), 0)
        return _save(smaller, "JPEG", qtables=original.quantization, subsampling=sampling)


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
