"""What is drawn of a training is what its loader gives."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.training.data_show import data_show, rows_of
from tests.data.sources import pixels_of

# Nothing is drawn at random; an option below turns one thing on.
PLAIN = {
    "dataset": "digits", "image_resize": 16, "crop_pct": 1, "train_crop": "padded", "crop_padding": 0, "hflip": 0,
    "color_jitter": 0, "num_parallel_workers": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> Split:
    return open_split("digits", Request(Path(), "train")).take([0, 1, 2, 3])


def seen(config: Config, split: Split) -> np.ndarray:
    """What the network sees of each image in validation."""
    transform = create_transform(Preprocessing.of(config))
    return np.stack([transform.view(image) for image in pixels_of(split)])


def test_without_augmentation_every_view_is_as_validated(digits: Split) -> None:
    config = parse_config(PLAIN)
    rows = rows_of(config, digits, views=2, workers=1)
    assert [row.name for row in rows] == [digits.class_names[label] for label in digits.labels]
    for row, expected in zip(rows, seen(config, digits), strict=True):
        assert len(row.cells) == 3
        for cell in row.cells:
            np.testing.assert_array_equal(cell.pixels, expected)
            assert cell.shares == ()


def test_views_differ_and_come_again(digits: Split) -> None:
    config = parse_config({**PLAIN, "crop_padding": 4, "re_prob": 1, "aug_repeats": 2, "eval_shuffle": True})
    first, second = (rows_of(config, digits, views=2, workers=1) for _ in range(2))
    for one, same in zip(first, second, strict=True):
        assert (one.cells[1].pixels != one.cells[2].pixels).any()
        for cell, again in zip(one.cells, same.cells, strict=True):
            np.testing.assert_array_equal(cell.pixels, again.pixels)


def test_a_mixture_has_its_classes_and_their_shares(digits: Split) -> None:
    """Mixup adds half a batch before: image 2 to image 0, and so on."""
    config = parse_config({**PLAIN, "mixup": 1.0})
    split = digits
    rows = rows_of(config, split, views=1, workers=1)
    plain = seen(config, split).astype(float)
    for index, row in enumerate(rows):
        _, mixed = row.cells
        shares = dict(mixed.shares)
        own, other = (split.class_names[split.labels[place]] for place in (index, index - 2))
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert sum(shares.values()) == pytest.approx(1)
        expected = shares[own] * plain[index] + shares[other] * plain[index - 2]
        assert np.abs(mixed.pixels - expected).max() <= 1


def test_a_picture_of_a_training(tmp_path: Path) -> None:
    options = {**PLAIN, "epoch_size": 3, "batch_size": 100, "lr": 0.2, "warmup_epochs": 1}
    shown = data_show(options, tmp_path / "show.png", images=3, views=2)
    assert (shown.images, shown.views, shown.epochs, shown.steps_per_epoch) == (3, 2, 3, 14)
    assert shown.highest_lr == pytest.approx(0.2)
    with Image.open(tmp_path / "show.png") as picture:
        assert min(picture.size) > 500


@pytest.mark.parametrize(
    ("options", "images", "message"),
    [
        ({"batch_size": 5000}, 8, "batch_size=5000 and only 1437 training images"),
        ({}, 1000, "at most 100 images"),
        ({}, 0, "images=0: it must be a whole number above 0"),
    ],
)
def test_what_training_refuses_is_refused(
    tmp_path: Path, options: dict[str, object], images: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        data_show({**PLAIN, **options}, tmp_path / "show.png", images=images)
    assert not (tmp_path / "show.png").exists()


def test_augmentation_splits_are_views_too(digits: Split) -> None:
    """The first of them is not augmented."""
    config = parse_config({**PLAIN, "auto_augment": "augmix", "aug_splits": 3})
    for row in rows_of(config, digits, views=2, workers=1):
        plain, first, *_ = (cell.pixels for cell in row.cells)
        assert len(row.cells) == 1 + 2 * 3
        np.testing.assert_array_equal(first, plain)
