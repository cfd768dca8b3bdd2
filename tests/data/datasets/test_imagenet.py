"""The ImageNet reader on small trees of files, and on the 100 real images of ``../shared``."""

import ast
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import Request, open_split
from mindcv_shufflenet.errors import UserError
from tests.data.sources import paths_of


def make(root: Path, *names: str) -> None:
    """Empty files: a reader lists and does not open."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n")


def test_few_folders_have_their_true_indices(tmp_path):
    make(tmp_path, "val/n15075141/a.JPEG", "val/n01443537/b.JPEG")
    split = open_split("imagenet", Request(tmp_path, "val"))
    assert split.labels.tolist() == [1, 999]
    assert split.labels.dtype == np.int32
    assert split.num_classes == len(split.class_to_index) == 1000
    assert split.class_names[1] == "goldfish, Carassius auratus"
    assert split.class_names[999].startswith("toilet tissue")


def test_bundled_classes_are_those_of_the_published_lists(shared, imagenet_sample, tmp_path):
    make(tmp_path, "val/n01440764/a.JPEG")
    split = open_split("imagenet", Request(tmp_path, "val"))
    synsets = (imagenet_sample / "synsets.txt").read_text().split()
    names = ast.literal_eval((shared / "data" / "imagenet1000_clsidx_to_labels.txt").read_text())
    assert list(split.class_to_index) == synsets
    assert list(split.class_to_index.values()) == list(range(1000))
    assert split.class_names == tuple(names[index] for index in range(1000))


def test_real_images(imagenet_sample):
    split = open_split("imagenet", Request(imagenet_sample, "val"))
    assert len(split) == len(set(split.labels.tolist())) == 100
    # The files are called WNID_english_name.JPEG.
    for path, label in zip(paths_of(split), split.labels, strict=True):
        assert path.stem.split("_", 1)[1].replace("_", " ").lower() in split.class_names[label].lower()


def test_synsets_file_decides_index_and_name(tmp_path):
    make(tmp_path, "val/n00000002/a.JPEG", "val/n01440764/a.JPEG")
    write(tmp_path / "synsets.txt", "n00000002 my thing", "n01440764", "x7")
    split = open_split("imagenet", Request(tmp_path, "val"))
    assert split.class_names == ("my thing", "tench, Tinca tinca", "x7")
    assert split.labels.tolist() == [0, 1]


def test_class_folders_that_are_no_wnids_are_read_as_a_folder(tmp_path):
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/dog/1.jpg")
    val = open_split("imagenet", Request(tmp_path, "val"))
    assert (val.labels.tolist(), val.class_names) == ([1], ("cat", "dog"))
    assert val.notes == (f"{tmp_path} has classes of its own, not ImageNet's: it is read as with --dataset folder",)
    make(tmp_path, *(f"photos/{name}/{number}.jpg" for name in "ab" for number in range(5)))
    assert len(open_split("imagenet", Request(tmp_path / "photos", "train", val_ratio=0.2))) == 8


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_as_windows_writes_them(tmp_path, encoding):
    make(tmp_path, "val/a.JPEG", "val/b.JPEG")
    (tmp_path / "synsets.txt").write_bytes("n01 x\r\nn02 y\r\n".encode(encoding))
    (tmp_path / "val.txt").write_bytes("a.JPEG n02\r\nb.JPEG n01\r\n".encode(encoding))
    split = open_split("imagenet", Request(tmp_path, "val"))
    assert (split.labels.tolist(), split.class_names) == ([1, 0], ("x", "y"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["n1", "", "n2"], r"synsets.txt, line 2, is empty"),
        (["n1", "n2", "n1"], r"synsets.txt, line 3: n1 is there a second time"),
        (["n1"], r"folder .*val/n2 is not among the wnids of .*synsets.txt, 1 in all"),
    ],
)
def test_wrong_synsets_file(tmp_path, lines, message):
    make(tmp_path, "val/n1/a.JPEG", "val/n2/a.JPEG")
    write(tmp_path / "synsets.txt", *lines)
    with pytest.raises(UserError, match=message):
        open_split("imagenet", Request(tmp_path, "val"))


def test_unknown_wnid(tmp_path):
    make(tmp_path, "val/n01440764/a.JPEG", "val/n99999999/a.JPEG")
    with pytest.raises(UserError, match=r"val/n99999999 is not among the wnids of ImageNet-1K, 1000 in all"):
        open_split("imagenet", Request(tmp_path, "val"))
    make(tmp_path, "val/b.JPEG", "val/n01443537/notes.txt")
    split = open_split("imagenet", Request(tmp_path, "val"), keeps_faults=True)
    assert paths_of(split) == [tmp_path / "val/n01440764/a.JPEG"]
    assert [fault.removeprefix(f"{tmp_path}/val").split()[0] for fault in split.faults] == [
        "/b.JPEG",
        "folder",
        "class",
    ]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("val.txt", ["b.JPEG 999", "a.JPEG 0", "", "c.x.JPEG 1"]),
        ("val_labels.txt", ["a,n01440764", "b,n15075141", "c.x,n01443537"]),
        (
            "LOC_val_solution.csv",
            [
                "ImageId,PredictionString",
                "c.x,n01443537 1 2 3 4 ",
                "a,n01440764 85 1 499 272 n01440764 1 1 2 2",
                "b,n15075141 ",
            ],
        ),
    ],
)
def test_flat_split_takes_its_labels_from_the_list_beside_it(tmp_path, name, lines):
    make(tmp_path, "val/b.JPEG", "val/a.JPEG", "val/c.x.JPEG")
    write(tmp_path / name, *lines)
    split = open_split("imagenet", Request(tmp_path, "val"))
    assert paths_of(split) == [tmp_path / "val" / name for name in ("a.JPEG", "b.JPEG", "c.x.JPEG")]
    assert split.labels.tolist() == [0, 999, 1]
    assert split.labels.dtype == np.int32


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a 0"], r"val.txt has no line for the image .*val/b.JPEG"),
        (["a 0", "b 1", "c 2"], r"val.txt, line 3: no image 'c' in .*val \(3 labels, 2 images\)"),
        (["a 0", "b 1000"], r"val.txt, line 2: class index 1000 is out of range, it must be 0 to 999"),
        (["a 0", "b -1"], r"val.txt, line 2: '-1' is neither a known wnid nor a class index"),
        (["a 0", "b"], r"val.txt, line 2: '' is neither"),
        (["a 0", "b 1", "a.JPEG 2"], r"val.txt, line 3: a.JPEG has another label in line 1"),
    ],
)
def test_list_that_does_not_fit(tmp_path, lines, message):
    make(tmp_path, "val/a.JPEG", "val/b.JPEG")
    write(tmp_path / "val.txt", *lines)
    with pytest.raises(UserError, match=message):
        open_split("imagenet", Request(tmp_path, "val"))


def test_what_has_no_counterpart_is_left_out(tmp_path):
    make(tmp_path, "val/a.JPEG", "val/b.JPEG", "val/c.JPEG")
    write(tmp_path / "val.txt", "d 4", "c 3")
    split = open_split("imagenet", Request(tmp_path, "val"), keeps_faults=True)
    assert (paths_of(split), split.labels.tolist()) == ([tmp_path / "val" / "c.JPEG"], [3])
    assert len(split.faults) == 3


def test_flat_split_without_a_list_says_how_one_looks(tmp_path):
    make(tmp_path, "val/a.JPEG")
    with pytest.raises(
        UserError, match=r"val.txt with lines like 'a.JPEG n01440764' or 'a.JPEG 0'.*LOC_val_solution.csv"
    ):
        open_split("imagenet", Request(tmp_path, "val"))


def test_empty_split_and_loose_images(tmp_path):
    (tmp_path / "val").mkdir()
    with pytest.raises(UserError, match=r"no images in .*val; expected is SPLIT/WNID"):
        open_split("imagenet", Request(tmp_path, "val"))
    make(tmp_path, "val/n01440764/a.JPEG", "val/b.JPEG")
    with pytest.raises(UserError, match=r"val/b.JPEG lies beside the class folders"):
        open_split("imagenet", Request(tmp_path, "val"))
