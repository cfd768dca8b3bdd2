"""MNIST and Fashion-MNIST: files written here as their pages describe IDX, and their download from a local server."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import Request, idx, open_split
from mindcv_shufflenet.errors import UserError
from tests.data.datasets.conftest import Server, md5_of
from tests.data.sources import pixels_of

VAL_IMAGES, VAL_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def images_of(count: int) -> bytes:
    """Images of two rows and three columns; value: 10 image + place."""
    values = bytes(10 * image + place for image in range(count) for place in range(6))
    return struct.pack(">HBBIII", 0, 8, 3, count, 2, 3) + values


def labels_of(*labels: int) -> bytes:
    return struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels)


def write(folder: Path) -> Path:
    """Two training images, packed, and three validation images."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images_of(2)))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels_of(9, 0)))
    (folder / VAL_IMAGES).write_bytes(images_of(3))
    (folder / VAL_LABELS).write_bytes(labels_of(1, 2, 3))
    return folder


@pytest.mark.parametrize(
    ("dataset", "inner", "last"), [("mnist", "MNIST/raw", "9"), ("fashion_mnist", "", "Ankle boot")]
)
def test_grey_images_have_three_equal_channels(tmp_path: Path, dataset: str, inner: str, last: str) -> None:
    write(tmp_path / inner)
    train, val, test = (open_split(dataset, Request(tmp_path, split)) for split in ("train", "val", "test"))
    assert pixels_of(val).shape == (3, 2, 3, 3)
    assert pixels_of(val).dtype == np.uint8
    assert pixels_of(val)[2, 1, 0].tolist() == [23, 23, 23]
    assert (train.labels.tolist(), val.labels.tolist(), test.labels.tolist()) == ([9, 0], [1, 2, 3], [1, 2, 3])
    assert train.labels.dtype == np.int32
    assert (len(val.class_names), val.class_names[9]) == (10, last)
    assert val.class_to_index[last] == 9
    with pytest.raises(UserError, match="no split 'valid': use train or val"):
        open_split(dataset, Request(tmp_path, "valid"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (VAL_IMAGES, images_of(3)[:-1], r"has 17 bytes of values, its header tells 18"),
        (VAL_IMAGES, labels_of(1, 2, 3), r"is no IDX file of bytes with 3 axes"),
        (VAL_IMAGES, b"", r"is no IDX file"),
        (VAL_IMAGES, images_of(2), r"has 2 images and t10k-labels-idx1-ubyte 3 labels"),
        (VAL_LABELS, labels_of(1, 10, 3), r"has the label 10, it must be 0 to 9"),
        (
            VAL_LABELS + ".gz",
            gzip.compress(labels_of(1, 2, 3), mtime=0)[:-4],
            r"is damaged \(.*\): remove it and get it again",
        ),
        (VAL_LABELS + ".gz", b"<html>", r"is damaged"),
    ],
)
def test_what_is_damaged_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write(tmp_path)
    (tmp_path / name.removesuffix(".gz")).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_split("mnist", Request(tmp_path, "val"))


def test_missing_files_name_the_option_and_the_address(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no t10k-images-idx3-ubyte .*--dataset_download.*ossci-datasets"):
        open_split("mnist", Request(tmp_path, "val"))


def test_download(tmp_path: Path, server: Server) -> None:
    """A transfer that broke off goes on from where it was; a file that is there, packed or not, is left alone."""
    source = write(server.folder)
    for path in (source / VAL_IMAGES, source / VAL_LABELS):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    md5 = {name: md5_of(source / f"{name}.gz") for name in idx.MNIST.md5}
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / VAL_LABELS).write_bytes(labels_of(4, 5, 6))
    (folder / f".{VAL_IMAGES}.gz.part").write_bytes((source / f"{VAL_IMAGES}.gz").read_bytes()[:20])
    for _ in range(2):
        idx.download(idx.MNIST._replace(url=f"{server.url}/", md5=md5), tmp_path)
    names = [f"/{name}.gz" for name in idx.MNIST.md5 if name != VAL_LABELS]
    assert server.requests == names
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(name[1:] for name in names), VAL_LABELS])
    assert open_split("mnist", Request(tmp_path, "val")).labels.tolist() == [4, 5, 6]
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    md5["train-labels-idx1-ubyte"] = "0" * 32
    with pytest.raises(UserError, match="is not the expected file"):
        idx.download(idx.MNIST._replace(url=f"{server.url}/", md5=md5), tmp_path)
    assert not (folder / "train-labels-idx1-ubyte.gz").exists()
