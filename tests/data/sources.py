"""What tests of data read: the images of a split, and files in archives."""

import tarfile
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.sources import Files, Pixels


def paths_of(split: Split) -> list[Path]:
    """The files of a split."""
    assert isinstance(split.images, Files)
    return split.images.paths


def pixels_of(split: Split) -> np.ndarray:
    """The pixels ``[N, H, W, 3] uint8`` of a split."""
    assert isinstance(split.images, Pixels)
    return split.images.array


def read_member(tar: tarfile.TarFile, member: tarfile.TarInfo | str) -> bytes:
    """The content of a file in an archive."""
    file = tar.extractfile(member)
    assert file is not None
    return file.read()
