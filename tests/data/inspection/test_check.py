"""Faults of a data set: unreadable images, files that are no images, copies within and across splits and classes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.datasets import DATASETS, Reader, Request, Split, register_dataset
from mindcv_shufflenet.data.inspection.check import DataFindings, Duplicate, data_check
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.options import names
from tests.data.pictures import encode


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Different images of two classes, in two splits."""
    draw = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(3):
                Image.fromarray(draw.integers(0, 256, (12, 16, 3), np.uint8)).save(folder / f"{number}.png")
    return tmp_path


def check(folder: Path) -> DataFindings:
    return data_check({"dataset": "folder", "data_dir": str(folder), "num_parallel_workers": 2})


def images_of(duplicate: Duplicate, folder: Path) -> list[str]:
    return [str(Path(copy.image).relative_to(folder)) for copy in duplicate.copies]


def test_a_clean_data_set(photos: Path) -> None:
    findings = check(photos)
    assert findings.is_clean
    assert findings.images == {"train": 6, "val": 6}
    assert (findings.unreadable, findings.strangers, findings.duplicates) == ((), (), ())


def test_a_copy_is_found_by_its_pixels(photos: Path) -> None:
    """Under another name, as another kind of file, or turned in its metadata."""
    original = photos / "train" / "ant" / "1.png"
    shutil.copy(original, photos / "train" / "ant" / "same.png")
    with Image.open(original) as image:
        image.save(photos / "train" / "ant" / "saved.bmp")
        turned = Image.Exif()
        turned[0x0112] = 3
        image.transpose(Image.Transpose.ROTATE_180).save(photos / "train" / "ant" / "turned.png", exif=turned)
        image.transpose(Image.Transpose.ROTATE_180).save(photos / "train" / "ant" / "upside_down.png")
        Image.fromarray(np.asarray(image).reshape(16, 12, 3)).save(photos / "train" / "ant" / "other_shape.png")
    (duplicate,) = check(photos).duplicates
    assert images_of(duplicate, photos) == [
        f"train/ant/{name}" for name in ("1.png", "same.png", "saved.bmp", "turned.png")
    ]
    assert not duplicate.is_leak
    assert not duplicate.is_conflict


def test_copies_across_splits_and_classes(photos: Path) -> None:
    shutil.copy(photos / "train" / "ant" / "0.png", photos / "val" / "ant" / "leak.png")
    shutil.copy(photos / "train" / "ant" / "1.png", photos / "train" / "bee" / "conflict.png")
    shutil.copy(photos / "train" / "bee" / "2.png", photos / "val" / "ant" / "both.png")
    findings = check(photos)
    found = {tuple(images_of(one, photos)): (one.is_leak, one.is_conflict) for one in findings.duplicates}
    assert found == {
        ("train/ant/0.png", "val/ant/leak.png"): (True, False),
        ("train/ant/1.png", "train/bee/conflict.png"): (False, True),
        ("train/bee/2.png", "val/ant/both.png"): (True, True),
    }
    assert not findings.is_clean
    (conflict,) = [one for one in findings.duplicates if one.is_conflict and not one.is_leak]
    assert [(copy.split, copy.class_name, copy.label) for copy in conflict.copies] == [
        ("train", "ant", 0),
        ("train", "bee", 1),
    ]


def test_every_unreadable_image_is_named_with_its_reason(photos: Path) -> None:
    """Also one that only who decodes the whole picture can tell, and more than the ten that training names."""
    for number in range(12):
        (photos / "train" / "ant" / f"empty{number:02}.jpg").touch()
    bmp = encode("RGB", "BMP")
    (photos / "val" / "bee" / "cut.bmp").write_bytes(bmp[: len(bmp) // 2])
    findings = check(photos)
    assert [Path(image.image).name for image in findings.unreadable] == [
        *(f"empty{number:02}.jpg" for number in range(12)), "cut.bmp",
    ]  # fmt: skip
    assert [image.reason for image in findings.unreadable] == ["it is empty"] * 12 + ["it is cut short or damaged"]
    assert findings.duplicates == ()


def test_files_that_are_no_images(photos: Path) -> None:
    (photos / "train" / "ant" / "photo.heic").touch()
    (photos / "readme.txt").touch()  # is beside the images, not among them
    findings = check(photos)
    assert [Path(path).name for path in findings.strangers] == ["photo.heic"]
    assert not findings.is_clean


def test_an_empty_class_hides_nothing(photos: Path) -> None:
    """Nor a class that training lacks, nor that no image can be held out."""
    (photos / "train" / "cat").mkdir()
    shutil.copytree(photos / "val" / "bee", photos / "val" / "dog")
    shutil.copy(photos / "train" / "ant" / "0.png", photos / "val" / "ant" / "leak.png")
    findings = check(photos)
    assert [fault.split(":")[0] for fault in findings.faults] == [
        f"class folder {photos}/train/cat holds no image",
        f"class 'dog' of {photos}/val is not among the classes of {photos}/train, 3 in all",
    ]
    assert findings.images == {"train": 6, "val": 7}
    assert len(findings.duplicates) == 1
    shutil.rmtree(photos / "val")
    for name in ("ant", "bee"):
        for number in (1, 2):
            (photos / "train" / name / f"{number}.png").unlink()
    findings = check(photos)
    assert findings.images == {"train": 2, "val": 0}
    assert len(findings.faults) == 2
    assert not findings.is_clean


def test_images_that_are_held_out_are_a_split(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / "ant").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "ant" / f"{number}.png")
    (duplicate,) = check(tmp_path).duplicates
    assert len(duplicate.copies) == 10
    assert duplicate.is_leak


def test_pixels_in_memory_are_named_by_their_place() -> None:
    array = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)
    array[2] = array[0]

    def read(request: Request) -> Split:
        return Split(Pixels(array), np.array([0, 1, 0], np.int32), ("a", "b"), {"a": 0, "b": 1})

    register_dataset("three", Reader(read), names.Traits(needs_folder=False))
    try:
        findings = data_check({"dataset": "three", "val_split": "train"})
    finally:
        del DATASETS["three"], names.DATASETS["three"]
    (duplicate,) = findings.duplicates
    assert [copy.image for copy in duplicate.copies] == ["image 0 of train", "image 2 of train"]
    assert findings.images == {"train": 3}
