"""Masks depend on the seed, the step and the image alone."""

import numpy as np

from mindcv_shufflenet.data.seeds import Stream
from mindcv_shufflenet.parallel.world import World
from mindcv_shufflenet.training.masks import Mask, create_masks

ALONE = World()


def draw(
    rate: float = 0.25, seed: int = 0, step: int = 5, images: int = 8, world: World = ALONE,
    stream: Stream = Stream.DROPOUT,
) -> np.ndarray:  # fmt: skip
    mask = Mask([rate] * 1000, stream, seed, world).draw(images, step)
    assert mask is not None
    return mask


def test_the_share_and_the_size_of_what_is_kept() -> None:
    mask = draw(rate=0.25)
    assert (mask.shape, mask.dtype) == ((8, 1000), np.float32)
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((mask == 0).mean() - 0.25) < 0.02


def test_each_column_has_its_rate() -> None:
    mask = Mask([0.0, 0.2, 0.5], Stream.PATHS, 0, ALONE).draw(4000, 0)
    assert mask is not None
    np.testing.assert_allclose((mask == 0).mean(axis=0), [0, 0.2, 0.5], atol=0.03)
    np.testing.assert_array_equal(mask.max(axis=0), np.array([1, 1.25, 2], np.float32))


def test_ranks_share_out_the_masks_of_one() -> None:
    """Images are dealt out one by one, so the masks are as well."""
    together = draw(images=8)
    for rank in (0, 1):
        np.testing.assert_array_equal(draw(images=4, world=World(rank, 2)), together[rank::2])


def test_another_step_seed_or_purpose_gives_other_masks() -> None:
    assert np.array_equal(draw(), draw())
    assert not np.array_equal(draw(), draw(step=6))
    assert not np.array_equal(draw(), draw(seed=1))
    assert not np.array_equal(draw(), draw(stream=Stream.PATHS))


def test_what_is_off_has_no_mask() -> None:
    assert create_masks(0.0, 1000, (0.0, 0.0), 0, World()).draw(8, 0) == (None, None)
    dropout, paths = create_masks(0.0, 1000, (0.0, 0.5), 0, World()).draw(8, 0)
    assert dropout is None
    assert paths is not None
    assert paths.shape == (8, 2)
