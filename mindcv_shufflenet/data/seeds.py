"""Random streams keyed by seed, purpose and position.

Every draw of a training has its own key, so a resumed run draws what an uninterrupted run draws.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a draw is for."""

    ORDER = 0
    AUGMENTATION = 1
    ERASING = 2
    DROPOUT = 3
    MIXING = 4
    PATHS = 5
    POLICY = 6


def generator(seed: int, stream: Stream, *position: int) -> np.random.Generator:
    """Return a generator for one purpose at one position (epoch, step, place ...)."""
    return np.random.default_rng([seed, stream, *position])


def pipeline_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed, below 2**31, of MindSpore's augmentation operations for one epoch on one rank."""
    return int(generator(seed, Stream.AUGMENTATION, epoch, rank).integers(2**31))
