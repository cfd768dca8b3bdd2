"""The operations of automatic augmentation against Pillow's or numpy's at fixed strengths."""

from collections.abc import Callable

import numpy as np
import pytest
from mindspore.dataset.vision import Inter
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from mindcv_shufflenet.data.augmentation import image_operations as operations
from mindcv_shufflenet.data.augmentation.image_operations import Canvas

FILL = (124, 116, 104)
CANVAS = Canvas(FILL, Inter.LINEAR)


def smooth(size: int = 48, seed: int = 0) -> np.ndarray:
    """An image as smooth as photos are, so that a wrong shift by half a pixel shows and rounding does not."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC))


def affine(*inverse: float) -> Callable[[Image.Image], Image.Image]:
    """Pillow's transform, from a place in the result to the place in the image."""
    return lambda image: image.transform(
        image.size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=FILL
    )


EXACT = 0
ROUNDED = 2  # levels: of the result, and of the grey that it is blended with
MOVED = 3  # levels: MindSpore interpolates at 1/32 of a pixel

PILLOW: list[tuple[str, float, Callable[[Image.Image], Image.Image], int]] = [
    ("identity", 0.5, lambda image: image, EXACT),
    ("auto_contrast", 0, ImageOps.autocontrast, ROUNDED),
    ("invert", 0, ImageOps.invert, EXACT),
    *(("posterize", bits, lambda image, bits=bits: ImageOps.posterize(image, bits), EXACT) for bits in (1, 3, 8)),
    *(("solarize", t, lambda image, t=t: ImageOps.solarize(image, t), EXACT) for t in (0, 100, 255, 256)),
    *(
        (name, factor, lambda image, kind=kind, factor=factor: kind(image).enhance(factor), ROUNDED)
        for name, kind in {
            "color": ImageEnhance.Color,
            "contrast": ImageEnhance.Contrast,
            "brightness": ImageEnhance.Brightness,
            "sharpness": ImageEnhance.Sharpness,
        }.items()
        for factor in (0.0, 0.1, 1.0, 1.9)
    ),
    ("rotate", 30, lambda image: image.rotate(30, Image.Resampling.BILINEAR, fillcolor=FILL), MOVED),
    ("rotate", -135, lambda image: image.rotate(-135, Image.Resampling.BILINEAR, fillcolor=FILL), MOVED),
    ("shear_x", 0.3, affine(1, 0.3, 0, 0, 1, 0), MOVED),
    ("shear_x", -0.99, affine(1, -0.99, 0, 0, 1, 0), MOVED),
    ("shear_y", 0.3, affine(1, 0, 0, 0.3, 1, 0), MOVED),
    ("shear_y", -0.99, affine(1, 0, 0, -0.99, 1, 0), MOVED),
    ("translate_x", 0.25, affine(1, 0, -12, 0, 1, 0), EXACT),
    ("translate_x", -0.45, affine(1, 0, 21.6, 0, 1, 0), MOVED),
    ("translate_y", 0.25, affine(1, 0, 0, 0, 1, -12), EXACT),
    ("translate_y", -0.45, affine(1, 0, 0, 0, 1, 21.6), MOVED),
    ("gaussian_blur", 2.0, lambda image: image.filter(ImageFilter.GaussianBlur(2)), MOVED),
]


@pytest.mark.parametrize(("name", "argument", "pillow", "levels"), PILLOW)
def test_an_operation_is_pillows(
    name: str, argument: float, pillow: Callable[[Image.Image], Image.Image], levels: int
) -> None:
    """At the edge of a moved image Pillow takes the nearest pixel and MindSpore blends with the fill: 6 % of pixels."""
    image = smooth()
    before = image.copy()
    result = getattr(operations, name)(image, argument, CANVAS)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(image, before)
    difference = np.abs(result.astype(int) - np.asarray(pillow(Image.fromarray(image))))
    if levels < MOVED:
        assert difference.max() <= levels
    else:
        assert np.quantile(difference, 0.94) <= levels


def test_equalize_is_the_cumulated_histogram() -> None:
    """The lowest level becomes 0 and the highest 255, as OpenCV has it. Pillow rounds the step between two levels."""
    image = smooth() // 2
    expected = np.empty_like(image)
    for channel in range(3):
        levels = image[..., channel]
        histogram = np.bincount(levels.ravel(), minlength=256)
        lowest = histogram[levels.min()]
        table = (np.cumsum(histogram) - lowest) * 255 / (levels.size - lowest)
        expected[..., channel] = np.rint(table.clip(0)).astype(np.uint8)[levels]
    np.testing.assert_array_equal(operations.equalize(image, 0, CANVAS), expected)


def test_blur_has_its_standard_deviation() -> None:
    image = np.zeros((31, 31, 3), np.uint8)
    image[15, 15] = 255
    for sigma in (0.8, 1.5):
        shares = operations.gaussian_blur(image, sigma, CANVAS)[..., 0] / 255
        variance = (shares * (np.arange(31) - 15) ** 2).sum() / shares.sum()
        assert variance**0.5 == pytest.approx(sigma, rel=0.06)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_an_image_of_one_colour_stays_or_is_enhanced_as_it_is(level: int) -> None:
    image = np.full((8, 8, 3), level, np.uint8)
    for operation in (operations.auto_contrast, operations.equalize, operations.sharpness, operations.contrast):
        np.testing.assert_allclose(operation(image, 0.5, CANVAS), image, atol=1)
