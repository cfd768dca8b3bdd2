"""Views of an image that a policy makes, drawn for each image and epoch.

The pipeline's threads may take the images in any order, so a draw depends on the seed, the epoch and the image's place
in the epoch. A resumed training repeats it, and so does one with other threads.
"""

from collections.abc import Sequence

import mindspore.dataset as ds
import numpy as np

from mindcv_shufflenet.data.augmentation.policies import Policy
from mindcv_shufflenet.data.seeds import Stream, generator


class Views:
    """Make views of the images of a pipeline.

    Args:
        policy: from an image to a view, ``uint8 [H, W, 3]``.
        seed: of the training.
        splits: views of an image, of which the first is the image as it is; 0: one view, by the policy.
    """

    def __init__(self, policy: Policy, seed: int, splits: int = 0) -> None:
        self.policy = policy
        self.seed = seed
        self.first = 1 if splits else 0
        self.columns = ["image", *(f"view{number}" for number in range(1, splits))]

    def map(self, pipeline: ds.Dataset, places: Sequence[int], epoch: int, workers: int) -> ds.Dataset:
        """Return the pipeline with its column ``image`` replaced by a column for each view.

        Args:
            pipeline: of rows ``image, label``.
            places: position of each row in the epoch's order.
            epoch: from 0.
            workers: threads.
        """

        def draw(image: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, ...]:
            return tuple(self._view(image, epoch, int(place), number) for number in range(len(self.columns)))

        places_column = ds.NumpySlicesDataset(np.array(places), "place", shuffle=False)
        pipeline = ds.zip((pipeline, places_column))
        return pipeline.map(draw, ["image", "place"], self.columns, num_parallel_workers=workers)

    def _view(self, image: np.ndarray, epoch: int, place: int, number: int) -> np.ndarray:
        if number < self.first:
            return image
        return self.policy(image, generator(self.seed, Stream.POLICY, epoch, place, number))
