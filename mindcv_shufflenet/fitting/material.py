"""What a fit works with: weights, photos and their split; and its first model."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.fitting.photos import Photos
from mindcv_shufflenet.fitting.start import Start

# Below so many photos, the accuracy is that of five-fold cross-validation, and nothing but the classifier is trained: a
# fifth of the photos is too small to compare models on.
FEW = 200


class Material(NamedTuple):
    """What there is to start from, to learn from and to check with.

    Attributes:
        start: the weights.
        photos: all of them.
        groups: number of the group of photos that look alike, ``[N]``.
        is_val: whether each photo is for validation, ``[N] bool``.
        copies: the small copy of each photo, in its place.
    """

    start: Start
    photos: Photos
    groups: np.ndarray
    is_val: np.ndarray
    copies: list[Path]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.photos.class_names)

    @property
    def is_small(self) -> bool:
        """Whether there are too few photos to train more than the classifier."""
        return len(self.photos) < FEW and self.start.is_pretrained and self.photos.in_validation is None


class FirstModel(NamedTuple):
    """The first model: a classifier on features that were computed once.

    Attributes:
        right: photos with a right answer, of ``images``.
        images: photos that were asked.
        seconds: from the start.
        is_cross_validated: ``right`` is that of five classifiers, each of which was asked about photos that it was not
            fitted on; the one that is kept was fitted on the photos for training.
    """

    right: int
    images: int
    seconds: float
    is_cross_validated: bool

    @property
    def top1(self) -> float:
        """In percent."""
        return 100 * self.right / self.images
