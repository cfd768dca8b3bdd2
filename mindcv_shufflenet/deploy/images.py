"""Images of any kind to pixels."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mindcv_shufflenet.data.datasets.base import list_images
from mindcv_shufflenet.errors import UserError

ImageLike = str | os.PathLike[str] | np.ndarray | Image.Image
# The same for isinstance.
IMAGE_TYPES = (str, os.PathLike, np.ndarray, Image.Image)

# Resizing the short side makes the long side so many times as long: beyond this it is a mistake, and a lot of memory.
_MAX_ASPECT = 100


def image_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the files that are named, and the images in the folders that are, each folder sorted by path.

    Raises:
        UserError: a path that is not there, or a folder without images.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = list_images(path, strict=False, suffixes=_pillow_suffixes())
            if not found:
                raise UserError(f"no images in {path}; name a folder that has some, or the files themselves")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"there is no file or folder {path}; check the path")
    return files


def _pillow_suffixes() -> frozenset[str]:
    """The suffixes of all kinds of image that Pillow reads."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.EXTENSION.items() if kind in Image.OPEN)


def open_image(image: ImageLike) -> np.ndarray:
    """Return the pixels ``[H, W, 3] uint8`` of an image, upright and in RGB.

    Grey, palette, CMYK and 16-bit images are converted, alpha is dropped, the first picture of an animation is taken,
    and the rotation that a camera noted (EXIF) is carried out.

    Raises:
        UserError: the file is no image, is cut short, has more pixels than Pillow thinks safe or is absurdly long, has
            pixels of 32 bits; or the array has another shape or type, or it is something else.
    """
    if not isinstance(image, IMAGE_TYPES):
        raise UserError(f"{type(image).__name__} is no image: give a path, pixels [H, W, 3] of uint8 or a Pillow image")
    if isinstance(image, np.ndarray):
        is_image = image.ndim in (2, 3) and image.size and image.shape[2:] in ((), (3,))
        if image.dtype != np.uint8 or not is_image:
            raise UserError(
                f"pixels of shape {image.shape} and type {image.dtype}: an image is [H, W, 3] or [H, W] of uint8"
            )
        return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    name = "the image" if isinstance(image, Image.Image) else f"the image {image}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # odd EXIF data
            if isinstance(image, Image.Image):
                return _upright_rgb(image, name)
            with Image.open(image) as opened:
                return _upright_rgb(opened, name)
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(f"{name} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise UserError(f"{image} is not an image; give image files or folders of them") from None
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror or error}; get it again") from error
    except Exception as error:  # on damaged bytes Pillow's readers raise SyntaxError, ValueError, struct.error ...
        raise UserError(f"cannot read {name}: it is damaged; get it again") from error


def _upright_rgb(image: Image.Image, name: str) -> np.ndarray:
    if max(image.size) > _MAX_ASPECT * min(image.size):
        size = f"{image.width} x {image.height}"
        raise UserError(f"{name} has {size} pixels, more than {_MAX_ASPECT} times as many one way as the other; cut it")
    if image.mode in ("I", "F"):
        raise UserError(f"{name} has pixels of 32 bits, whose range is unknown; save it with 8 or 16 bits")
    image.seek(0)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip them to white
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    return np.asarray(image.convert("RGB"))
