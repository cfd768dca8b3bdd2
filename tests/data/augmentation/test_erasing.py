"""Random erasing by its parameters."""

from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.data.augmentation.erasing import Erasing


def erased(count: int = 400, size: int = 32, channels: int = 3, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels of images of ones were erased, ``[count, size, size]``, and the images."""
    defaults: dict[str, Any] = {
        "probability": 1.0,
        "scale": (0.02, 0.33),
        "ratio": (0.3, 3.3),
        "value": 0.0,
        "max_attempts": 10,
    }
    images = np.ones((count, channels, size, size), np.float32)
    Erasing(**(defaults | options))(images, range(count), seed=1, epoch=2)
    return (images != 1).any(axis=1), images


def test_the_rectangle_is_whole_and_within_its_bounds() -> None:
    masks, images = erased()
    for mask, image in zip(masks, images, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        h, w = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert mask.sum() == h * w
        assert (image[:, mask] == 0).all()
        assert 0.02 * 0.8 < h * w / 32**2 < 0.33 * 1.1
        assert 0.3 * 0.7 < h / w < 3.3 * 1.4
    assert masks[:, 0].any()
    assert masks[:, -1].any()


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_the_probability(probability: float) -> None:
    masks, _ = erased(probability=probability)
    assert masks.any(axis=(1, 2)).mean() == pytest.approx(probability, abs=0.08)


def test_one_value_a_channel_and_random_values() -> None:
    masks, images = erased(value=[2.0, 3.0, 4.0])
    assert [set(np.unique(images[0][c][masks[0]])) for c in range(3)] == [{2.0}, {3.0}, {4.0}]
    masks, images = erased(value="random")
    values = np.concatenate([image[:, mask].ravel() for mask, image in zip(masks, images, strict=True)])
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)


def test_a_draw_depends_on_seed_epoch_and_place_alone() -> None:
    options: dict[str, Any] = {
        "probability": 0.5,
        "scale": (0.02, 0.33),
        "ratio": (0.3, 3.3),
        "value": "random",
        "max_attempts": 10,
    }

    def run(places: list[int], seed: int, epoch: int) -> np.ndarray:
        images = np.zeros((len(places), 3, 16, 16), np.float32)
        Erasing(**options)(images, places, seed, epoch)
        return images

    together = run([3, 4, 5], 1, 2)
    np.testing.assert_array_equal(together[1:2], run([4], 1, 2))
    everything = [run(list(range(20)), seed, epoch).tobytes() for seed, epoch in ((1, 2), (2, 2), (1, 3))]
    assert len(set(everything)) == 3


def test_an_impossible_rectangle_leaves_the_image_alone() -> None:
    masks, _ = erased(count=5, scale=(2.0, 2.0), max_attempts=3)
    assert not masks.any()
