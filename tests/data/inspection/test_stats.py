"""Counts, sizes, mean and standard deviation of a data set, against numpy on the same pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.inspection.stats import data_stats
from mindcv_shufflenet.errors import UserError


def save(path: Path, pixels: np.ndarray, **options: Any) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, list[np.ndarray]]:
    """Training images of several sizes and kinds, their pixels, and two validation images."""
    draw = np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    train = tmp_path / "train"
    pixels = [
        save(train / "ant" / "a.png", draw.integers(0, 200, (10, 20, 3), np.uint8)),
        save(train / "ant" / "b.bmp", draw.integers(50, 256, (40, 30, 3), np.uint8)),
        save(train / "ant" / "c.png", draw.integers(0, 256, (6, 24, 3), np.uint8), exif=turned),
        np.repeat(save(train / "bee" / "d.png", draw.integers(0, 256, (5, 5), np.uint8))[..., None], 3, axis=2),
    ]
    (train / "bee" / "e.jpg").write_bytes(b"no image")
    save(tmp_path / "val" / "ant" / "f.png", np.zeros((8, 8, 3), np.uint8))
    save(tmp_path / "val" / "bee" / "g.png", np.zeros((8, 8, 3), np.uint8))
    return tmp_path, pixels


@pytest.mark.parametrize("workers", [1, 2])
def test_figures_are_those_of_all_training_pixels(photos: tuple[Path, list[np.ndarray]], workers: int) -> None:
    folder, pixels = photos
    stats = data_stats({"dataset": "folder", "data_dir": str(folder), "num_parallel_workers": workers})
    flat = np.concatenate([image.reshape(-1, 3) for image in pixels]).astype(np.float64)
    assert stats.mean == pytest.approx(flat.mean(axis=0), rel=1e-12)
    assert stats.std == pytest.approx(flat.std(axis=0), rel=1e-12)
    assert not stats.is_grey
    assert stats.class_names == ("ant", "bee")
    assert (stats.train.images, stats.train.per_class) == (5, (3, 2))
    assert (stats.splits["val"].images, stats.splits["val"].per_class) == (2, (1, 1))
    sizes = stats.train.sizes
    assert sizes is not None
    assert (sizes.smallest, sizes.median, sizes.largest) == ((5, 5), (20, 10), (30, 40))
    assert sizes.aspect_ratios == (6 / 24, 1, 2)  # the turned image is 6 wide and 24 high
    ((unreadable,), reason) = stats.train.unreadable, "its header is not that of an image"
    assert (unreadable.image, unreadable.reason) == (str(folder / "train" / "bee" / "e.jpg"), reason)


def test_pixels_in_memory_and_grey_images() -> None:
    stats = data_stats({"dataset": "digits"})
    assert stats.is_grey
    assert stats.train.images == sum(stats.train.per_class) == 1437
    assert stats.train.sizes is not None
    assert stats.train.sizes.largest == (8, 8)


def test_without_a_readable_image(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / "ant").mkdir(exist_ok=True)
        (tmp_path / "ant" / f"{number}.jpg").touch()
    stats = data_stats({"dataset": "folder", "data_dir": str(tmp_path)})
    assert (stats.mean, stats.std, stats.train.sizes, stats.is_grey) == (None, None, None, False)
    assert [image.reason for image in stats.train.unreadable] == ["it is empty"] * 3


def test_an_image_a_class(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """None can be held out for validation, which is told; and what there is has figures."""
    for name in ("ant", "bee"):
        save(tmp_path / name / "1.png", np.full((4, 6, 3), 9, np.uint8))
    with caplog.at_level("INFO"):
        stats = data_stats({"dataset": "folder", "data_dir": str(tmp_path)})
    assert "has two images, so none can be held out for validation" in caplog.text
    assert (stats.train.per_class, stats.splits["val"].per_class) == ((1, 1), (0, 0))
    assert (stats.mean, stats.splits["val"].sizes) == ((9.0, 9.0, 9.0), None)


def test_what_is_packed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has packed images; name the data set that they were packed from"):
        data_stats({"dataset": "mindrecord", "data_dir": str(tmp_path)})
