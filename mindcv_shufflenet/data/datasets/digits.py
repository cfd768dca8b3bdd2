"""The handwritten digits in scikit-learn: 1797 images of 8x8 pixels. A whole run needs no download.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), the part scikit-learn bundles.
"""

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.errors import UserError

VAL_IMAGES = 360


def read_split(request: Request) -> Split:
    """Read ``train`` (1437 images) or ``val`` (360; ``test`` is the same); the split is stratified by digit.

    ``data_dir`` is not used: the images are in the scikit-learn package.

    Returns:
        A split with pixels ``[N, 8, 8, 3] uint8``, the 17 grey levels spread over 0..255 and repeated in R, G and B.

    Raises:
        UserError: the split is none of these.
    """
    split = request.split
    if split not in ("train", "val", "test"):
        raise UserError(f"the digits data set has no split {split!r}: use train or val (test is the same as val)")
    # scikit-learn takes a second to import, and the other data sets do not need it.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    labels = bunch.target.astype(np.int32)
    train, val = train_test_split(np.arange(len(labels)), test_size=VAL_IMAGES, random_state=0, stratify=labels)
    chosen = np.sort(train if split == "train" else val)
    grey = np.rint(bunch.images[chosen] * (255 / 16)).astype(np.uint8)
    names = tuple(str(digit) for digit in range(10))
    return Split(
        images=Pixels(np.repeat(grey[..., None], 3, axis=-1)),
        labels=labels[chosen],
        class_names=names,
        class_to_index={name: index for index, name in enumerate(names)},
    )
