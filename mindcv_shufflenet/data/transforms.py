"""From an encoded or decoded image to the network's input, by MindSpore's own operations."""

from collections.abc import Callable
from typing import Any

import numpy as np
from mindspore.dataset import vision
from mindspore.dataset.vision import ConvertMode, Inter

from mindcv_shufflenet.options.config import Config

Operation = Callable[..., Any]

INTERPOLATIONS = {
    "bilinear": Inter.LINEAR,
    "nearest": Inter.NEAREST,
    "bicubic": Inter.CUBIC,
    "area": Inter.AREA,
}


def train_operations(config: Config, *, encoded: bool) -> list[Operation]:
    """Return the operations of training: crop, flips, colour jitter, normalisation.

    Args:
        config: the augmentation options.
        encoded: the input is the bytes of an image file (``uint8 [length]``) rather than pixels (``uint8 [H, W, 3]``).

    Returns:
        Operations for ``Dataset.map`` that give ``float32 [in_channels, image_resize, image_resize]``.
    """
    operations = [*_train_crop(config, encoded)]
    if config.hflip:
        operations.append(vision.RandomHorizontalFlip(config.hflip))
    if config.vflip:
        operations.append(vision.RandomVerticalFlip(config.vflip))
    if config.color_jitter:
        jitter = config.color_jitter if isinstance(config.color_jitter, list) else [config.color_jitter] * 3
        operations.append(vision.RandomColorAdjust(*jitter))
    return operations + normalise(config)


def eval_operations(config: Config, *, encoded: bool) -> list[Operation]:
    """Return the operations of validation: those of :func:`eval_crop`, then :func:`normalise`.

    Input and output are those of :func:`train_operations`.
    """
    return eval_crop(config, encoded=encoded) + normalise(config)


def eval_crop(config: Config, *, encoded: bool) -> list[Operation]:
    """Return the operations that resize the short side of an image and crop its centre.

    The short side becomes ``image_resize / crop_pct`` (rounded down). ``resize_backend`` tells who resizes: MindSpore's
    C++ operation, which is OpenCV's and does not antialias, or Pillow, which does; about half a point of accuracy lies
    between them. They give ``uint8 [image_resize, image_resize, 3]``.
    """
    size = int(config.image_resize / config.crop_pct)
    interpolation = INTERPOLATIONS[config.interpolation]
    resize = [vision.Resize(size, interpolation), vision.CenterCrop(config.image_resize)]
    if config.resize_backend == "pillow":
        decode: list[Operation] = [vision.Decode(to_pil=True) if encoded else vision.ToPIL()]
        return decode + resize + [np.asarray]
    return ([vision.Decode()] if encoded else []) + resize


def _train_crop(config: Config, encoded: bool) -> list[Operation]:
    size, interpolation = config.image_resize, INTERPOLATIONS[config.interpolation]
    if not config.crops_resized:
        decode = [vision.Decode()] if encoded else []
        padding = size // 8 if config.crop_padding is None else config.crop_padding
        return [*decode, vision.Resize(size, interpolation), vision.RandomCrop(size, padding=padding)]
    if encoded:  # decodes only the part of a JPEG that the crop needs
        return [vision.RandomCropDecodeResize(size, config.scale, config.ratio, interpolation)]
    return [vision.RandomResizedCrop(size, config.scale, config.ratio, interpolation)]


def normalise(config: Config) -> list[Operation]:
    """Return the operations from pixels to the network's input: order of the channels, mean and std, ``[C, H, W]``."""
    colour: list[Operation] = []
    if config.in_channels == 1:
        colour = [vision.ConvertColor(ConvertMode.COLOR_RGB2GRAY), _add_channel]
    elif config.channel_order == "bgr":
        colour = [vision.ConvertColor(ConvertMode.COLOR_RGB2BGR)]
    return [*colour, vision.Normalize(config.mean, config.std, is_hwc=True), vision.HWC2CHW()]


def _add_channel(image: np.ndarray) -> np.ndarray:
    """``[H, W]`` or ``[H, W, 1]`` to ``[H, W, 1]``."""
    return image.reshape(*image.shape[:2], 1)
