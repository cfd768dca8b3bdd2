"""Mixup (Zhang et al. 2017, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899) of the images of a batch.

As in mindcv, one draw holds for a whole batch. An image's partner is half a batch before it. Ranks deal out the images
of a step one by one, so partners are the same on any number of ranks, if every rank has an even number of images.
"""

import numpy as np

from mindcv_shufflenet.data.seeds import Stream, generator


class Mixing:
    """Mix each image of a batch with another one, and their labels in the same shares.

    Args:
        mixup: alpha of mixup's Beta distribution; 0: no mixup.
        cutmix: alpha of CutMix's; 0: no CutMix. With both above 0, each has half of the mixed batches.
        probability: that a batch is mixed.
        num_classes: length of a target.
        off_epoch: from this epoch on no batch is mixed; targets keep their form. 0: all epochs are.
    """

    def __init__(self, mixup: float, cutmix: float, probability: float, num_classes: int, off_epoch: int = 0) -> None:
        self.mixup = mixup
        self.cutmix = cutmix
        self.probability = probability
        self.num_classes = num_classes
        self.off_epoch = off_epoch

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
        half = len(images) // 2
        share = 1.0
        rng = generator(seed, Stream.MIXING, epoch, step)
        is_on = not self.off_epoch or epoch < self.off_epoch
        if is_on and rng.random() < self.probability:
            if self.cutmix and (not self.mixup or rng.random() < 0.5):
                share = _paste(images, half, rng.beta(self.cutmix, self.cutmix), rng)
            else:
                share = rng.beta(self.mixup, self.mixup)
                partners = np.roll(images, half, axis=0)
                images *= np.float32(share)
                images += np.float32(1 - share) * partners
        targets = np.zeros((len(images), self.num_classes), np.float32)
        places = np.arange(len(images))
        targets[places, labels] = share
        targets[places, np.roll(labels, half)] += 1 - share
        return targets


def _paste(images: np.ndarray, half: int, drawn: float, rng: np.random.Generator) -> float:
    """Paste a rectangle of each image's partner into the image, and return the share of the image that is left.

    The sides are ``sqrt(1 - drawn)`` of the image's. The centre is uniform, so the border may cut the rectangle.
    """
    rows, columns = (_span(size, drawn, rng) for size in images.shape[2:])
    rectangle = images[:, :, rows, columns]
    rectangle[:] = np.roll(rectangle, half, axis=0)
    return 1 - rectangle[0, 0].size / images[0, 0].size


def _span(size: int, drawn: float, rng: np.random.Generator) -> slice:
    length, centre = int(size * np.sqrt(1 - drawn)), int(rng.integers(size))
    return slice(max(centre - length // 2, 0), min(centre + length // 2, size))
