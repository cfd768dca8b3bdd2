"""Random erasing (Zhong et al. 2017, arXiv:1708.04896), drawn for each image and epoch.

MindSpore's own operation draws from a stream that its worker threads share, so two runs differ. Here the draw depends
on the seed, the epoch and the image's place in the epoch, so a resumed training repeats it.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import Generator

from mindcv_shufflenet.data.seeds import Stream, generator


class Erasing:
    """Set a random rectangle of an image to a value.

    Args:
        probability: that an image is erased.
        scale: smallest and largest area of the rectangle, as a share of the image.
        ratio: smallest and largest height / width of the rectangle; its logarithm is uniform.
        value: one number, one number a channel, or ``random`` (standard normal), after normalisation.
        max_attempts: rectangles that are drawn until one fits; if none does, the image is not erased.
    """

    def __init__(
        self,
        probability: float,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        value: float | list[float] | Literal["random"],
        max_attempts: int,
    ) -> None:
        self.probability = probability
        self.scale = scale
        self.log_ratio = (np.log(ratio[0]), np.log(ratio[1]))
        self.value = value
        self.max_attempts = max_attempts

    def __call__(self, images: np.ndarray, places: Sequence[int], seed: int, epoch: int) -> None:
        """Erase in place.

        Args:
            images: ``[N, C, H, W] float32``, normalised.
            places: position of each image in the epoch's order, ``N`` numbers.
            seed: of the training.
            epoch: from 0.
        """
        for image, place in zip(images, places, strict=True):
            rng = generator(seed, Stream.ERASING, epoch, place)
            if rng.random() < self.probability:
                self._erase(image, rng)

    def _erase(self, image: np.ndarray, rng: Generator) -> None:
        channels, height, width = image.shape
        for _ in range(self.max_attempts):
            area = height * width * rng.uniform(*self.scale)
            ratio = np.exp(rng.uniform(*self.log_ratio))
            h, w = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
            if 0 < h < height and 0 < w < width:
                top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
                if self.value == "random":
                    fill = rng.standard_normal((channels, h, w))
                else:
                    fill = np.reshape(self.value, (-1, 1, 1))
                image[:, top : top + h, left : left + w] = fill
                return
