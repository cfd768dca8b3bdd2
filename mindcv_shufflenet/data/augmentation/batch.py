"""What training does at random to the images of a batch, beside the operations of each image."""

from typing import NamedTuple

from mindcv_shufflenet.data.augmentation.erasing import Erasing
from mindcv_shufflenet.data.augmentation.mixing import Mixing
from mindcv_shufflenet.data.augmentation.views import Views


class BatchAugmentation(NamedTuple):
    """Augmentation that is drawn by the place of an image in the epoch.

    Attributes:
        repeats: show one image in ``repeats``, each ``repeats`` times in a row with its own augmentation (Hoffer et al.
            2019, arXiv:1901.09335). The length of an epoch stays. The ranks share the repetitions.
        views: made of each image between the two halves of the operations. Several views of N images are a batch of the
            first view of all, then the second one of all, and so on.
        erasing: erases rectangles of the normalised images.
        mixing: mixes the images of a batch after erasing.
    """

    repeats: int = 1
    views: Views | None = None
    erasing: Erasing | None = None
    mixing: Mixing | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the views of an image."""
        return self.views.columns if self.views else ["image"]
