"""Decode an image file to upright RGB pixels of 8 bits, as an image viewer shows it.

:func:`upright` does so with Pillow. :func:`decodable` prepares a file for MindSpore's decoder, which is faster: it
returns the file's own bytes if MindSpore and Pillow read that kind of file alike, else a BMP of the upright pixels.
``data/image_check.py`` lists how the kinds were compared.
"""

import ctypes
import errno
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from mindcv_shufflenet.data import jpeg

# Telephones take photos of 200 megapixels; a header that claims more is refused.
MAX_PIXELS = 250_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns above this, and refuses above twice as many

# Pillow's format -> the pixel modes that MindSpore reads as Pillow does.
_ALIKE = {
    "JPEG": {"L", "RGB", "CMYK"},
    "MPO": {"L", "RGB", "CMYK"},
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA"},
    "BMP": {"1", "L", "P", "RGB"},
    "PPM": {"1", "L", "RGB"},
}
# Bytes in every file that has an orientation, in EXIF or in XMP, where Pillow looks for it.
_MARKS = (b"Exif\0\0", b"tiff:Orientation", b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

with suppress(AttributeError, OSError):  # libtiff prints a line for a damaged file, which an error names here
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


class UnfitError(Exception):
    """The image cannot be used; the text says why."""


@contextmanager
def opened(source: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image with Pillow, without its warnings about large images and odd EXIF data.

    Raises:
        Exception: many kinds, in the block too; :func:`explain` describes them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source) as image:
            yield image


def explain(error: Exception) -> str:
    """Describe what is wrong with an image that cannot be opened or decoded.

    Raises:
        MemoryError: memory ran out; the image may be good.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        raise MemoryError(str(error)) from error
    if isinstance(error, UnfitError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"it claims more than {MAX_PIXELS:,} pixels, as a decompression bomb does"
    if isinstance(error, UnidentifiedImageError):
        return "its header is not that of an image"
    if isinstance(error, OSError):
        return error.strerror or "it is cut short or damaged"
    return "it is damaged"  # Pillow's readers raise SyntaxError, ValueError, struct.error and others.


def check_regular(path: Path) -> None:
    """Refuse a path that is not a regular file: opening a pipe would block forever.

    Raises:
        UnfitError: the path is a pipe, a socket, a device or a folder.
        OSError: the path does not exist.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnfitError("it is not a file, but a pipe, a socket, a device or a folder")


def upright(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, rotated by its EXIF orientation.

    Grey, palette, CMYK and 16-bit images are converted. Alpha is dropped. Of an animation the first picture is taken.
    Damaged EXIF data are ignored.

    Raises:
        UnfitError: its pixels have 32 bits.
        Exception: the file is damaged; many kinds.
    """
    if image.mode in ("I", "F"):
        raise UnfitError("it has pixels of 32 bits, whose range is unknown; save it with 8 or 16 bits")
    image.seek(0)
    image.load()  # rotates a TIFF, and reads the EXIF data that follow the pixels of a PNG
    turn = _turn(image)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips them to white
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def is_alike(image: Image.Image) -> bool:
    """Whether MindSpore reads an image of this kind as Pillow does, apart from the orientation."""
    return image.mode in _ALIKE.get(image.format or "", ())


def is_turned(image: Image.Image, content: bytes) -> bool:
    """Whether the image with this content has to be rotated; a PNG may have to be decoded to find out."""
    return any(mark in content for mark in _MARKS) and _turn(image) is not None


def decodable(content: bytes) -> bytes:
    """Return bytes that MindSpore decodes to the upright RGB pixels of an image file.

    The file's own bytes are returned if MindSpore reads its kind as Pillow does and it is upright, else a BMP.

    Raises:
        Exception: the file is damaged; many kinds.
    """
    if _is_plain_jpeg(content):
        return content
    with opened(BytesIO(content)) as image:
        if is_alike(image) and not is_turned(image, content):
            return content
        buffer = BytesIO()
        upright(image).save(buffer, "BMP")
        return buffer.getvalue()


def _is_plain_jpeg(content: bytes) -> bool:
    """Whether this is a JPEG without EXIF and without an orientation in XMP; Pillow is not needed to find out."""
    if not content.startswith(jpeg.START):
        return False
    scan = jpeg.find_scan(BytesIO(content))
    return scan is not None and not any(mark in content[: scan.offset] for mark in _MARKS[:2])


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # Pillow raises SyntaxError, struct.error and others on damaged EXIF data
        return None
