"""What the operations of each policy do at a magnitude, and the sub-policies that AutoAugment has found.

Sources: tables 6 and 9 of AutoAugment (arXiv:1805.09501) and table 1 of TrivialAugment (arXiv:2103.10158). The
ranges of RandAugment, AugMix and 3-Augment, and the translation by 0.45 of a side, are those of timm's
``auto_augment.py``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from mindcv_shufflenet.data.augmentation import image_operations as image
from mindcv_shufflenet.data.augmentation.image_operations import Canvas

# The magnitude at which an operation has its full strength.
FULL_MAGNITUDE = 10
FULL_TRIVIAL_MAGNITUDE = 31

# A standard deviation of magnitudes above this one stands for a uniform magnitude.
LARGEST_NOISE = 100


class Strength(NamedTuple):
    """An operation of a policy.

    Attributes:
        operation: of :mod:`data.augmentation.image_operations`.
        argument: from the magnitude, as a share of the full one, to the operation's argument; it may draw.
    """

    operation: Callable[[np.ndarray, float, Canvas], np.ndarray]
    argument: Callable[[float, Generator], float]


Strengths = dict[str, Strength]


def _from_to(start: float, end: float) -> Callable[[float, Generator], float]:
    return lambda share, _rng: start + (end - start) * share


def _either_way(largest: float, around: float = 0.0, low: float = -np.inf) -> Callable[[float, Generator], float]:
    """Add or subtract up to ``largest``."""
    return lambda share, rng: max(around + largest * share * rng.choice((-1, 1)), low)


def _bits(start: int, end: int) -> Callable[[float, Generator], float]:
    return lambda share, _rng: min(max(start + int((end - start) * share), 1), 8)  # without any bit an image is black


def _threshold(start: int, end: int) -> Callable[[float, Generator], float]:
    return lambda share, _rng: min(max(start + int((end - start) * share), 0), 256)


def _blur(share: float, rng: Generator) -> float:
    return rng.uniform(0.1, max(2 * share, 0.1))


def _unused(share: float, _rng: Generator) -> float:
    return share


def _moving(degrees: float, slope: float, shift: float) -> Strengths:
    """The operations that move an image, by up to these amounts."""
    return {
        "Rotate": Strength(image.rotate, _either_way(degrees)),
        "ShearX": Strength(image.shear_x, _either_way(slope)),
        "ShearY": Strength(image.shear_y, _either_way(slope)),
        "TranslateX": Strength(image.translate_x, _either_way(shift)),
        "TranslateY": Strength(image.translate_y, _either_way(shift)),
    }


def _enhancing(factor: Callable[[float, Generator], float]) -> Strengths:
    return {
        "Color": Strength(image.color, factor),
        "Contrast": Strength(image.contrast, factor),
        "Brightness": Strength(image.brightness, factor),
        "Sharpness": Strength(image.sharpness, factor),
    }


_EQUALIZING = {
    "AutoContrast": Strength(image.auto_contrast, _unused),
    "Equalize": Strength(image.equalize, _unused),
}
_INVERT = {"Invert": Strength(image.invert, _unused)}

RAND_AUGMENT: Strengths = {
    **_EQUALIZING,
    **_INVERT,
    **_moving(30, 0.3, 0.45),
    "Posterize": Strength(image.posterize, _bits(0, 4)),
    "Solarize": Strength(image.solarize, _threshold(0, 256)),
    **_enhancing(_from_to(0.1, 1.9)),
}
INCREASING: Strengths = RAND_AUGMENT | {
    "Posterize": Strength(image.posterize, _bits(4, 0)),
    "Solarize": Strength(image.solarize, _threshold(256, 0)),
    **_enhancing(_either_way(0.9, around=1.0, low=0.1)),
}
AUG_MIX: Strengths = {name: row for name, row in INCREASING.items() if name != "Invert"} | _moving(30, 0.3, 0.3)
# The paper translates by up to 32 pixels. Here it is the share that these are of 224, so that small images keep a part.
TRIVIAL_AUGMENT: Strengths = {
    "Identity": Strength(image.identity, _unused),
    **_EQUALIZING,
    **_moving(135, 0.99, 32 / 224),
    "Posterize": Strength(image.posterize, _bits(2, 8)),
    "Solarize": Strength(image.solarize, _threshold(0, 256)),
    **_enhancing(_from_to(0.01, 2.0)),
}
THREE_AUGMENT: Strengths = {
    "Solarize": Strength(image.solarize, _threshold(0, 256)),
    "Desaturate": Strength(image.color, _from_to(0.5, 0)),
    "GaussianBlur": Strength(image.gaussian_blur, _blur),
}

# Of `randaug-w0`: how often an operation is drawn; they sum to 1.
WEIGHTS = {
    "Rotate": 0.3,
    "ShearX": 0.2,
    "ShearY": 0.2,
    "TranslateX": 0.1,
    "TranslateY": 0.1,
    "Color": 0.025,
    "Sharpness": 0.025,
    "AutoContrast": 0.025,
    "Solarize": 0.005,
    "Contrast": 0.005,
    "Brightness": 0.005,
    "Equalize": 0.005,
    "Posterize": 0.005,
    "Invert": 0.0,
}

# Sub-policies: operation, probability, magnitude.
Subpolicies = list[list[tuple[str, float, float]]]
IMAGENET_SUBPOLICIES: Subpolicies = [
    [("Posterize", 0.4, 8), ("Rotate", 0.6, 9)],
    [("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)],
    [("Equalize", 0.8, 8), ("Equalize", 0.6, 3)],
    [("Posterize", 0.6, 7), ("Posterize", 0.6, 6)],
    [("Equalize", 0.4, 7), ("Solarize", 0.2, 4)],
    [("Equalize", 0.4, 4), ("Rotate", 0.8, 8)],
    [("Solarize", 0.6, 3), ("Equalize", 0.6, 7)],
    [("Posterize", 0.8, 5), ("Equalize", 1.0, 2)],
    [("Rotate", 0.2, 3), ("Solarize", 0.6, 8)],
    [("Equalize", 0.6, 8), ("Posterize", 0.4, 6)],
    [("Rotate", 0.8, 8), ("Color", 0.4, 0)],
    [("Rotate", 0.4, 9), ("Equalize", 0.6, 2)],
    [("Equalize", 0.0, 7), ("Equalize", 0.8, 8)],
    [("Invert", 0.6, 4), ("Equalize", 1.0, 8)],
    [("Color", 0.6, 4), ("Contrast", 1.0, 8)],
    [("Rotate", 0.8, 8), ("Color", 1.0, 2)],
    [("Color", 0.8, 8), ("Solarize", 0.8, 7)],
    [("Sharpness", 0.4, 7), ("Invert", 0.6, 8)],
    [("ShearX", 0.6, 5), ("Equalize", 1.0, 9)],
    [("Color", 0.4, 0), ("Equalize", 0.6, 3)],
    [("Equalize", 0.4, 7), ("Solarize", 0.2, 4)],
    [("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)],
    [("Invert", 0.6, 4), ("Equalize", 1.0, 8)],
    [("Color", 0.6, 4), ("Contrast", 1.0, 8)],
    [("Equalize", 0.8, 8), ("Equalize", 0.6, 3)],
]
_ONE_OF_THREE: Subpolicies = [[("Solarize", 1.0, 5)], [("Desaturate", 1.0, 10)], [("GaussianBlur", 1.0, 10)]]

AUTO_AUGMENT: dict[str, tuple[Strengths, Subpolicies]] = {
    "autoaug": (RAND_AUGMENT | {"Posterize": Strength(image.posterize, _bits(4, 8))}, IMAGENET_SUBPOLICIES),
    "autoaugr": (RAND_AUGMENT | {"Posterize": Strength(image.posterize, _bits(4, 0))}, IMAGENET_SUBPOLICIES),
    "3a": (THREE_AUGMENT, _ONE_OF_THREE),
}
