"""Mixup and CutMix by their parameters."""

import numpy as np
import pytest

from mindcv_shufflenet.data.augmentation.mixing import Mixing

CLASSES = 8
LABELS = np.array([0, 1, 2, 3, 4, 5], np.int32)


def batch(size: int = 16) -> np.ndarray:
    """Images whose pixels are all their number."""
    return np.ones((len(LABELS), 3, size, size), np.float32) * np.arange(len(LABELS))[:, None, None, None]


def mixed(
    step: int = 0, mixup: float = 0.0, cutmix: float = 0.0, probability: float = 1.0, size: int = 16
) -> list[np.ndarray]:
    images = batch(size)
    return [images, Mixing(mixup, cutmix, probability, CLASSES)(images, LABELS, 1, 2, step)]


def test_mixup_adds_an_image_and_the_one_half_a_batch_away() -> None:
    shares = []
    for step in range(200):
        images, targets = mixed(step, mixup=0.4)
        share = float(targets[0, 0])
        partners = np.array([3, 4, 5, 0, 1, 2])
        np.testing.assert_allclose(images, share * batch() + (1 - share) * batch()[partners], atol=1e-5)
        np.testing.assert_allclose(targets, share * np.eye(6, 8) + (1 - share) * np.eye(6, 8)[partners], atol=1e-6)
        shares.append(share)
    # Beta(0.4, 0.4) has mean 1/2 and variance 1 / (4 * (2 * 0.4 + 1))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)
    assert np.var(shares) == pytest.approx(1 / 7.2, abs=0.02)


def test_cutmix_pastes_a_rectangle_and_counts_its_pixels() -> None:
    borders = set()
    for step in range(200):
        images, targets = mixed(step, cutmix=1.0)
        pasted = images[0, 0] == 3
        np.testing.assert_array_equal(images[:3], np.where(pasted, batch()[3:], batch()[:3]))
        np.testing.assert_array_equal(images[3:], np.where(pasted, batch()[:3], batch()[3:]))
        assert targets[0, 0] == pytest.approx(1 - pasted.mean())
        np.testing.assert_allclose(targets.sum(axis=1), 1)
        if pasted.any():
            rows, columns = pasted.any(axis=1), pasted.any(axis=0)
            assert pasted.sum() == rows.sum() * columns.sum()
            assert pasted[rows.argmax() : rows.argmax() + rows.sum()].any(axis=1).all()
            borders |= {("top", rows[0]), ("bottom", rows[-1]), ("left", columns[0]), ("right", columns[-1])}
    assert len(borders) == 8


def test_each_kind_has_half_of_the_batches() -> None:
    cut = [set(np.unique(mixed(step, 1.0, 1.0)[0][0])) <= {0, 3} for step in range(300)]
    assert np.mean(cut) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_the_probability(probability: float) -> None:
    batches = [mixed(step, mixup=1.0, probability=probability) for step in range(300)]
    untouched = [np.array_equal(images, batch()) for images, _ in batches]
    assert np.mean(untouched) == pytest.approx(1 - probability, abs=0.08)
    for (_, targets), whole in zip(batches, untouched, strict=True):
        assert np.array_equal(targets, np.eye(6, 8)) == whole


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_rectangles_have_the_area_of_the_paper(alpha: float) -> None:
    """The side is the root of what Beta(alpha, alpha) leaves of a square image, if no border cuts it off."""
    shares = np.array([mixed(step, cutmix=alpha, size=64)[1][0, 0] for step in range(1000)])
    rng = np.random.default_rng(0)
    side, centre = np.sqrt(1 - rng.beta(alpha, alpha, 20_000)), rng.random((2, 20_000))
    lengths = np.minimum(centre + side / 2, 1) - np.maximum(centre - side / 2, 0)
    expected = 1 - lengths.prod(axis=0)
    assert shares.mean() == pytest.approx(expected.mean(), abs=0.04)
    assert shares.std() == pytest.approx(expected.std(), abs=0.04)


def test_an_odd_batch_and_a_single_image() -> None:
    labels = LABELS[:3]
    for step in range(20):
        images = batch()[:3]
        targets = Mixing(0.4, 0.0, 1.0, CLASSES)(images, labels, 1, 2, step)
        share = float(targets[0, 0])
        np.testing.assert_allclose(images, share * batch()[:3] + (1 - share) * batch()[[2, 0, 1]], atol=1e-5)
        np.testing.assert_allclose(targets, share * np.eye(3, 8) + (1 - share) * np.eye(3, 8)[[2, 0, 1]], atol=1e-6)
        images = batch()[4:5]
        targets = Mixing(0.2, 1.0, 1.0, CLASSES)(images, LABELS[4:5], 1, 2, step)
        np.testing.assert_allclose(images, batch()[4:5], rtol=1e-6)
        np.testing.assert_allclose(targets, np.eye(8)[4:5], rtol=1e-6)


def test_two_images_of_one_class_keep_it_whole() -> None:
    targets = Mixing(0.2, 0.0, 1.0, CLASSES)(batch()[:2], np.array([3, 3], np.int32), 1, 2, 3)
    np.testing.assert_allclose(targets, np.eye(8)[[3, 3]], rtol=1e-6)


def test_from_an_epoch_on_nothing_is_mixed_and_targets_keep_their_form() -> None:
    mixing = Mixing(1.0, 1.0, 1.0, CLASSES, off_epoch=3)
    for epoch, is_mixed in ((2, True), (3, False), (4, False)):
        images = batch()
        targets = mixing(images, LABELS, 1, epoch, 0)
        assert np.array_equal(images, batch()) != is_mixed
        assert np.array_equal(targets, np.eye(6, 8, dtype=np.float32)) != is_mixed
        assert targets.dtype == np.float32
    always, never = Mixing(1.0, 1.0, 1.0, CLASSES), batch()
    always(never, LABELS, 1, 1000, 0)
    assert not np.array_equal(never, batch())
