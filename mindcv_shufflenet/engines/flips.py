"""Test-time augmentation: the logits of an image and of its mirror image, averaged."""

import numpy as np

from mindcv_shufflenet.engines import Forward


def with_flips(forward: Forward) -> Forward:
    """Return a forward pass whose logits are the mean of those of each image and of its horizontal flip.

    It calls ``forward`` twice on batches of the same shape, so nothing more is compiled.

    Args:
        forward: maps images ``[N, C, H, W] float32`` to logits ``[N, num_classes] float32``.
    """

    def averaged(images: np.ndarray) -> np.ndarray:
        return (forward(images) + forward(np.ascontiguousarray(images[..., ::-1]))) / 2

    return averaged
