"""Read images of any kind: paths, folders, arrays, Pillow images."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from mindcv_shufflenet.data.decoding import UnfitError, check_regular, explain, opened, upright
from mindcv_shufflenet.data.listing import list_images
from mindcv_shufflenet.errors import UserError

ImageLike = str | os.PathLike[str] | np.ndarray | Image.Image
# The same types for isinstance.
IMAGE_TYPES = (str, os.PathLike, np.ndarray, Image.Image)

# Longest image, as long side / short side. A resize of the short side of a longer one would take a lot of memory.
_MAX_ASPECT = 100


def image_files(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the given files, and the images at any depth in the given folders, each folder sorted by path.

    Raises:
        UserError: a path does not exist or is not a file, or a folder has no images.
    """
    files: list[Path] = []
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if odd := [path for path in given if not isinstance(path, str | os.PathLike)]:
        raise UserError(f"{type(odd[0]).__name__} is no path; name files or folders")
    if not given or not all(map(os.fspath, given)):
        raise UserError("a path is empty; name a file or a folder" if given else "no images are given; name some")
    for path in map(Path, given):
        if path.is_dir():
            found = list_images(path, suffixes=_pillow_suffixes())
            if found.faults:
                raise UserError(found.faults[0])
            if not found.images:
                raise UserError(f"no images in {path}; name a folder that has some, or the files themselves")
            files += found.images
        elif path.is_file():
            files.append(path)
        elif path.exists():
            raise UserError(f"{path} is a pipe, a socket or a device; give image files or folders of them")
        else:
            raise UserError(f"there is no file or folder {path}; check the path")
    return files


def _pillow_suffixes() -> frozenset[str]:
    """The suffixes of all kinds of image that Pillow reads."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.EXTENSION.items() if kind in Image.OPEN)


def open_image(image: ImageLike) -> np.ndarray:
    """Return the pixels ``[H, W, 3] uint8`` of an image, upright and in RGB.

    Training and validation decode by the same rule (``data/decoding.py``).

    Args:
        image: a path, a Pillow image, or pixels ``[H, W, 3]`` or ``[H, W]`` of uint8.

    Raises:
        UserError: the file is no image, is damaged or not a regular file; the image has too many pixels, a side more
            than 100 times the other, or pixels of 32 bits; or the array has another shape or type.
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
        if isinstance(image, Image.Image):
            return _pixels(image)
        check_regular(Path(image))
        with opened(Path(image)) as picture:
            return _pixels(picture)
    except Exception as error:
        raise UserError(f"cannot read {name}: {explain(error)}; get it again or leave it out") from error


def _pixels(image: Image.Image) -> np.ndarray:
    check_aspect(image)
    return np.asarray(upright(image))


def check_aspect(image: Image.Image) -> None:
    """Refuse an image that is a strip.

    Raises:
        UnfitError: a side is more than 100 times the other.
    """
    if max(image.size) > _MAX_ASPECT * min(image.size):
        size = f"{image.width} x {image.height}"
        raise UnfitError(f"it has {size} pixels, more than {_MAX_ASPECT} times as many one way as the other; cut it")
