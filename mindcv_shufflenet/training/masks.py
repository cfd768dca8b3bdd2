"""Masks of dropout and stochastic depth, drawn from the seed and the step: a resumed training draws the same ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.data.seeds import Stream, generator
from mindcv_shufflenet.parallel.world import World


class Mask:
    """Draws factors that are 0, or ``1 / (1 - rate)``.

    They are drawn for the images of all ranks, so that they do not depend on how the ranks share the images out.

    Args:
        rates: share of zeros in each column; if all are 0, there is no mask.
        stream: what the mask is for.
        seed: of the training.
        world: this rank's place.
    """

    def __init__(self, rates: Sequence[float], stream: Stream, seed: int, world: World) -> None:
        self.rates = np.asarray(rates, np.float64)
        self.stream = stream
        self.seed = seed
        self.world = world

    def draw(self, images: int, step: int) -> np.ndarray | None:
        """Return the mask of this rank's images in a step of the whole training, ``[images, len(rates)] float32``.

        None: there is no mask.
        """
        if not self.rates.any():
            return None
        draw = generator(self.seed, self.stream, step)
        kept = draw.random((images, self.world.size, len(self.rates)))[:, self.world.rank] >= self.rates
        return (kept / (1 - self.rates)).astype(np.float32)


class Masks(NamedTuple):
    """The masks of a network.

    Attributes:
        dropout: of what the classifier reads.
        paths: of the residual branches.
    """

    dropout: Mask
    paths: Mask

    def draw(self, images: int, step: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return both masks, as :meth:`Mask.draw` does."""
        return self.dropout.draw(images, step), self.paths.draw(images, step)


def create_masks(drop_rate: float, num_features: int, path_rates: Sequence[float], seed: int, world: World) -> Masks:
    """Return the masks of a network.

    Args:
        drop_rate: of dropout.
        num_features: length of what the classifier reads.
        path_rates: of the residual branches.
        seed: of the training.
        world: this rank's place.
    """
    return Masks(
        Mask([drop_rate] * num_features, Stream.DROPOUT, seed, world), Mask(path_rates, Stream.PATHS, seed, world)
    )
