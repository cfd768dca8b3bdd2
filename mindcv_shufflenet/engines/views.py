"""Test-time augmentation: the logits of several views of an image, averaged."""

from itertools import product

import numpy as np

from mindcv_shufflenet.engines import Forward


def with_views(forward: Forward, shift: int = 0) -> Forward:
    """Return a forward pass whose logits are the mean of those of each image and of its horizontal flip.

    It calls ``forward`` on batches of the same shape, so nothing more is compiled.

    Args:
        forward: maps images ``[N, C, H, W] float32`` to logits ``[N, num_classes] float32``.
        shift: pixels, less than height and width. Above 0 the mean is over 18 views: the image, its shifts by so many
            pixels in 8 directions, where the edge is mirrored, and the flips of all (after Jordan 2024,
            arXiv:2404.00498, section 3.5, which has two of the shifts).
    """

    def averaged(images: np.ndarray) -> np.ndarray:
        views = [view for shifted in _shifted(images, shift) for view in (shifted, shifted[..., ::-1])]
        return np.mean([forward(np.ascontiguousarray(view)) for view in views], axis=0)

    return averaged


def _shifted(images: np.ndarray, shift: int) -> list[np.ndarray]:
    """Return images ``[N, C, H, W]``, shifted in each direction, or as they are."""
    height, width = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (shift, shift), (shift, shift)), "reflect")
    places = (0, shift, 2 * shift) if shift else (0,)
    return [padded[:, :, top : top + height, left : left + width] for top, left in product(places, places)]
