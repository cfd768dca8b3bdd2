"""CIFAR-10 and CIFAR-100 in their binary layouts: ``cifar-10-batches-bin/*.bin``, ``cifar-100-binary/*.bin``.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009). A record is one label byte
(CIFAR-10) or two (CIFAR-100: the coarse label, then the fine one, which is read), and the planes R, G and B of 32 x 32
bytes each.
"""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.data.datasets.published import Archive
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.text import read_text

SIDE = 32
PIXEL_BYTES = 3 * SIDE * SIDE


class Cifar(NamedTuple):
    """One of the two data sets.

    Attributes:
        title: its name for people.
        archive: where it is published.
        folder: the folder in the archive.
        train: files of the training split.
        train_records: images in each of them.
        test: file of the 10,000 test images.
        label_bytes: bytes in front of the pixels of a record; the last one is the class.
        names_file: the file in ``folder`` that has the names of the classes, line by line.
        known_names: returns the published names.
    """

    title: str
    archive: Archive
    folder: str
    train: tuple[str, ...]
    train_records: int
    test: str
    label_bytes: int
    names_file: str
    known_names: Callable[[], tuple[str, ...]]

    @property
    def files(self) -> tuple[str, ...]:
        """All files with images."""
        return (*self.train, self.test)


def _cifar10_names() -> tuple[str, ...]:
    return ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def _cifar100_names() -> tuple[str, ...]:
    """The 100 fine labels in their order, which is that of the alphabet."""
    return tuple(resources.files(__package__).joinpath("cifar100_classes.txt").read_text("utf-8").split())


CIFAR10 = Cifar(
    "CIFAR-10",
    Archive("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    folder="cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    train_records=10_000,
    test="test_batch.bin",
    label_bytes=1,
    names_file="batches.meta.txt",
    known_names=_cifar10_names,
)
CIFAR100 = Cifar(
    "CIFAR-100",
    Archive("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
    folder="cifar-100-binary",
    train=("train.bin",),
    train_records=50_000,
    test="test.bin",
    label_bytes=2,
    names_file="fine_label_names.txt",
    known_names=_cifar100_names,
)


def read_split(cifar: Cifar, request: Request) -> Split:
    """Read ``train`` (50,000 images) or ``val`` (10,000; ``test`` is the same).

    ``data_dir`` holds the data set's folder or is that folder. The classes do not depend on the training split.

    Returns:
        A split with pixels ``[N, 32, 32, 3] uint8``, C-contiguous.

    Raises:
        UserError: the split has another name, or a file is missing, has a wrong size or a label that there is not.
    """
    data_dir, split = request.data_dir, request.split
    if split not in ("train", "val", "test"):
        raise UserError(f"{cifar.title} has no split {split!r}: use train or val (test is the same as val)")
    files, each = (cifar.train, cifar.train_records) if split == "train" else ((cifar.test,), 10_000)
    folder = _find(cifar, data_dir)
    missing = [name for name in files if folder is None or not (folder / name).is_file()]
    if folder is None or missing:
        raise UserError(
            f"no {missing[0]} in {folder or data_dir / cifar.folder}: give --dataset_download, or unpack"
            f" {cifar.archive.url} into the folder that --data_dir names"
        )
    names = _class_names(cifar, folder)
    labels = np.empty(len(files) * each, np.int32)
    images = np.empty((len(files) * each, SIDE, SIDE, 3), np.uint8)
    for position, name in enumerate(files):
        part = slice(position * each, (position + 1) * each)
        records = _read_records(cifar, folder / name, each, len(names))
        labels[part] = records[:, cifar.label_bytes - 1]
        images[part] = records[:, cifar.label_bytes :].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Split(Pixels(images), labels, names, {name: index for index, name in enumerate(names)})


def download(cifar: Cifar, data_dir: Path) -> None:
    """Fetch and unpack the data set if it is not in ``data_dir``; see :meth:`Archive.get`."""
    cifar.archive.get(data_dir, _find(cifar, data_dir), cifar.files)


def _find(cifar: Cifar, data_dir: Path) -> Path | None:
    """The folder with the files: the one that the archive has, or ``data_dir``; None if neither has any."""
    for folder in (data_dir / cifar.folder, data_dir):
        if any((folder / name).is_file() for name in cifar.files):
            return folder
    return None


def _read_records(cifar: Cifar, path: Path, count: int, classes: int) -> np.ndarray:
    """The records ``[count, label_bytes + 3072] uint8`` of one file."""
    record = cifar.label_bytes + PIXEL_BYTES
    size = path.stat().st_size
    if size != count * record:
        raise UserError(
            f"{path} has {size:,} bytes, a {cifar.title} file has {count * record:,} ({count:,} records of {record}):"
            " remove it and get it again"
        )
    records = np.fromfile(path, np.uint8).reshape(count, record)
    labels = records[:, cifar.label_bytes - 1]
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise UserError(
            f"{path}: record {wrong[0]} has the label {labels[wrong[0]]}, it must be 0 to {classes - 1}: "
            f"the file is damaged or no {cifar.title} file; remove it and get it again"
        )
    return records


def _class_names(cifar: Cifar, folder: Path) -> tuple[str, ...]:
    """The names in the data set's own list, or the known ones if that file is missing."""
    known, path = cifar.known_names(), folder / cifar.names_file
    if not path.is_file():
        return known
    names = tuple(read_text(path).split())
    if not len(names) == len(set(names)) == len(known):
        raise UserError(f"{path} must have {len(known)} different class names: mend it or remove it")
    return names
