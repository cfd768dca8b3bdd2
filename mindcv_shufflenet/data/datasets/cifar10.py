"""CIFAR-10 in its binary layout: ``cifar-10-batches-bin/{data_batch_1..5,test_batch}.bin``.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009). A record is a label byte and the
planes R, G and B of 32 x 32 bytes each.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.archive import unpack_tar
from mindcv_shufflenet.storage.download import fetch
from mindcv_shufflenet.storage.text import read_text

FOLDER = "cifar-10-batches-bin"
RECORDS = 10_000
RECORD_BYTES = 1 + 3 * 32 * 32
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
SPLIT_FILES = {"train": TRAIN_FILES, "val": ("test_batch.bin",), "test": ("test_batch.bin",)}
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Archive:
    """A published archive: its address and checksum."""

    url: str
    md5: str


ARCHIVE = Archive("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")


def read_split(request: Request) -> Split:
    """Read ``train`` (50,000 images) or ``val`` (10,000; ``test`` is the same).

    ``data_dir`` holds ``cifar-10-batches-bin`` or is that folder. The classes do not depend on the training split.

    Returns:
        A split with pixels ``[N, 32, 32, 3] uint8``, C-contiguous.

    Raises:
        UserError: the split has another name, or a file is missing, has a wrong size or a label above 9.
    """
    data_dir, split = request.data_dir, request.split
    if split not in SPLIT_FILES:
        raise UserError(f"CIFAR-10 has no split {split!r}: use train or val (test is the same as val)")
    folder = _find(data_dir)
    files = SPLIT_FILES[split]
    missing = [name for name in files if folder is None or not (folder / name).is_file()]
    if folder is None or missing:
        raise UserError(
            f"no {missing[0]} in {folder or data_dir / FOLDER}: give --dataset_download, or unpack {ARCHIVE.url} into "
            "the folder that --data_dir names"
        )
    labels = np.empty(len(files) * RECORDS, np.int32)
    images = np.empty((len(files) * RECORDS, 32, 32, 3), np.uint8)
    for position, name in enumerate(files):
        part = slice(position * RECORDS, (position + 1) * RECORDS)
        records = _read_records(folder / name)
        labels[part] = records[:, 0]
        images[part] = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    names = _class_names(folder)
    return Split(Pixels(images), labels, names, {name: index for index, name in enumerate(names)})


def download(data_dir: Path) -> None:
    """Download the archive and unpack it into ``data_dir``, unless all its files are there.

    An archive that is already in ``data_dir`` is used, and kept, if its checksum is right.

    Raises:
        UserError: the address cannot be reached, the checksum of the download is wrong, or the disk is full.
    """
    folder = _find(data_dir)
    if folder is not None:
        missing = [name for name in (*TRAIN_FILES, "test_batch.bin") if not (folder / name).is_file()]
        if not missing:
            return
        raise UserError(f"{folder} is there but has no {missing[0]}: move that folder away, then download again")
    archive = data_dir / ARCHIVE.url.rsplit("/", 1)[-1]
    was_there = archive.exists()
    fetch(ARCHIVE.url, archive, md5=ARCHIVE.md5)
    unpack_tar(archive, data_dir)
    if not was_there:
        archive.unlink()


def _find(data_dir: Path) -> Path | None:
    """The folder with the batches: ``data_dir/cifar-10-batches-bin`` or ``data_dir``; None if neither has any."""
    for folder in (data_dir / FOLDER, data_dir):
        if any((folder / name).is_file() for name in (*TRAIN_FILES, "test_batch.bin")):
            return folder
    return None


def _read_records(path: Path) -> np.ndarray:
    """The records ``[10000, 3073] uint8`` of one file."""
    size = path.stat().st_size
    if size != RECORDS * RECORD_BYTES:
        raise UserError(
            f"{path} has {size:,} bytes, a CIFAR-10 file has {RECORDS * RECORD_BYTES:,} ({RECORDS:,} records of "
            f"{RECORD_BYTES}): remove it and get it again"
        )
    records = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD_BYTES)
    wrong = np.flatnonzero(records[:, 0] >= len(CLASS_NAMES))
    if len(wrong):
        raise UserError(
            f"{path}: record {wrong[0]} has the label {records[wrong[0], 0]}, it must be 0 to 9: "
            "the file is damaged or no CIFAR-10 file; remove it and get it again"
        )
    return records


def _class_names(folder: Path) -> tuple[str, ...]:
    """The ten names in ``batches.meta.txt``, or the known ones if that file is missing."""
    path = folder / "batches.meta.txt"
    if not path.is_file():
        return CLASS_NAMES
    names = tuple(read_text(path).split())
    if not len(names) == len(set(names)) == len(CLASS_NAMES):
        raise UserError(f"{path} must have {len(CLASS_NAMES)} different class names: mend it or remove it")
    return names
