"""The folder data set on small trees of files, and on the real digits of ``../shared``."""

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import HeldOut, classes_of
from tests.data.sources import paths_of


def make(root: Path, *names: str) -> Path:
    """Empty files: a reader lists and does not open."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def relative(split, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths_of(split)]


def test_classes_are_sorted_folders_and_files_are_found_at_any_depth(tmp_path):
    make(
        tmp_path, "train/dog/2.PNG", "train/dog/deep/er/1.JpEg", "train/cat/b.jpg", "train/cat/a.bmp", "train/Ant/x.tif"
    )
    split = open_split("folder", Request(tmp_path, "train"))
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
    split = open_split("folder", Request(tmp_path, "val"))
    assert split.labels.tolist() == [2]
    assert split.class_names == ("a", "b", "c")
    assert split.num_classes == 3


def test_train_split_may_have_another_name(tmp_path):
    make(tmp_path, "learn/a/1.jpg", "learn/b/1.jpg", "val/b/1.jpg")
    assert open_split("folder", Request(tmp_path, "val", train_split="learn")).labels.tolist() == [1]


def test_val_alone_has_its_own_classes(tmp_path):
    make(tmp_path, "val/c/1.jpg", "val/b/1.jpg")
    assert open_split("folder", Request(tmp_path, "val")).class_names == ("b", "c")


def test_class_that_train_lacks(tmp_path):
    make(tmp_path, "train/a/1.jpg", "val/a/1.jpg", "val/zebra/1.jpg")
    with pytest.raises(UserError, match=r"class 'zebra' of .*val is not among the classes of .*train, 1 in all"):
        open_split("folder", Request(tmp_path, "val"))


def test_litter_and_hidden_things_are_left_out(tmp_path):
    make(tmp_path, "train/a/1.jpg", "train/a/Thumbs.db", "train/a/desktop.ini", "train/a/.DS_Store")
    make(tmp_path, "train/a/.cache/2.jpg", "train/.git/x.jpg", "train/LICENSE")
    assert relative(open_split("folder", Request(tmp_path, "train")), tmp_path) == ["train/a/1.jpg"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no folder .*train .folders in .*: none.: give --data_dir a folder that holds SPLIT/CLASS"),
        (["val/a/1.jpg"], "no folder .*train .folders in .*: val."),
        (["train/1.jpg"], "no class folders in .*train; expected is SPLIT/CLASS"),
        (["train/a/1.jpg", "train/2.jpg"], "train/2.jpg lies beside the class folders"),
        (["train/a/1.jpg", "train/b/.hidden.jpg"], "class folder .*train/b holds no image"),
        (["train/a/notes.txt"], r"class folder .*train/a holds no image .notes.txt is none of a known kind"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, files, message):
    make(tmp_path, *files)
    with pytest.raises(UserError, match=message) as caught:
        open_split("folder", Request(tmp_path, "train"))
    assert "\n" not in str(caught.value)


def test_all_faults_are_kept_for_who_asks_for_them(tmp_path):
    """The good images are there, of any layout; who does not ask is refused."""
    make(tmp_path, "train/a/1.jpg", "train/b/.hidden", "train/c/notes.txt", "train/2.jpg", "train/3.jpg", "val/a/1.jpg")
    make(tmp_path, "val/zebra/1.jpg", "val/yak/1.jpg", "flat/a/1.jpg", "flat/b/1.jpg", "flat/c/.hidden")
    (tmp_path / "train" / "d").mkdir()
    for name in ("a", "d"):
        (tmp_path / "train" / name / "loop").symlink_to(tmp_path / "train")
    train, val = (open_split("folder", Request(tmp_path, split), keeps_faults=True) for split in ("train", "val"))
    assert relative(train, tmp_path) == ["train/a/1.jpg"]
    assert [fault.removeprefix(f"{tmp_path}/train") for fault in train.faults] == [
        f"/2.jpg lies beside the class folders of {tmp_path}/train and so has no class: move it (and 1 more) into one"
        " or elsewhere",
        f"/a/loop is a link to a folder above itself ({tmp_path}/train): remove the link",
        f"class folder {tmp_path}/train/b holds no image: fill it or remove it",
        f"class folder {tmp_path}/train/c holds no image (notes.txt is none of a known kind): fill it or remove it",
        f"/d/loop is a link to a folder above itself ({tmp_path}/train): remove the link",
    ]
    assert relative(val, tmp_path) == ["val/a/1.jpg"]
    assert [fault.split()[1] for fault in val.faults] == ["'yak'", "'zebra'"]
    with pytest.raises(UserError, match=r"class 'yak' .* elsewhere \(`data check` lists 1 more\)$"):
        open_split("folder", Request(tmp_path, "val"))
    for split, images in (("train", 2), ("val", 0)):
        flat = open_split("folder", Request(tmp_path / "flat", split, val_ratio=0.2), keeps_faults=True)
        empty, alone = flat.faults
        assert "class folder" in empty
        assert "has two images, so none can be held out" in alone
        assert len(flat) == len(flat.labels) == images


def test_missing_data_dir(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*nowhere: --data_dir must name a folder that holds SPLIT/CLASS"):
        open_split("folder", Request(tmp_path / "nowhere", "train"))


def test_strangers_are_passed_over_and_counted(tmp_path):
    make(tmp_path, "train/a/1.jpg", "train/a/2.webp", "train/a/notes.txt", "train/b/1.jpg", "train/b/x/movie.mp4")
    split = open_split("folder", Request(tmp_path, "train"))
    assert relative(split, tmp_path / "train") == ["a/1.jpg", "a/2.webp", "b/1.jpg"]
    assert split.notes == (f"2 files without an image's suffix passed over (first: {tmp_path}/train/a/notes.txt)",)


def photos(root: Path, prefix: str = "", **counts: int) -> Path:
    return make(root, *(f"{prefix}{name}/{number:02}.jpg" for name, count in counts.items() for number in range(count)))


def pair(root: Path, **options: Any) -> tuple[Split, Split]:
    """The training and the validation split."""
    options = {"val_ratio": 0.2, **options}
    train, val = (open_split("folder", Request(root, split, **options)) for split in ("train", "val"))
    assert train.class_to_index == val.class_to_index
    assert train.held_out == val.held_out
    return train, val


def held_out(split: Split) -> tuple[str, ...]:
    assert split.held_out is not None
    return split.held_out.files


def test_class_folders_alone_are_split_by_class_and_seed(tmp_path):
    photos(tmp_path, ant=10, bee=3, cow=2, dog=1)
    train, val = pair(tmp_path)
    assert np.bincount(train.labels).tolist() == [8, 2, 1, 1]
    assert np.bincount(val.labels).tolist() == [2, 1, 1]
    assert sorted(paths_of(train) + paths_of(val)) == sorted(tmp_path.rglob("*.jpg"))
    assert train.notes[0] == val.notes[0]
    assert val.notes[0] == (
        f"{tmp_path} has no validation split; held out for it: 4 of its 16 images (val_ratio=0.2, seed=42)"
    )
    assert val.held_out == HeldOut(0.2, 42, tuple(relative(val, tmp_path)))
    # Fixed on every machine, whatever the other classes are; another seed and ratio draw others.
    assert held_out(val) == ("ant/07.jpg", "ant/08.jpg", "bee/02.jpg", "cow/01.jpg")
    photos(tmp_path, aardvark=5)
    assert set(held_out(val)) < set(held_out(pair(tmp_path)[1]))
    photos(tmp_path, ant=13)  # few change sides when files are added
    assert len(set(held_out(val)) - set(held_out(pair(tmp_path)[1]))) <= 1
    assert held_out(pair(tmp_path, seed=1)[1]) != held_out(pair(tmp_path)[1])
    assert np.bincount(pair(tmp_path, val_ratio=0.99)[0].labels).tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("name", ["valid", "foo"])
def test_class_folders_alone_have_no_validation_split_of_another_name(tmp_path, name):
    """Its images would be those of the training."""
    photos(tmp_path, ant=5, bee=5)
    for split in ("train", name):
        with pytest.raises(UserError, match=rf"no folder {tmp_path}/{name} .folders in .*: ant, bee"):
            open_split("folder", Request(tmp_path, split, val_split=name, val_ratio=0.2))
    whole = [open_split("folder", Request(tmp_path, "train", val_split=val, val_ratio=0.2)) for val in ("train", "val")]
    assert list(map(len, whole)) == [10, 8]


def test_what_the_run_held_out_stays_held_out(tmp_path):
    photos(tmp_path, a=10, b=10)
    before = pair(tmp_path)[1].held_out
    photos(tmp_path, a=15, new=3)
    train, val = pair(tmp_path, held_out=before, seed=7)
    assert tuple(relative(val, tmp_path)) == held_out(val)
    assert val.held_out == before
    assert len(train) == 28 - 4
    paths_of(val)[0].unlink()
    train, val = pair(tmp_path, held_out=before)
    assert (len(train), len(val)) == (24, 3)
    assert val.held_out == before
    assert "the 4 that the run holds out by its split.json, of which 1 are gone" in val.notes[0]
    make(tmp_path / "other", "x/1.jpg", "x/2.jpg", "y/1.jpg", "y/2.jpg")
    other = open_split("folder", Request(tmp_path / "other", "val", val_ratio=0.2, held_out=before))
    assert (len(other), "all of it is validated" in other.notes[0]) == (4, True)
    with pytest.raises(UserError, match="has none of the validation images of the run"):
        open_split("folder", Request(tmp_path / "other", "train", val_ratio=0.2, held_out=before))


def test_run_directories_and_litter_are_no_classes_and_an_odd_folder_is_named(tmp_path):
    photos(tmp_path, cat=5, dog=5)
    make(tmp_path, "__MACOSX/cat/._0.jpg")
    for name in ("config.yaml", "classes.json", "log.csv"):
        (tmp_path / "ckpt").mkdir(exist_ok=True)
        (tmp_path / "ckpt" / name).touch()
    assert pair(tmp_path)[0].class_names == ("cat", "dog")
    (tmp_path / "notes").mkdir()
    with pytest.raises(UserError, match=r"class folder .*/notes holds no image: fill it or remove it$"):
        pair(tmp_path)


def test_no_class_with_two_images(tmp_path):
    photos(tmp_path, a=1, b=1)
    with pytest.raises(UserError, match="no class in .* has two images, .* --val_split train"):
        pair(tmp_path)
    assert len(open_split("folder", Request(tmp_path, "train", val_split="train", val_ratio=0.2))) == 2


def test_another_name_of_the_validation_split_is_taken(tmp_path):
    photos(tmp_path, "train/", a=5, b=5)
    photos(tmp_path, "valid/", b=2)
    photos(tmp_path, "test/", a=3)
    train, val = pair(tmp_path)
    assert (len(train), val.labels.tolist()) == (10, [1, 1])
    assert val.notes[0] == f"there is no folder {tmp_path}/val: {tmp_path}/valid is validated in its place"
    photos(tmp_path, "validation/", a=1)
    assert pair(tmp_path)[1].labels.tolist() == [0]
    with pytest.raises(UserError, match="no folder .*/dev "):
        open_split("folder", Request(tmp_path, "dev", val_split="dev", val_ratio=0.2))


def test_without_validation_split_it_is_held_out_of_train_and_test_is_left_alone(tmp_path):
    photos(tmp_path, "train/", a=5, b=5)
    photos(tmp_path, "test/", a=3)
    train, val = pair(tmp_path)
    assert (len(train), len(val)) == (8, 2)
    assert all(file.startswith("train/") for file in held_out(val))
    assert val.notes[0].endswith("(val_ratio=0.2, seed=42); the folder test is not used")
    assert len(open_split("folder", Request(tmp_path, "train", val_split="test", val_ratio=0.2))) == 10


def test_a_class_may_be_called_train(tmp_path):
    photos(tmp_path, car=5, train=5, bus=5)
    train, val = pair(tmp_path)
    assert train.class_names == ("bus", "car", "train")
    assert (len(train), len(val)) == (12, 3)


@pytest.mark.parametrize("names", [("Train", "Val"), ("testing", "training")])
def test_splits_of_other_names_are_no_classes(tmp_path, names):
    for name in names:
        photos(tmp_path, f"{name}/", a=2, b=2)
    with pytest.raises(
        UserError, match=rf"folders in .*: {names[0]}.*; --train_split and --val_split take other names"
    ):
        pair(tmp_path)


def test_folders_without_images_are_no_classes(tmp_path):
    """As those of the folder in which somebody stands who names no other: one is a split, or half have none."""
    photos(tmp_path, docs=2)
    make(tmp_path, "src/main.py", "val/1.jpg")
    with pytest.raises(UserError, match=r"no folder .*train .* or CLASS/\*.jpg with images in every folder"):
        pair(tmp_path)
    (tmp_path / "val/1.jpg").unlink()
    (tmp_path / "val").rmdir()
    with pytest.raises(UserError, match=r"no folder .*train .*; they are no classes, since src holds no images"):
        pair(tmp_path)


def test_recorded_classes_decide_the_indices(tmp_path):
    photos(tmp_path, "val/", c0=1, c3=2)
    classes = classes_of(["c0", "c1", "c2", "c3", "4"], {"c0": 0, "c1": 1, "c2": 2, "c3": 3})
    split = open_split("folder", Request(tmp_path, "val", classes=classes))
    assert (split.labels.tolist(), split.class_names, split.is_guess) == ([0, 3, 3], classes.names, False)
    assert open_split("folder", Request(tmp_path, "val")).is_guess
    photos(tmp_path, "val/", zebra=1)
    with pytest.raises(
        UserError, match=r"class 'zebra' .* not among the classes that the checkpoint was trained on, 4 in all"
    ):
        open_split("folder", Request(tmp_path, "val", classes=classes))


def test_names_that_look_alike_are_one_class(tmp_path):
    photos(tmp_path, "train/", **{"cafe\u0301": 2, "zoo": 1})
    photos(tmp_path, "val/", **{"caf\u00e9": 1})
    train, val = pair(tmp_path)
    assert train.class_names == ("caf\u00e9", "zoo")
    assert val.labels.tolist() == [0]
    photos(tmp_path, "train/", **{"caf\u00e9": 3})
    assert pair(tmp_path)[0].labels.tolist() == [0] * 5 + [1]
    recorded = classes_of(["cafe\u0301", "zoo"], {"cafe\u0301": 0, "zoo": 1})
    assert recorded.indices == train.class_to_index


def test_classes_that_lie_too_deep(tmp_path):
    photos(tmp_path / "a", "train/dataset/", c0=2, c1=2)
    photos(tmp_path / "a", "val/dataset/", c0=1, c1=1)
    for split in ("train", "val"):
        with pytest.raises(UserError, match=r"deeper .*/c0 ... c1\): give (--.*)$") as caught:
            open_split("folder", Request(tmp_path / "a", split, val_ratio=0.2))
        assert str(caught.value).endswith("give --train_split train/dataset --val_split val/dataset")
    advised: dict[str, Any] = {"train_split": "train/dataset", "val_split": "val/dataset"}
    train = open_split("folder", Request(tmp_path / "a", "train/dataset", **advised, val_ratio=0.2))
    val = open_split("folder", Request(tmp_path / "a", "val/dataset", **advised, val_ratio=0.2))
    assert (train.labels.tolist(), val.labels.tolist()) == ([0, 0, 1, 1], [0, 1])
    photos(tmp_path / "b", "x/y/", c0=2, c1=2)
    with pytest.raises(UserError, match=f"give --data_dir {tmp_path}/b/x/y$"):
        pair(tmp_path / "b")
    assert len(pair(tmp_path / "b/x/y")[0]) == 2


def test_odd_classes_are_told(tmp_path):
    photos(tmp_path / "one", "train/", only=3)
    (note,) = open_split("folder", Request(tmp_path / "one", "train")).notes
    assert "has one class alone, only" in note
    photos(tmp_path / "deep", "train/cat/", day=1, night=1)
    photos(tmp_path / "deep", "train/dog/", day=1, night=1)
    split = open_split("folder", Request(tmp_path / "deep", "train"))
    assert split.class_names == ("cat", "dog")
    assert "hold folders alone" in split.notes[0]


def test_links_are_followed_but_not_in_circles(tmp_path):
    make(tmp_path, "elsewhere/1.jpg", "data/train/a/0.jpg")
    (tmp_path / "data/train/b").symlink_to(tmp_path / "elsewhere")
    assert relative(open_split("folder", Request(tmp_path / "data", "train")), tmp_path) == [
        "data/train/a/0.jpg",
        "data/train/b/1.jpg",
    ]
    (tmp_path / "data/train/a/up").symlink_to(tmp_path / "data/train")
    with pytest.raises(UserError, match=r"a/up is a link to a folder above itself"):
        open_split("folder", Request(tmp_path / "data", "train"))


def test_real_folder(shared, tmp_path):
    with tarfile.open(shared / "data" / "sign-language-digits-mini.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / "sign-language-digits-mini"
    train, val = open_split("folder", Request(root, "train")), open_split("folder", Request(root, "val"))
    assert np.bincount(train.labels).tolist() == [40] * 10
    assert np.bincount(val.labels).tolist() == [20] * 10
    assert all(path.parent.name == str(label) for path, label in zip(paths_of(val), val.labels, strict=True))
