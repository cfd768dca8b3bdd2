"""Batches with a policy, with splits and with a schedule of the size."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.data.augmentation.views import Views
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.encoding import PixelOriginal
from mindcv_shufflenet.data.loader import Batch, Loader, train_loader
from mindcv_shufflenet.data.sources import Files, Pixels
from mindcv_shufflenet.options.config import parse_config

STILL: dict[str, Any] = {
    "hflip": 0.0,
    "train_crop": "padded",
    "crop_padding": 0,
    "shuffle": False,
    "mean": [0.0] * 3,
    "std": [1.0] * 3,
}
EVERY = ("randaug-m9-n2-mstd0.5", "autoaug", "autoaugr", "3a", "trivialaugwide", "augmix")


def split_of(count: int = 22, size: int = 16) -> Split:
    images = np.random.default_rng(0).integers(256, size=(count, size, size, 3), dtype=np.uint8)
    return Split(Pixels(images), np.arange(count, dtype=np.int32) % 3, ("a", "b", "c"), {"a": 0, "b": 1, "c": 2})


def loader(workers: int = 2, rank: int = 0, ranks: int = 1, split: Split | None = None, **options: Any) -> Loader:
    config = parse_config({"image_resize": 16, "batch_size": 4, "drop_remainder": False} | options)
    return train_loader(config, split or split_of(), workers, rank, ranks)


def bits(batches: list[Batch]) -> list[bytes]:
    return [batch.image.tobytes() + batch.label.tobytes() for batch in batches]


@pytest.mark.parametrize("policy", EVERY)
def test_a_policy_repeats_on_any_threads_and_from_any_batch(policy: str) -> None:
    options: dict[str, Any] = {"auto_augment": policy, "re_prob": 0.5, "aug_repeats": 2}
    whole = bits(list(loader(2, **STILL | {"shuffle": True} | options).batches(3)))
    assert bits(list(loader(1, **STILL | {"shuffle": True} | options).batches(3))) == whole
    crops = {"scale": (0.3, 1.0), "train_crop": "resized"}
    whole = bits(list(loader(2, **options | crops).batches(3)))
    assert bits(list(loader(2, **options | crops).batches(3, 2))) == whole[2:]
    assert bits(list(loader(2, **options | crops).batches(4))) != whole


def test_a_policy_draws_anew_for_each_image_and_epoch() -> None:
    same = split_of().take([0] * 12)
    epochs = [list(loader(split=same, auto_augment="augmix", **STILL).batches(epoch)) for epoch in (0, 1)]
    images = [image.tobytes() for batches in epochs for batch in batches for image in batch.image]
    assert len({*images}) == len(images)


def test_ranks_together_draw_what_one_rank_draws() -> None:
    options: dict[str, Any] = STILL | {"auto_augment": "trivialaugwide", "shuffle": True, "drop_remainder": True}
    parts = zip(*(loader(rank=rank, ranks=2, **options).batches(1) for rank in (0, 1)), strict=True)
    whole = list(loader(**options | {"batch_size": 8}).batches(1))
    for batch, (even, odd) in zip(whole, parts, strict=True):
        together = np.stack([even.image, odd.image], 1).reshape(batch.image.shape)
        np.testing.assert_array_equal(together, batch.image)


def test_files_and_pixels_have_the_same_views(tmp_path: Path) -> None:
    pixels = split_of(6)
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    assert isinstance(pixels.images, Pixels)
    for path, image in zip(paths, pixels.images.array, strict=True):
        path.write_bytes(PixelOriginal(image).encode(None))
    files = Split(Files(paths), pixels.labels, pixels.class_names, pixels.class_to_index)
    options: dict[str, Any] = STILL | {"auto_augment": "randaug-m9", "aug_splits": 3}
    assert bits(list(loader(split=files, **options).batches())) == bits(list(loader(split=pixels, **options).batches()))


def test_splits_are_the_clean_images_and_their_views() -> None:
    split = split_of()
    assert isinstance(split.images, Pixels)
    batches = list(loader(auto_augment="augmix", aug_splits=3, **STILL).batches())
    assert [batch.image.shape for batch in batches] == [(12, 3, 16, 16)] * 5 + [(6, 3, 16, 16)]
    for number, batch in enumerate(batches):
        clean, one, other = np.split(batch.image, 3)
        np.testing.assert_array_equal(clean, split.images.array[4 * number :][: len(clean)].transpose(0, 3, 1, 2))
        assert not np.array_equal(clean, one)
        assert not np.array_equal(one, other)
        labels = split.labels[4 * number :][: len(clean)]
        np.testing.assert_array_equal(batch.label, np.tile(labels, 3))
        assert (batch.label.dtype, batch.valid.all(), len(batch.valid)) == (np.int32, True, len(batch.image))


def test_views_share_the_crop_and_each_is_erased_in_another_place() -> None:
    """With a policy that changes nothing, both views are the same crop."""
    options: dict[str, Any] = {"auto_augment": "augmix", "aug_splits": 2, "scale": (0.1, 0.5), "batch_size": 22}
    whole, erased = loader(**options), loader(**options, re_prob=1.0, re_value=9.0)
    unchanged = Views(lambda image, _: image, seed=0, splits=2)
    for one in (whole, erased):
        one.augmentation = one.augmentation._replace(views=unchanged)
    (batch,), (holes,) = whole.batches(), erased.batches()
    first, second = np.split(batch.image, 2)
    np.testing.assert_array_equal(first, second)
    mask = (holes.image == 9).all(1)
    np.testing.assert_array_equal(np.where(mask[:, None], 9, batch.image), holes.image)
    assert mask.any((1, 2)).all()
    assert not (mask[:22] == mask[22:]).all((1, 2)).any()


@pytest.mark.parametrize("crop", ["padded", "resized"])
def test_the_size_follows_the_epoch(crop: str) -> None:
    """Every batch of an epoch has its size, and a run that begins there has the same batches."""
    options: dict[str, Any] = {"train_crop": crop, "image_resize_schedule": ["8@0", "12@2", "10@3"], "image_resize": 32}
    own = loader(**options)
    sizes = [{batch.image.shape[1:] for batch in own.batches(epoch)} for epoch in range(5)]
    assert sizes == [{(3, size, size)} for size in (8, 8, 12, 10, 10)]
    assert bits(list(loader(**options).batches(2, 3))) == bits(list(own.batches(2)))[3:]
    alone = loader(**options | {"image_resize_schedule": None, "image_resize": 12})
    assert bits(list(alone.batches(2))) == bits(list(own.batches(2)))


def test_smallest_batch_counts_the_views() -> None:
    splits: list[dict[str, Any]] = [{}, {"auto_augment": "augmix", "aug_splits": 3}]
    cases = itertools.product(splits, (4, 7))
    assert [loader(**options, batch_size=size).smallest_batch for options, size in cases] == [2, 1, 6, 3]
