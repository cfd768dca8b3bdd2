"""Tiny ImageNet: the real 20 classes of ``../shared``, and lists that do not fit."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import Request, open_split, tiny_imagenet
from mindcv_shufflenet.errors import UserError
from tests.data.datasets.conftest import Server, md5_of
from tests.data.sources import paths_of


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two classes, listed the wrong way round; two images to train, two to validate."""
    for name in ("train/n02/images/a.JPEG", "train/n01/images/b.JPEG", "val/images/x.JPEG", "val/images/y.JPEG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "train/n01/n01_boxes.txt").write_text("b.JPEG\t0\t0\t1\t1\n")
    (tmp_path / "wnids.txt").write_text("n02\nn01\n")
    (tmp_path / "words.txt").write_text("n01\tcat, pussy cat\nn03\tdog\n")
    (tmp_path / "val/val_annotations.txt").write_text("x.JPEG\tn02\t0\t0\t1\t1\ny.JPEG\tn01\t0\t0\t1\t1\n")
    return tmp_path


def test_classes_are_sorted_and_named(small: Path) -> None:
    train, val = (open_split("tiny_imagenet", Request(small, split)) for split in ("train", "val"))
    assert train.class_to_index == val.class_to_index == {"n01": 0, "n02": 1}
    assert train.class_names == ("cat, pussy cat", "n02")
    assert [path.name for path in paths_of(train)] == ["b.JPEG", "a.JPEG"]
    assert train.labels.tolist() == [0, 1]
    assert [path.name for path in paths_of(val)] == ["x.JPEG", "y.JPEG"]
    assert val.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("wnids.txt", r"cannot read .*wnids\.txt"),
        ("val/images/x.JPEG", r"lacks x\.JPEG, which val_annotations\.txt lists"),
        ("train/n02/images/a.JPEG", "holds no image"),
    ],
)
def test_what_is_missing_is_named(small: Path, remove: str, message: str) -> None:
    (small / remove).unlink()
    with pytest.raises(UserError, match=message):
        [open_split("tiny_imagenet", Request(small, split)) for split in ("train", "val")]


def test_validation_images_rearranged_into_class_folders(small: Path) -> None:
    for wnid, name in (("n02", "x.JPEG"), ("n01", "y.JPEG")):
        (small / "val" / wnid).mkdir()
        (small / "val/images" / name).rename(small / "val" / wnid / name)
    val = open_split("tiny_imagenet", Request(small, "val"))
    assert ([path.name for path in paths_of(val)], val.labels.tolist()) == (["y.JPEG", "x.JPEG"], [0, 1])
    (small / "val/val_annotations.txt").unlink()
    (small / "val/images").rmdir()
    assert open_split("tiny_imagenet", Request(small, "val")).labels.tolist() == [0, 1]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_as_windows_writes_them(small: Path, encoding: str) -> None:
    for path in (small / "wnids.txt", small / "words.txt", small / "val/val_annotations.txt"):
        path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    val = open_split("tiny_imagenet", Request(small, "val"))
    assert val.class_names == ("cat, pussy cat", "n02")
    assert val.labels.tolist() == [1, 0]


def test_an_image_without_a_line(small: Path) -> None:
    (small / "val/images/z.JPEG").touch()
    with pytest.raises(UserError, match=r"has no line for z\.JPEG"):
        open_split("tiny_imagenet", Request(small, "val"))
    first = min((small / "val/images").iterdir())
    first.unlink()
    split = open_split("tiny_imagenet", Request(small, "val"), keeps_faults=True)
    assert len(split) == len(split.labels) == 1
    assert [fault.split()[1:3] for fault in split.faults] == [["has", "no"], ["lacks", f"{first.name},"]]


def test_download(small: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(small, server.folder / "tiny-imagenet-200")
    zipped = shutil.make_archive(str(server.folder / "tiny"), "zip", server.folder, "tiny-imagenet-200")
    archive = tiny_imagenet.ARCHIVE._replace(url=f"{server.url}/tiny.zip", md5=md5_of(Path(zipped)))
    monkeypatch.setattr(tiny_imagenet, "ARCHIVE", archive)
    new = tmp_path / "new"
    train, val = (open_split("tiny_imagenet", Request(new, split), download=True) for split in ("train", "val"))
    assert server.requests == ["/tiny.zip"]
    assert [path.name for path in new.iterdir()] == ["tiny-imagenet-200"]
    assert (train.labels.tolist(), val.labels.tolist()) == ([0, 1], [1, 0])
    inner = Request(new / "tiny-imagenet-200", "val")
    assert open_split("tiny_imagenet", inner, download=True).labels.tolist() == [1, 0]
    shutil.rmtree(new / "tiny-imagenet-200" / "val")
    with pytest.raises(UserError, match=r"tiny-imagenet-200 is there but has no val: move that folder away"):
        open_split("tiny_imagenet", Request(new, "val"), download=True)
    with pytest.raises(UserError, match=r"no folder .*val .*--dataset_download fetches them"):
        open_split("tiny_imagenet", Request(new, "val"))


def test_the_real_ones(shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "tiny-imagenet-20.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    train, val = (
        open_split("tiny_imagenet", Request(tmp_path / "tiny-imagenet-20", split)) for split in ("train", "val")
    )
    assert np.bincount(train.labels).tolist() == [500] * 20
    assert np.bincount(val.labels).tolist() == [50] * 20
    assert all(
        path.name.startswith(list(train.class_to_index)[label])
        for path, label in zip(paths_of(train), train.labels, strict=True)
    )
