"""The folder data set on small trees of files, and on the real digits of ``../shared``."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import open_split
from mindcv_shufflenet.errors import UserError


def make(root: Path, *names: str) -> Path:
    """Empty files: a reader lists and does not open."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def relative(split, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in split.images]


def test_classes_are_sorted_folders_and_files_are_found_at_any_depth(tmp_path):
    make(
        tmp_path, "train/dog/2.PNG", "train/dog/deep/er/1.JpEg", "train/cat/b.jpg", "train/cat/a.bmp", "train/Ant/x.tif"
    )
    split = open_split("folder", tmp_path, "train")
    assert split.class_names == ("Ant", "cat", "dog")
    assert split.class_to_index == {"Ant": 0, "cat": 1, "dog": 2}
    assert relative(split, tmp_path / "train") == [
        "Ant/x.tif",
        "cat/a.bmp",
        "cat/b.jpg",
        "dog/2.PNG",
        "dog/deep/er/1.JpEg",
    ]
    np.testing.assert_array_equal(split.labels, [0, 1, 1, 2, 2])
    assert split.labels.dtype == np.int32
    assert len(split) == 5


def test_val_without_a_class_keeps_the_indices_of_train(tmp_path):
    make(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg", "val/c/1.jpg")
    split = open_split("folder", tmp_path, "val")
    assert split.labels.tolist() == [2]
    assert split.class_names == ("a", "b", "c")
    assert split.num_classes == 3


def test_train_split_may_have_another_name(tmp_path):
    make(tmp_path, "learn/a/1.jpg", "learn/b/1.jpg", "val/b/1.jpg")
    assert open_split("folder", tmp_path, "val", train_split="learn").labels.tolist() == [1]


def test_val_alone_has_its_own_classes(tmp_path):
    make(tmp_path, "val/c/1.jpg", "val/b/1.jpg")
    assert open_split("folder", tmp_path, "val").class_names == ("b", "c")


def test_class_that_train_lacks(tmp_path):
    make(tmp_path, "train/a/1.jpg", "val/a/1.jpg", "val/zebra/1.jpg")
    with pytest.raises(UserError, match=r"class 'zebra' of .*val is not among the 1 classes of .*train"):
        open_split("folder", tmp_path, "val")


def test_litter_and_hidden_things_are_left_out(tmp_path):
    make(tmp_path, "train/a/1.jpg", "train/a/Thumbs.db", "train/a/desktop.ini", "train/a/.DS_Store")
    make(tmp_path, "train/a/.cache/2.jpg", "train/.git/x.jpg", "train/LICENSE")
    assert relative(open_split("folder", tmp_path, "train"), tmp_path) == ["train/a/1.jpg"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no folder .*train .folders in .*: none.; expected is SPLIT/CLASS"),
        (["val/a/1.jpg"], "no folder .*train .folders in .*: val."),
        (["train/1.jpg"], "no class folders in .*train; expected is SPLIT/CLASS"),
        (["train/a/1.jpg", "train/2.jpg"], "train/2.jpg lies beside the class folders"),
        (["train/a/1.jpg", "train/b/.hidden.jpg"], "class folder .*train/b holds no image"),
        (["train/a/1.jpg", "train/a/notes.txt", "train/a/more.webp"], "train/a/more.webp is not an image"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, files, message):
    make(tmp_path, *files)
    with pytest.raises(UserError, match=message) as caught:
        open_split("folder", tmp_path, "train")
    assert "\n" not in str(caught.value)


def test_missing_data_dir(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*nowhere: --data_dir must name a folder that holds SPLIT/CLASS"):
        open_split("folder", tmp_path / "nowhere", "train")


def test_links_are_followed_but_not_in_circles(tmp_path):
    make(tmp_path, "elsewhere/1.jpg", "data/train/a/0.jpg")
    (tmp_path / "data/train/b").symlink_to(tmp_path / "elsewhere")
    assert relative(open_split("folder", tmp_path / "data", "train"), tmp_path) == [
        "data/train/a/0.jpg",
        "data/train/b/1.jpg",
    ]
    (tmp_path / "data/train/a/up").symlink_to(tmp_path / "data/train")
    with pytest.raises(UserError, match=r"a/up is a link to a folder above itself"):
        open_split("folder", tmp_path / "data", "train")


def test_real_folder(shared, tmp_path):
    with tarfile.open(shared / "data" / "sign-language-digits-mini.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / "sign-language-digits-mini"
    train, val = open_split("folder", root, "train"), open_split("folder", root, "val")
    assert np.bincount(train.labels).tolist() == [40] * 10
    assert np.bincount(val.labels).tolist() == [20] * 10
    assert all(path.parent.name == str(label) for path, label in zip(val.images, val.labels, strict=True))
