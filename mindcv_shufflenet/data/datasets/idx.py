"""MNIST and Fashion-MNIST in their IDX files: ``{train,t10k}-{images-idx3,labels-idx1}-ubyte``, packed by gzip or not.

An IDX file is two zero bytes, the type (8: unsigned bytes), the number of axes, the length of each axis (big-endian, 4
bytes), and the values. Sources: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits (1998), which
defines it; H. Xiao et al., Fashion-MNIST (2017), arXiv:1708.07747.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.storage.download import fetch

_UNSIGNED_BYTES = 8
_PREFIXES = {"train": "train", "val": "t10k", "test": "t10k"}


class Idx(NamedTuple):
    """One of the two data sets.

    Attributes:
        title: its name for people.
        folder: where the files lie in ``data_dir``, as torchvision puts them.
        url: the address in front of the names of the files.
        md5: the publisher's checksum of each file, packed by gzip.
        class_names: in the order of their labels.
    """

    title: str
    folder: str
    url: str
    md5: dict[str, str]
    class_names: tuple[str, ...]


MNIST = Idx(
    "MNIST",
    "MNIST/raw",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    tuple("0123456789"),
)
FASHION_MNIST = Idx(
    "Fashion-MNIST",
    "FashionMNIST/raw",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # has no https; the checksums are whole
    {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def read_split(idx: Idx, request: Request) -> Split:
    """Read ``train`` (60,000 images) or ``val`` (10,000; ``test`` is the same).

    ``data_dir`` holds the data set's folder or the files themselves.

    Returns:
        A split with pixels ``[N, 28, 28, 3] uint8``: the grey value in R, G and B.

    Raises:
        UserError: the split has another name, or a file is missing, damaged or does not fit the other one.
    """
    if request.split not in _PREFIXES:
        raise UserError(f"{idx.title} has no split {request.split!r}: use train or val (test is the same as val)")
    prefix = _PREFIXES[request.split]
    pixels_path, labels_path = (
        _existing(idx, request.data_dir, f"{prefix}-{part}-ubyte") for part in ("images-idx3", "labels-idx1")
    )
    pixels, labels = _read_array(pixels_path, 3), _read_array(labels_path, 1)
    if len(pixels) != len(labels):
        raise UserError(
            f"{pixels_path} has {counted(len(pixels), 'image')} and {labels_path.name} {counted(len(labels), 'label')}:"
            " get both again"
        )
    if labels.size and labels.max() >= len(idx.class_names):
        raise UserError(
            f"{labels_path} has the label {labels.max()}, it must be 0 to {len(idx.class_names) - 1}: it is no file of"
            f" {idx.title}; remove it and get it again"
        )
    indices = {name: index for index, name in enumerate(idx.class_names)}
    return Split(Pixels(np.repeat(pixels[..., None], 3, axis=-1)), labels.astype(np.int32), idx.class_names, indices)


def download(idx: Idx, data_dir: Path) -> None:
    """Fetch those of the four files that are not there.

    Raises:
        UserError: the address cannot be reached, a checksum is wrong, or the disk is full.
    """
    folder = next((place for place in _places(idx, data_dir) if _has_any(idx, place)), data_dir / idx.folder)
    for name, md5 in idx.md5.items():
        if _find(folder, name) is None:
            fetch(f"{idx.url}{name}.gz", folder / f"{name}.gz", md5=md5)


def _places(idx: Idx, data_dir: Path) -> tuple[Path, Path]:
    return data_dir / idx.folder, data_dir


def _has_any(idx: Idx, folder: Path) -> bool:
    return any(_find(folder, name) for name in idx.md5)


def _find(folder: Path, name: str) -> Path | None:
    """The file of that name, packed or not; None if it is not there."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _existing(idx: Idx, data_dir: Path, name: str) -> Path:
    """The file of that name in one of the places.

    Raises:
        UserError: there is none.
    """
    found = next((path for place in _places(idx, data_dir) if (path := _find(place, name))), None)
    if found is None:
        raise UserError(
            f"no {name} or {name}.gz in {data_dir / idx.folder} or {data_dir}: give --dataset_download, or put the"
            f" files of {idx.url} there"
        )
    return found


def _read_array(path: Path, axes: int) -> np.ndarray:
    """The values of an IDX file, ``uint8`` with that many axes.

    Raises:
        UserError: the file is damaged, or is another one.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged ({error}): remove it and get it again") from error
    start = 4 + 4 * axes
    if len(content) < start or content[:4] != bytes([0, 0, _UNSIGNED_BYTES, axes]):
        raise UserError(f"{path} is no IDX file of bytes with {axes} axes: remove it and get it again")
    shape = [int(length) for length in np.frombuffer(content, ">u4", axes, offset=4)]
    if len(content) - start != math.prod(shape):
        raise UserError(
            f"{path} has {len(content) - start:,} bytes of values, its header tells {math.prod(shape):,}: remove it and"
            " get it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
