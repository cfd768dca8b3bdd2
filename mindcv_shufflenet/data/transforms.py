"""From an encoded or decoded image to the network's input: views by MindSpore's own operations, normalised by numpy."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from mindspore.dataset import config, vision
from mindspore.dataset.vision import ConvertMode, Inter

from mindcv_shufflenet.data.augmentation.policies import Policy, create_policy
from mindcv_shufflenet.data.images import ImageLike, open_image
from mindcv_shufflenet.options.augmentation import Augmentation
from mindcv_shufflenet.options.preprocessing import Preprocessing

Operation = Callable[..., Any]

INTERPOLATIONS = {
    "bilinear": Inter.LINEAR,
    "nearest": Inter.NEAREST,
    "bicubic": Inter.CUBIC,
    "area": Inter.AREA,
}


class Operations(NamedTuple):
    """From an image to the network's input. Two parts are for ``Dataset.map``, the last one for a batch.

    Pixels stay ``uint8`` as long as they can: a fourth of the bytes is copied from operation to operation.

    Attributes:
        view: from an image of a source to what the network sees, ``uint8 [size, size, 3]``.
        planes: from there to ``uint8 [channels, size, size]``.
        normalise: from ``uint8 [..., channels, size, size]`` to the network's input, ``float32`` of the same shape.
    """

    view: list[Operation]
    planes: list[Operation]
    normalise: Operation


class Transform:
    """An image of any kind to the network's input: ``view``, then ``normalise``.

    Args:
        operations: of decoded images.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def __call__(self, image: ImageLike) -> np.ndarray:
        """Return the network's input, ``[C, size, size] float32``.

        Args:
            image: a path, pixels (``[H, W, 3]`` or ``[H, W]`` uint8, RGB), or a Pillow image.

        Raises:
            UserError: it is no image, or is damaged or too large.
        """
        return self.normalise(self.view(image))

    def view(self, image: ImageLike) -> np.ndarray:
        """Return what the network sees of an image, ``[size, size, 3] uint8``.

        Raises:
            UserError: it is no image, or is damaged or too large.
        """
        return _apply(self._operations.view, open_image(image))

    def normalise(self, view: np.ndarray) -> np.ndarray:
        """Return the network's input, ``[C, size, size] float32``, for what :meth:`view` returned."""
        return self._operations.normalise(_apply(self._operations.planes, view))


def create_transform(
    preprocessing: Preprocessing | None = None,
    *,
    is_training: bool = False,
    augmentation: Augmentation | None = None,
) -> Transform:
    """Return the transform of one image that a network is validated or trained with.

    Validation, prediction and this transform give the same input for the same image, bit for bit. A training transform
    draws from MindSpore's generator, and ``auto_augment`` from one with its seed at this moment
    (``mindspore.dataset.config.set_seed``). Erasing, mixing and splits need a batch and are not part of it.

    Args:
        preprocessing: of the weights; None: the defaults of the options.
        is_training: augment at random.
        augmentation: of training; None: the defaults of the options. Without effect in validation.

    Returns:
        A function from an image (a path, pixels ``[H, W, 3] uint8`` or a Pillow image) to ``[C, H, W] float32``.
    """
    preprocessing = preprocessing or Preprocessing()
    if not is_training:
        return Transform(eval_operations(preprocessing, encoded=False))
    augmentation = augmentation or Augmentation()
    operations = train_operations(augmentation, preprocessing, encoded=False)
    if policy := train_policy(augmentation, preprocessing):
        operations.view.append(_drawn(policy, np.random.default_rng(config.get_seed())))
    return Transform(operations)


def train_operations(augmentation: Augmentation, preprocessing: Preprocessing, *, encoded: bool) -> Operations:
    """Return the operations of training; the views are those of :func:`augment`.

    Args:
        augmentation: crop, flips, colour jitter. The policy goes behind the views, see :func:`train_policy`.
        preprocessing: size and normalisation.
        encoded: the input is the bytes of an image file (``uint8 [length]``) rather than pixels (``uint8 [H, W, 3]``).
    """
    return _operations(augment(augmentation, preprocessing, encoded=encoded), preprocessing)


def eval_operations(preprocessing: Preprocessing, *, encoded: bool) -> Operations:
    """Return the operations of validation; the views are those of :func:`eval_crop`.

    The input is that of :func:`train_operations`.
    """
    return _operations(eval_crop(preprocessing, encoded=encoded), preprocessing)


def augment(augmentation: Augmentation, preprocessing: Preprocessing, *, encoded: bool) -> list[Operation]:
    """Return the random operations of training: crop, flips, and colour jitter unless a policy takes its place.

    They give ``uint8 [image_resize, image_resize, 3]``.
    """
    operations = _train_crop(augmentation, preprocessing, encoded)
    if augmentation.hflip:
        operations.append(vision.RandomHorizontalFlip(augmentation.hflip))
    if augmentation.vflip:
        operations.append(vision.RandomVerticalFlip(augmentation.vflip))
    if (jitter := augmentation.color_jitter) and augmentation.auto_augment is None:
        strengths = [jitter] * 3 if isinstance(jitter, int | float) else jitter
        operations.append(vision.RandomColorAdjust(*strengths))
    return operations


def train_policy(augmentation: Augmentation, preprocessing: Preprocessing) -> Policy | None:
    """Return the policy of ``auto_augment``, from ``uint8 [size, size, 3]`` to the same; None if there is none.

    The mean colour of the normalisation fills what a moved image uncovers. Pixels are interpolated as in the crop.
    """
    if augmentation.auto_augment is None:
        return None
    mean = [round(value) for value in preprocessing.mean]
    if preprocessing.channels == 1:
        mean *= 3
    elif preprocessing.channel_order == "bgr":
        mean.reverse()
    # an area has no meaning where an image keeps its size
    name = "bilinear" if preprocessing.interpolation == "area" else preprocessing.interpolation
    return create_policy(augmentation.auto_augment, (mean[0], mean[1], mean[2]), INTERPOLATIONS[name])


def _drawn(policy: Policy, rng: np.random.Generator) -> Operation:
    return lambda image: policy(image, rng)


def _train_crop(augmentation: Augmentation, preprocessing: Preprocessing, encoded: bool) -> list[Operation]:
    size, interpolation = preprocessing.image_resize, INTERPOLATIONS[preprocessing.interpolation]
    if augmentation.train_crop == "padded":
        decode = [vision.Decode()] if encoded else []
        padding = size // 8 if augmentation.crop_padding is None else augmentation.crop_padding
        return [*decode, vision.Resize(size, interpolation), vision.RandomCrop(size, padding=padding)]
    crop = size, augmentation.scale, augmentation.ratio, interpolation
    # With encoded input only the part of a JPEG is decoded that the crop needs.
    return [vision.RandomCropDecodeResize(*crop) if encoded else vision.RandomResizedCrop(*crop)]


def eval_crop(preprocessing: Preprocessing, *, encoded: bool) -> list[Operation]:
    """Return the operations that resize the short side of an image and crop its centre.

    ``resize_backend`` selects the resize: ``opencv`` is MindSpore's C++ operation, which is OpenCV's and does not
    antialias; ``pillow`` does. About half a point of accuracy lies between them. They give
    ``uint8 [image_resize, image_resize, 3]``.
    """
    interpolation = INTERPOLATIONS[preprocessing.interpolation]
    resize = [vision.Resize(preprocessing.resize, interpolation), vision.CenterCrop(preprocessing.image_resize)]
    if preprocessing.resize_backend == "pillow":
        decode: list[Operation] = [vision.Decode(to_pil=True) if encoded else vision.ToPIL()]
        return decode + resize + [np.asarray]
    return ([vision.Decode()] if encoded else []) + resize


def normalise(planes: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Return ``(planes - mean) / std``, as MindSpore's operation does bit for bit.

    Args:
        planes: ``[..., C, H, W] uint8``.
        preprocessing: has mean and std of each channel.

    Returns:
        ``float32`` of the same shape.
    """
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    image = np.subtract(planes, mean, dtype=np.float32)
    return np.divide(image, std, out=image)


def denormalise(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Return the picture of a network's input.

    Args:
        image: ``[C, H, W] float32``.
        preprocessing: that made it.

    Returns:
        ``[H, W, 3] uint8``, RGB; values outside 0..255, as random erasing has them, are cut off.
    """
    pixels = image.transpose(1, 2, 0) * np.array(preprocessing.std) + np.array(preprocessing.mean)
    pixels = np.rint(pixels).clip(0, 255).astype(np.uint8)
    if preprocessing.channels == 1:
        return np.repeat(pixels, 3, axis=2)
    return pixels[:, :, ::-1] if preprocessing.channel_order == "bgr" else pixels


def _add_channel(image: np.ndarray) -> np.ndarray:
    """``[H, W]`` or ``[H, W, 1]`` to ``[H, W, 1]``."""
    return image.reshape(*image.shape[:2], 1)


def _operations(view: list[Operation], preprocessing: Preprocessing) -> Operations:
    """Return the operations with the order of the channels, and the normalisation."""
    colour: list[Operation] = []
    if preprocessing.channels == 1:
        colour = [vision.ConvertColor(ConvertMode.COLOR_RGB2GRAY), _add_channel]
    elif preprocessing.channel_order == "bgr":
        colour = [vision.ConvertColor(ConvertMode.COLOR_RGB2BGR)]
    return Operations(view, [*colour, vision.HWC2CHW()], partial(normalise, preprocessing=preprocessing))


def _apply(operations: list[Operation], pixels: Any) -> np.ndarray:
    for operation in operations:
        pixels = operation(pixels)
    return np.asarray(pixels)
