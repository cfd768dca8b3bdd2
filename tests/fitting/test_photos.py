"""What is measured of photos, and which of them are looked at."""

from pathlib import Path

import pytest
from PIL import ImageFilter

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.fitting.photos import measure
from tests.fitting.conftest import photos_of, scene


def test_dark_blurry_and_tiny_photos_are_measured() -> None:
    plain = measure(scene(0))
    assert measure(scene(0).filter(ImageFilter.GaussianBlur(6))).sharpness < 20 < plain.sharpness
    assert measure(scene(0).point(lambda level: level // 8)).brightness < 50 < plain.brightness
    assert (plain.width, plain.height) == (120, 90)


def test_too_many_photos_are_thinned_class_by_class(messy: Path, tmp_path: Path) -> None:
    for seed in range(40, 140):
        scene(seed, (40, 40)).save(messy / "a dog" / f"{seed}.png")
    photos = photos_of(messy, tmp_path, seconds=1e-9)
    assert photos.counts.tolist() == [20, 3, 8]
    assert photos.passed_over == 91


def test_photos_that_were_looked_at_are_thinned_to_what_there_is_time_for(messy: Path, tmp_path: Path) -> None:
    for seed in range(40, 140):
        scene(seed, (40, 40)).save(messy / "a dog" / f"{seed}.png")
    photos = photos_of(messy, tmp_path)
    few = photos.thinned(30)
    assert few.counts.tolist() == [27, 3, 8]
    assert len(few.paths) == len(few.stats) == len(few.copies) == len(few.labels) == len(few)
    assert few.passed_over == len(photos) - len(few)
    assert all(path.parent.name == few.class_names[label] for path, label in zip(few.paths, few.labels, strict=True))
    assert photos.thinned(len(photos)) is photos


def test_photos_of_one_class_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    scene(0).save(tmp_path / "photos" / "a" / "0.jpg")
    (tmp_path / "photos" / "b" / "0.jpg").write_bytes(b"no photo")
    with pytest.raises(UserError, match="photos of the class a alone to learn from: put the photos of each class"):
        photos_of(tmp_path / "photos", tmp_path)


def test_a_folder_around_the_class_folders_is_stepped_into(messy: Path, tmp_path: Path) -> None:
    around = tmp_path / "archive" / "photos"
    around.mkdir(parents=True)
    messy.rename(around / "train")
    assert photos_of(tmp_path / "archive", tmp_path).counts.tolist() == [10, 3, 8]


@pytest.mark.parametrize("names", [(), ("a", "b"), ("a/b/c",)])
def test_folders_without_photos_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = tmp_path / "photos"
    for name in ("", *names):
        (folder / name).mkdir(parents=True)
    scene(0).save(folder / "0.jpg")
    with pytest.raises(UserError, match="no folder in .* has photos: put the photos of each class into a folder"):
        photos_of(folder, tmp_path)


def test_photos_of_a_kind_that_is_not_read_and_damaged_ones_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.HEIC").touch()
    with pytest.raises(UserError, match="has photos; 1.HEIC is none: convert such files to JPEG"):
        photos_of(tmp_path / "photos", tmp_path)
    for name in ("a", "b"):
        (tmp_path / "photos" / name / "2.jpg").write_bytes(b"no photo")
    (tmp_path / "copies").rmdir()
    with pytest.raises(UserError, match="no photo of .* can be read, such as .*/a/2.jpg: "):
        photos_of(tmp_path / "photos", tmp_path)


def test_empty_class_folders_are_told_and_the_others_used(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    for seed in range(6):
        scene(seed).save(tmp_path / "photos" / "bd"[seed % 2] / f"{seed}.jpg")
    photos = photos_of(tmp_path / "photos", tmp_path)
    assert photos.class_names == ("b", "d")
    assert [fault.split()[2].rpartition("/")[2] for fault in photos.faults] == ["a", "c"]
