"""The one rule from an image file to pixels: upright, as a viewer shows it, in RGB, 8 bits.

:func:`upright` follows it with Pillow. :func:`decodable` lets MindSpore's faster decoder follow it too: that gets the
file's own bytes where it reads them alike, and else the upright pixels. ``data/headers.py`` says how the kinds that it
reads alike were found out.
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

# Photos of 200 megapixels are taken by telephones; what claims to be larger is refused.
MAX_PIXELS = 250_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns above this, and refuses above twice as many

# Pillow's names of formats and, for each, of the pixel modes that MindSpore reads as Pillow does.
_ALIKE = {
    "JPEG": {"L", "RGB", "CMYK"},
    "MPO": {"L", "RGB", "CMYK"},
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA"},
    "BMP": {"1", "L", "P", "RGB"},
    "PPM": {"1", "L", "RGB"},
}
# What stands in a file that notes how the camera was held, as Pillow finds it: in EXIF or in XMP.
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

with suppress(AttributeError, OSError):  # libtiff tells the terminal of damaged files, which are told by name here
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


class UnfitError(Exception):
    """An image that is whole but not read; its text is the reason."""


@contextmanager
def opened(source: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open an image with Pillow, without its warnings of large images and odd EXIF data, which do not matter here.

    Raises:
        Exception: many kinds, in the block too; :func:`explain` puts them into words.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source) as image:
            yield image


def explain(error: Exception) -> str:
    """Say what is wrong with an image that cannot be opened or decoded.

    Raises:
        MemoryError: there is too little memory, and nothing is wrong with the image.
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
    """Refuse what is no file, and would be waited for without end if it were opened.

    Raises:
        UnfitError: it is a pipe, a socket, a device or a folder.
        OSError: it is not there.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnfitError("it is not a file, but a pipe, a socket, a device or a folder")


def upright(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, turned as its EXIF orientation says.

    Grey, palette, CMYK and 16-bit images are converted, alpha is dropped, and the first picture of an animation is
    taken. Damaged EXIF data turn nothing.

    Raises:
        UnfitError: its pixels have 32 bits.
        Exception: many kinds, of damaged files.
    """
    if image.mode in ("I", "F"):
        raise UnfitError("it has pixels of 32 bits, whose range is unknown; save it with 8 or 16 bits")
    image.seek(0)
    image.load()  # turns a TIFF, and finds what follows the pixels of a PNG
    turn = _turn(image)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip them to white
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def is_alike(image: Image.Image) -> bool:
    """Whether MindSpore reads an image of this kind as Pillow does, but for its orientation."""
    return image.mode in _ALIKE.get(image.format or "", ())


def is_turned(image: Image.Image, content: bytes) -> bool:
    """Whether the image with this content is to be turned; a PNG may have to be decoded to tell."""
    return any(mark in content for mark in _MARKS) and _turn(image) is not None


def decodable(content: bytes) -> bytes:
    """Return bytes that MindSpore decodes to the upright RGB pixels of an image file.

    They are the file's own where its kind is read alike and there is nothing to turn, else a BMP of the pixels.

    Raises:
        Exception: many kinds, of damaged files.
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
    """Whether this is a JPEG that has neither EXIF nor an orientation in XMP; found without opening it."""
    if not content.startswith(jpeg.START):
        return False
    scan = jpeg.find_scan(BytesIO(content))
    return scan is not None and not any(mark in content[: scan.offset] for mark in _MARKS[:2])


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # on damaged EXIF data Pillow raises SyntaxError, struct.error and others
        return None
