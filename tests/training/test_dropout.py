"""Dropout masks depend on the seed, the step and the image alone."""

import numpy as np

from mindcv_shufflenet.parallel.world import World
from mindcv_shufflenet.training.dropout import DropoutMasks

ALONE = World()


def draw(rate: float = 0.25, seed: int = 0, step: int = 5, images: int = 8, world: World = ALONE) -> np.ndarray:
    mask = DropoutMasks(rate, 1000, seed, world).draw(images, step)
    assert mask is not None
    return mask


def test_the_share_and_the_size_of_what_is_kept() -> None:
    mask = draw(rate=0.25)
    assert (mask.shape, mask.dtype) == ((8, 1000), np.float32)
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((mask == 0).mean() - 0.25) < 0.02


def test_ranks_share_out_the_masks_of_one() -> None:
    """Images are dealt out one by one, so the masks are as well."""
    together = draw(images=8)
    for rank in (0, 1):
        np.testing.assert_array_equal(draw(images=4, world=World(rank, 2)), together[rank::2])


def test_another_step_or_seed_gives_other_masks() -> None:
    assert np.array_equal(draw(), draw())
    assert not np.array_equal(draw(), draw(step=6))
    assert not np.array_equal(draw(), draw(seed=1))


def test_no_dropout_has_no_masks() -> None:
    assert DropoutMasks(0.0, 1000, 0, World()).draw(8, 0) is None
