"""Whether a model is judged on images that it was calibrated on."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from mindcv_shufflenet.data.images import image_files
from mindcv_shufflenet.data.sources import ImageSource


class Overlap(NamedTuple):
    """Calibration images, and how many of them are among the validation images.

    Attributes:
        shared: the number of files whose content is that of a validation image.
        files: the number of calibration images.
    """

    shared: int
    files: int

    @property
    def warning(self) -> str | None:
        """A line for people; None where nothing is shared."""
        if not self.shared:
            return None
        return (
            f"the validation images include {self.shared} of the {self.files} calibration images, so the accuracy of"
            " int8 may be too high: calibrate on other images, such as those of the training"
        )


def find_overlap(calibration: str | os.PathLike[str], images: ImageSource) -> Overlap | None:
    """Compare the files of calibration with those of the validation images.

    Args:
        calibration: an image file or a folder that is searched.
        images: the validation images.

    Returns:
        None where the validation images have no files of their own.

    Raises:
        UserError: there are no calibration images.
    """
    judged = images.image_files()
    if not judged:
        return None
    given = image_files(calibration)
    # Most files differ in size already, and are not read.
    sizes = {path.stat().st_size for path in given} & {path.stat().st_size for path in judged}
    contents = {_checksum(path) for path in judged if path.stat().st_size in sizes}
    shared = [path for path in given if path.stat().st_size in sizes and _checksum(path) in contents]
    return Overlap(len(shared), len(given))


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
