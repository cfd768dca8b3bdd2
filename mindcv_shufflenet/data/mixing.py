"""Mixup (Zhang et al. 2017, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899) of the images of a batch.

As in mindcv, one draw decides for a whole batch. An image's partner stands half a batch before it: since ranks read
every so-many-th image of a step, two images that are partners on one rank are partners on several as well, as long as
each of them has an even number of images.
"""

import numpy as np

from mindcv_shufflenet.data.seeds import Stream, generator


class Mixing:
    """Mix each image of a batch with another one, and their labels likewise.

    Args:
        mixup: alpha of mixup's Beta distribution; 0: no mixup.
        cutmix: the same of CutMix. With both above 0 a batch has the one or the other with equal probability.
        probability: of mixing a batch at all.
        num_classes: length of a target.
    """

    def __init__(self, mixup: float, cutmix: float, probability: float, num_classes: int) -> None:
        self.mixup = mixup
        self.cutmix = cutmix
        self.probability = probability
        self.num_classes = num_classes

    def __call__(self, images: np.ndarray, labels: np.ndarray, seed: int, epoch: int, step: int) -> np.ndarray:
        """Mix the images in place.

        Args:
            images: ``[N, C, H, W] float32``, normalised.
            labels: ``[N] int32``.
            seed: of the training.
            epoch: from 0.
            step: within the epoch, from 0.

        Returns:
            The share that each class has in each image, ``[N, num_classes] float32``.
        """
        share, half, rows = 1.0, len(images) // 2, np.arange(len(images))
        rng = generator(seed, Stream.MIXING, epoch, step)
        if rng.random() < self.probability:
            partners = np.roll(images, half, axis=0)
            if self.cutmix and (not self.mixup or rng.random() < 0.5):
                share = _paste(images, partners, rng.beta(self.cutmix, self.cutmix), rng)
            else:
                share = rng.beta(self.mixup, self.mixup)
                images *= np.float32(share)
                images += np.float32(1 - share) * partners
        targets = np.zeros((len(images), self.num_classes), np.float32)
        targets[rows, labels] = share
        targets[rows, np.roll(labels, half)] += 1 - share
        return targets


def _paste(images: np.ndarray, partners: np.ndarray, share: float, rng: np.random.Generator) -> float:
    """Put a rectangle of the partners into the images, and return the share that is left to the images.

    Its sides are ``sqrt(1 - share)`` of the image's and its centre lies anywhere, so that the border may cut it off.
    """
    spans = []
    for size in images.shape[2:]:
        length, centre = int(size * np.sqrt(1 - share)), rng.integers(size)
        spans.append(slice(max(centre - length // 2, 0), min(centre + length // 2, size)))
    box = (..., *spans)
    images[box] = partners[box]
    return 1 - partners[0, 0][box].size / partners[0, 0].size
