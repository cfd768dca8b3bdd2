"""What is told of photos."""

from pathlib import Path

import numpy as np
from PIL import ImageFilter

from mindcv_shufflenet.fitting.head import margins_of, suspected
from mindcv_shufflenet.fitting.issues import KINDS, find_issues, label_issues, meaning
from mindcv_shufflenet.fitting.near_duplicates import groups_of
from tests.fitting.conftest import photos_of, scene


def test_a_messy_folder_is_told_and_used(messy: Path, tmp_path: Path) -> None:
    photos = photos_of(messy, tmp_path)
    assert photos.class_names == ("a dog", "one", "猫 🐱")
    assert photos.counts.tolist() == [10, 3, 8]
    turned = photos.stats[[path.name for path in photos.paths].index("turned.jpg")]
    assert (turned.width, turned.height) == (90, 120)
    assert all(copy.is_file() for copy in photos.copies)
    found = find_issues(photos, groups_of(photos.stats))
    told = {(one.kind, Path(one.subject).name) for one in found}
    assert ("unreadable", "damaged.jpg") in told
    assert ("not an image", "phone.heic") in told
    assert {kind for kind, _ in told} >= {"alike in two classes"}
    assert {kind for kind, _ in told} <= {*KINDS}
    assert next(one.detail for one in found if one.kind == "not an image") == "HEIC is not read"


def test_suspects_end_where_the_answer_is_the_label(messy: Path, tmp_path: Path) -> None:
    photos = photos_of(messy, tmp_path)
    probabilities = np.eye(3)[photos.labels] * 0.8 + 0.1
    probabilities[4] = [0.04, 0.95, 0.01] if photos.labels[4] != 1 else [0.95, 0.04, 0.01]
    doubts, margins = suspected(probabilities, photos.labels), margins_of(probabilities, photos.labels)
    (found,) = label_issues(photos, doubts, margins, probabilities)
    assert found.photo == 4
    assert found.subject == str(photos.paths[4])


def test_every_kind_has_a_meaning() -> None:
    assert all(meaning(kind) for kind in KINDS)


def test_photos_are_told_for_what_is_measured(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for seed in range(30):
            scene(seed + (0 if name == "a" else 50)).save(folder / name / f"{seed}.png")
    scene(200).point(lambda level: level // 8).save(folder / "a" / "dark.png")
    scene(201).filter(ImageFilter.GaussianBlur(6)).save(folder / "a" / "blurry.png")
    scene(202, (31, 40)).save(folder / "b" / "tiny.png")
    (folder / "rare").mkdir()
    for seed in (203, 204):
        scene(seed).save(folder / "rare" / f"{seed}.png")
    photos = photos_of(folder, tmp_path)
    found = find_issues(photos, groups_of(photos.stats))
    assert sorted((one.kind, Path(one.subject).stem) for one in found) == [
        ("blurry", "blurry"), ("dark", "dark"), ("rare class", "rare"), ("tiny", "tiny"),
    ]  # fmt: skip


def test_copies_on_both_sides_of_a_given_split_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for split in ("train", "val"):
        for label, name in enumerate("ab"):
            (folder / split / name).mkdir(parents=True)
            for seed in range(4):
                scene(10 * label + seed + 100 * (split == "val")).save(folder / split / name / f"{seed}.png")
    scene(0).save(folder / "val" / "a" / "copy.png")
    photos = photos_of(folder, tmp_path)
    (found,) = find_issues(photos, groups_of(photos.stats))
    assert (found.kind, Path(found.subject).name) == ("alike across the split", "copy.png")
