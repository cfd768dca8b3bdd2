"""Images on which int8 is calibrated, and some that are held back to measure its error on."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mindcv_shufflenet.data.images import ImageLike, image_files

_logger = logging.getLogger(__name__)

# Fewer images than these are noted.
_FEW = 8
# One image of so many is held back.
_SHARE = 4
_BATCH = 8


class Calibration(NamedTuple):
    """Images for int8; they are read batch by batch, however many there are.

    Attributes:
        images: the images on which ranges are measured, as ``transform`` takes them.
        held_out: the images on which the error is measured; the same as ``images`` where there is one image only.
        transform: a function from an image to the network's input, ``[C, H, W] float32``.
    """

    images: Sequence[Any]
    held_out: Sequence[Any]
    transform: Callable[[Any], np.ndarray]

    @property
    def others(self) -> int:
        """The number of images that are held out and not measured on."""
        return 0 if self.held_out is self.images else len(self.held_out)

    def batches(self, images: Sequence[Any]) -> Iterator[np.ndarray]:
        """Yield the inputs ``[N, C, H, W] float32`` of images, some at a time.

        Raises:
            UserError: an image cannot be read.
        """
        for start in range(0, len(images), _BATCH):
            yield np.stack([self.transform(image) for image in images[start : start + _BATCH]])


def open_calibration(
    folder: str | os.PathLike[str], transform: Callable[[ImageLike], np.ndarray], most: int
) -> Calibration:
    """Find the images at any depth in a folder, and hold some of them back.

    Args:
        folder: the folder that holds them.
        transform: the transform of the network's validation.
        most: of more images, so many are taken, evenly spaced.

    Raises:
        UserError: there is no such folder, or it has no images.
    """
    found = image_files(folder)
    files = [found[place] for place in np.linspace(0, len(found), min(len(found), most), endpoint=False).astype(int)]
    if len(files) < _FEW:
        _logger.warning(
            "int8 is calibrated on few images (%d), which tell little of its ranges and error: give some hundred",
            len(files),
        )
    held_out = files[_SHARE - 1 :: _SHARE] or files[-1:]
    measured = [file for file in files if file not in {*held_out}] or held_out
    return Calibration(measured, held_out, transform)
