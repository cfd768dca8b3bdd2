"""Dropout masks drawn from the seed and the step, so that a resumed training draws the same ones."""

import numpy as np

from mindcv_shufflenet.data.seeds import Stream, generator
from mindcv_shufflenet.parallel.world import World


class DropoutMasks:
    """Draws the factors of the pooled features: 0, or ``1 / (1 - rate)``.

    They are drawn for the images of all ranks, so that they do not depend on how the ranks share the images out.

    Args:
        rate: share of the features that are dropped; 0: there are no masks.
        num_features: length of a mask.
        seed: of the training.
        world: this rank's place.
    """

    def __init__(self, rate: float, num_features: int, seed: int, world: World) -> None:
        self.rate = rate
        self.num_features = num_features
        self.seed = seed
        self.world = world

    def draw(self, images: int, step: int) -> np.ndarray | None:
        """Return the masks of this rank's images in a step of the whole training, ``[images, num_features] float32``.

        None: there is no dropout.
        """
        if not self.rate:
            return None
        draw = generator(self.seed, Stream.DROPOUT, step)
        kept = draw.random((images, self.world.size, self.num_features))[:, self.world.rank] >= self.rate
        return (kept / (1 - self.rate)).astype(np.float32)
