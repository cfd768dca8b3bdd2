"""Batches: complete, repeatable, and keyed by seed and epoch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import Batch, Loader, eval_loader, train_loader
from mindcv_shufflenet.data.sources import Files, Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from tests.data.sources import paths_of, pixels_of

PLAIN = {"hflip": 0.0, "color_jitter": None, "mean": [0.0] * 3, "std": [1.0] * 3, "crop_pct": 1.0}


def pixels(count: int = 10, size: int = 16) -> Split:
    """Images that are noise except for their first pixel, which is their number."""
    images = np.random.default_rng(0).integers(256, size=(count, size, size, 3), dtype=np.uint8)
    images[:, 0, 0] = np.arange(count)[:, None]
    return Split(Pixels(images), np.arange(count, dtype=np.int32) % 3, ("a", "b", "c"), {"a": 0, "b": 1, "c": 2})


def config(**options: Any) -> Config:
    return parse_config({"image_resize": 16, "batch_size": 4} | options)


def collect(loader: Loader, epoch: int = 0, first: int = 0) -> list[Batch]:
    return list(loader.batches(epoch, first))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 64])
def test_validation_sees_every_image_once_and_pads_the_last_batch(batch_size: int) -> None:
    split = pixels()
    loader = eval_loader(config(batch_size=batch_size, **PLAIN), split, workers=2)
    batches = collect(loader)
    assert len(batches) == len(loader)
    assert len({batch.image.shape for batch in batches}) == 1
    images = np.concatenate([batch.image[batch.valid] for batch in batches])
    np.testing.assert_array_equal(images, pixels_of(split).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(np.concatenate([batch.label[batch.valid] for batch in batches]), split.labels)
    assert (images.dtype, batches[0].label.dtype) == (np.float32, np.int32)


def numbers(images: np.ndarray) -> list[int]:
    return [int(number) for number in images[:, 0, 0, 0]]


def order(loader: Loader, epoch: int) -> list[int]:
    return [number for batch in loader.batches(epoch) for number in numbers(batch.image)]


def shuffled(seed: int = 1, workers: int = 2, **options: Any) -> Loader:
    """A loader that shuffles but whose images stay as they are."""
    loader = train_loader(config(seed=seed, **(PLAIN | options)), pixels(), workers)
    loader.operations = eval_loader(config(**PLAIN), pixels(), workers).operations
    return loader


def test_training_shuffles_anew_each_epoch_by_the_seed_alone() -> None:
    orders = [order(shuffled(drop_remainder=False), epoch) for epoch in range(3)]
    assert all(sorted(numbers) == list(range(10)) for numbers in orders)
    assert len({tuple(numbers) for numbers in orders}) == 3
    assert orders[1] == order(shuffled(drop_remainder=False, workers=1), 1)
    assert orders[1] != order(shuffled(seed=2, drop_remainder=False), 1)
    assert order(shuffled(shuffle=False, drop_remainder=False), 1) == list(range(10))


def test_the_last_batch_is_dropped_or_shorter() -> None:
    assert [len(batch.label) for batch in collect(shuffled())] == [4, 4]
    assert [len(batch.label) for batch in collect(shuffled(drop_remainder=False))] == [4, 4, 2]


AUGMENTED = {"re_prob": 0.5, "color_jitter": 0.4, "vflip": 0.5, "mixup": 0.2, "cutmix": 1.0, "aug_repeats": 2}


@pytest.mark.parametrize("encoded", [False, True], ids=["pixels", "files"])
@pytest.mark.parametrize("crop", ["resized", "padded"])
def test_an_epoch_repeats_bit_for_bit_and_from_any_batch(tmp_path: Path, encoded: bool, crop: str) -> None:
    split = pixels(count=39, size=24)
    if encoded:
        split = replace(split, images=write(tmp_path, split))
    options = config(train_crop=crop, drop_remainder=False, **AUGMENTED)
    whole = collect(train_loader(options, split, workers=2), epoch=3)
    again = collect(train_loader(options, split, workers=2), epoch=3, first=4)
    other = collect(train_loader(options, split, workers=2), epoch=4)
    for name in ("image", "label"):
        bits = [[getattr(batch, name).tobytes() for batch in batches] for batches in (whole[4:], again)]
        assert bits[0] == bits[1]
    assert [len(batch.label) for batch in again] == [4, 4, 4, 4, 4, 3]
    assert whole[0].image.tobytes() != other[0].image.tobytes()
    assert whole[0].image.shape == (4, 3, 16, 16)


def write(folder: Path, split: Split) -> Files:
    paths = [folder / f"{number:03}.png" for number in range(len(split))]
    for path, image in zip(paths, pixels_of(split), strict=True):
        Image.fromarray(image).save(path)
    return Files(paths)


@pytest.mark.parametrize("padding", [None, 0, 1])
def test_a_padded_crop_is_the_image_shifted_over_black(padding: int | None) -> None:
    """By default by up to an eighth of the size, 2 pixels of 16."""
    largest = 2 if padding is None else padding
    options = config(train_crop="padded", crop_padding=padding, batch_size=1, **(PLAIN | {"drop_remainder": False}))
    split = pixels(count=30)
    np.maximum(pixels_of(split), 1, out=pixels_of(split))
    shifts = set()
    for batch in collect(train_loader(options, split, workers=1)):
        image = batch.image[0].transpose(1, 2, 0)
        padded = [np.pad(original, [(2, 2), (2, 2), (0, 0)]) for original in pixels_of(split)]
        found = [
            (top - 2, left - 2)
            for original in padded
            for top in range(5)
            for left in range(5)
            if (original[top : top + 16, left : left + 16] == image).all()
        ]
        assert len(found) == 1
        shifts |= set(found)
    assert max(abs(shift) for pair in shifts for shift in pair) == largest
    assert len(shifts) > 2 * largest


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(UserError, match="batch_size=64 and only 10 training images.*--batch_size 10"):
        train_loader(config(batch_size=64), pixels(), workers=1)


def test_an_image_that_breaks_later_is_named(tmp_path: Path) -> None:
    split = pixels()
    broken = replace(split, images=write(tmp_path, split))
    path = paths_of(broken)[7]
    path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(UserError, match=r"007\.png"):
        collect(eval_loader(config(**PLAIN), broken, workers=1))


def of_rank(rank: int, ranks: int, count: int = 26, **options: Any) -> Loader:
    """One rank's part of a loader whose images stay as they are."""
    loader = train_loader(config(**(PLAIN | options)), pixels(count), 1, rank, ranks)
    loader.operations = eval_loader(config(**PLAIN), pixels(), 1).operations
    return loader


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("drop", [True, False])
def test_ranks_share_the_steps_of_one_rank(ranks: int, drop: bool) -> None:
    """What all ranks read in a step is what one rank with their batches together reads, in its order."""
    loaders = [of_rank(rank, ranks, drop_remainder=drop) for rank in range(ranks)]
    whole = of_rank(0, 1, batch_size=4 * ranks, drop_remainder=drop)
    assert {len(loader) for loader in loaders} == {len(whole)}
    together = zip(*map(collect, loaders), strict=True)
    steps = [numbers(np.stack([batch.image for batch in parts], 1).reshape(-1, 3, 16, 16)) for parts in together]
    expected = [numbers(batch.image) for batch in collect(whole)]
    filled_up = 0 if drop else -(26 % (4 * ranks)) % ranks
    assert {loader.filled_up for loader in loaders} == {filled_up}
    if filled_up:
        expected[-1] += expected[0][:filled_up]
    assert steps == expected


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("size", [2, 6])
def test_partners_are_the_same_on_any_number_of_ranks(size: int, drop: bool) -> None:
    """Mixed and partly erased images and their targets, with repetitions of which each is erased in its own way."""
    options = {"mixup": 0.4, "cutmix": 1.0, "re_prob": 0.5, "aug_repeats": 3, "drop_remainder": drop}
    ranks = 12 // size
    loaders = [of_rank(rank, ranks, 28, batch_size=size, **options) for rank in range(ranks)]
    whole = of_rank(0, 1, 28, batch_size=12, **options)
    for epoch in range(4):
        batches = zip(collect(whole, epoch), *(collect(loader, epoch) for loader in loaders), strict=True)
        for number, (batch, *shares) in enumerate(batches):
            if number == 2 and size == 2:
                continue  # six ranks fill up the last four images
            for name in ("image", "label"):
                together = np.stack([getattr(share, name) for share in shares], 1)
                np.testing.assert_array_equal(together.reshape(-1, *together.shape[2:]), getattr(batch, name))
    assert len(whole) == (2 if drop else 3)


def test_repeated_augmentation() -> None:
    """Every image that an epoch shows it shows three times in a row, so that ranks draw each in their own way."""
    epochs = [order(shuffled(aug_repeats=3, drop_remainder=False), epoch) for epoch in range(8)]
    assert all(len(shown) == 10 and shown[:9:3] == shown[1:9:3] == shown[2:9:3] for shown in epochs)
    assert all(len(set(shown)) == 4 for shown in epochs)
    assert {number for shown in epochs for number in shown} == set(range(10))
    shares = [of_rank(rank, 3, 30, aug_repeats=3) for rank in range(3)]
    assert order(shares[0], 5) == order(shares[1], 5) == order(shares[2], 5)
    with pytest.raises(UserError, match="aug_repeats=11 and only 10 training images"):
        shuffled(aug_repeats=11)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_repeated_image_is_augmented_anew(workers: int) -> None:
    batches = collect(train_loader(config(aug_repeats=4, scale=(0.1, 0.9)), pixels(8), workers))
    for batch in batches:
        assert len(set(batch.label)) == 1
        assert len({image.tobytes() for image in batch.image}) == 4


@pytest.mark.parametrize(("count", "ranks"), [(26, 2), (26, 3), (7, 3), (2, 3)])
def test_ranks_validate_every_image_once(count: int, ranks: int) -> None:
    split = pixels(count)
    loaders = [eval_loader(config(**PLAIN), split, 1, rank, ranks) for rank in range(ranks)]
    parts = [collect(loader) for loader in loaders]
    assert [len(part) for part in parts] == [len(loader) for loader in loaders]
    assert len({batch.image.shape for part in parts for batch in part}) == 1
    seen = [number for part in parts for batch in part for number in numbers(batch.image[batch.valid])]
    assert seen == list(range(count))


def test_ranks_draw_other_augmentations() -> None:
    options = config(image_resize=16, batch_size=4, scale=(0.1, 0.5), shuffle=False)
    split = pixels(8).take([0] * 8)
    one, other = (train_loader(options, split, 1, rank, 2) for rank in (0, 1))
    assert not np.array_equal(collect(one)[0].image, collect(other)[0].image)


@pytest.mark.parametrize(
    ("count", "ranks", "told"),
    [
        (7, 2, r"batch_size=4 on 2 ranks and only 7 training images.*--batch_size 3"),
        (2, 3, "start as many as images at most"),
    ],
)
def test_too_few_images_for_the_ranks_are_told(count: int, ranks: int, told: str) -> None:
    with pytest.raises(UserError, match=told):
        train_loader(config(), pixels(count), 1, 0, ranks)
