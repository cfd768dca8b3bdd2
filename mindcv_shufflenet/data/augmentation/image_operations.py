"""The operations of automatic augmentation at a fixed strength: MindSpore's, with the definitions of the papers.

Source: Cubuk et al. 2019, "AutoAugment", arXiv:1805.09501, table 6. All of them take and return ``uint8 [H, W, 3]``.
They have the same parameters, so that a table can hold them. A leading underscore marks one that an operation ignores.
"""

import math
from typing import NamedTuple

import numpy as np
from mindspore.dataset import vision
from mindspore.dataset.vision import Inter


class Canvas(NamedTuple):
    """How an image is moved.

    Attributes:
        fill: colour behind the image, RGB of 0..255.
        interpolation: of the pixels.
    """

    fill: tuple[int, int, int]
    interpolation: Inter


def identity(image: np.ndarray, _argument: float, _canvas: Canvas) -> np.ndarray:
    """Return the image."""
    return image


def auto_contrast(image: np.ndarray, _argument: float, _canvas: Canvas) -> np.ndarray:
    """Stretch each channel to 0..255."""
    return vision.AutoContrast()(image)


def equalize(image: np.ndarray, _argument: float, _canvas: Canvas) -> np.ndarray:
    """Equalise the histogram of each channel."""
    return vision.Equalize()(image)


def invert(image: np.ndarray, _argument: float, _canvas: Canvas) -> np.ndarray:
    """Return the negative."""
    return vision.Invert()(image)


def posterize(image: np.ndarray, bits: float, _canvas: Canvas) -> np.ndarray:
    """Keep the ``bits`` highest bits of each pixel."""
    return vision.Posterize(int(bits))(image)


def solarize(image: np.ndarray, threshold: float, _canvas: Canvas) -> np.ndarray:
    """Invert the pixels of ``threshold`` and above."""
    return vision.Solarize((int(threshold), 255))(image) if threshold <= 255 else image


def color(image: np.ndarray, factor: float, _canvas: Canvas) -> np.ndarray:
    """Blend with the grey image: 0 is grey, 1 the image."""
    return vision.AdjustSaturation(factor)(image)


def contrast(image: np.ndarray, factor: float, _canvas: Canvas) -> np.ndarray:
    """Blend with the mean grey: 0 is grey, 1 the image."""
    return vision.AdjustContrast(factor)(image)


def brightness(image: np.ndarray, factor: float, _canvas: Canvas) -> np.ndarray:
    """Blend with black: 0 is black, 1 the image."""
    return vision.AdjustBrightness(factor)(image)


def sharpness(image: np.ndarray, factor: float, _canvas: Canvas) -> np.ndarray:
    """Blend with the smoothed image: 0 is smooth, 1 the image."""
    return vision.AdjustSharpness(factor)(image)


def gaussian_blur(image: np.ndarray, sigma: float, _canvas: Canvas) -> np.ndarray:
    """Blur with a standard deviation in pixels."""
    return vision.GaussianBlur(2 * math.ceil(3 * sigma) + 1, sigma)(image)


def rotate(image: np.ndarray, degrees: float, canvas: Canvas) -> np.ndarray:
    """Rotate counterclockwise about the centre."""
    return _move(image, canvas, degrees=-degrees)


def shear_x(image: np.ndarray, slope: float, canvas: Canvas) -> np.ndarray:
    """Shift each row to the left by ``slope`` times its distance from the top."""
    height, width = image.shape[:2]
    return _move(image, canvas, right=-slope / 2 * height / width, shear_x=slope)


def shear_y(image: np.ndarray, slope: float, canvas: Canvas) -> np.ndarray:
    """Shift each column upwards by ``slope`` times its distance from the left."""
    height, width = image.shape[:2]
    return _move(image, canvas, down=-slope / 2 * width / height, shear_y=slope)


def translate_x(image: np.ndarray, share: float, canvas: Canvas) -> np.ndarray:
    """Shift to the right by a share of the width."""
    return _move(image, canvas, right=share)


def translate_y(image: np.ndarray, share: float, canvas: Canvas) -> np.ndarray:
    """Shift down by a share of the height."""
    return _move(image, canvas, down=share)


def _move(
    image: np.ndarray,
    canvas: Canvas,
    *,
    degrees: float = 0.0,
    right: float = 0.0,
    down: float = 0.0,
    shear_x: float = 0.0,
    shear_y: float = 0.0,
) -> np.ndarray:
    """Move an image about its centre: rotate, shift by shares of its size, shear by slopes."""
    shift = tuple(float(np.clip(share, -1, 1)) for share in (right, down))
    angles = tuple(math.degrees(math.atan(slope)) for slope in (shear_x, shear_y))
    return vision.Affine(degrees, shift, 1.0, angles, canvas.interpolation, canvas.fill)(image)
