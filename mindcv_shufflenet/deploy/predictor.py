"""From images of any kind to classes: ``Predictor("shufflenet_v2_x1_0.tv_in1k")("bird.jpg")``."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Tensor, nn
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy.special import softmax

from mindcv_shufflenet.config import Config, parse_config
from mindcv_shufflenet.data.datasets.base import list_images, read_classes_file
from mindcv_shufflenet.data.datasets.imagenet import read_classes
from mindcv_shufflenet.data.transforms import Operation, eval_crop, normalise
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.registry import create_model
from mindcv_shufflenet.weights.load import load_weights
from mindcv_shufflenet.weights.settle import PREPROCESSING_OPTIONS, open_weights, resolve_alias, settle

ImageLike = str | os.PathLike[str] | np.ndarray | Image.Image


@dataclass(frozen=True)
class Candidate:
    """One class and its probability."""

    label: str
    index: int
    score: float


@dataclass(frozen=True)
class Prediction:
    """What a network sees in an image.

    Attributes:
        label: name of the most probable class.
        index: its index.
        score: its probability, the softmax of the logits.
        topk: the most probable classes, the first one first.
    """

    label: str
    index: int
    score: float
    topk: tuple[Candidate, ...]


class Predictor:
    """A network with the preprocessing that belongs to its weights.

    Args:
        model: a name (``shufflenet_v2_x1_0`` or ``shufflenet_v2_x1_0.tv_in1k``), whose published weights are fetched
            unless ``ckpt_path`` is given; or a network.
        class_names: name of each class. None: those of the run directory that ``ckpt_path`` lies in, ImageNet's where
            there are 1000 classes, else the indices.
        topk: how many classes a prediction lists.
        batch_size: images a forward pass.
        options: options of the schema (``docs/options.md``), such as ``ckpt_path``, ``image_resize``, ``mean``.

    Raises:
        UserError: an option is unknown or wrong, or the weights cannot be had or do not fit.
    """

    def __init__(
        self,
        model: str | nn.Cell,
        *,
        class_names: Sequence[str] | None = None,
        topk: int = 5,
        batch_size: int = 32,
        **options: Any,
    ) -> None:
        if topk < 1 or batch_size < 1:
            raise UserError(f"topk={topk}, batch_size={batch_size}: both must be at least 1")
        self.topk = topk
        self.batch_size = batch_size
        self.notes: list[str] = []
        if isinstance(model, str):
            self.network, self.config = self._open(model, options)
        else:
            self.network, self.config = model, parse_config(options)
        self.network.set_train(False)
        self.num_classes = self.network.classifier.weight.shape[0]
        self.class_names = tuple(class_names or _class_names(self.config, self.num_classes))
        if len(self.class_names) != self.num_classes:
            raise UserError(
                f"there are {len(self.class_names)} class names and {self.num_classes} classes; give one name a class"
            )
        self._crop = eval_crop(self.config, encoded=False)
        self._normalise = normalise(self.config)

    def __call__(self, images: ImageLike | Iterable[ImageLike]) -> Any:
        """Predict one image or several.

        Args:
            images: a path; a folder, whose images are found at any depth; pixels
                (``[H, W, 3]`` or ``[H, W]`` uint8, RGB); a Pillow image; or a list of these.

        Returns:
            A :class:`Prediction` for one image, a list of them for a list or a folder (in the order of
            :func:`image_files`).

        Raises:
            UserError: a file that is no image, is damaged or too large; a folder without images.
        """
        if isinstance(images, str | os.PathLike) and Path(images).is_dir():
            return list(self.predict(image_files([images])))
        if isinstance(images, str | os.PathLike | np.ndarray | Image.Image):
            return next(self.predict([images]))
        return list(self.predict(images))

    def predict(self, images: Iterable[ImageLike]) -> Iterator[Prediction]:
        """Give the predictions of images one by one; they are computed in batches."""
        return map(self.describe, self.scores(images))

    def scores(self, images: Iterable[ImageLike]) -> Iterator[np.ndarray]:
        """Give the probabilities ``[num_classes] float64`` of images one by one; they are computed in batches."""
        batch: list[np.ndarray] = []
        for image in images:
            batch.append(self.preprocess(image))
            if len(batch) == self.batch_size:
                yield from self._batch_scores(batch)
                batch = []
        if batch:
            yield from self._batch_scores(batch)

    def view(self, image: ImageLike) -> np.ndarray:
        """Return what the network sees of an image, ``[H, W, 3] uint8``: resized and cropped."""
        return _apply(self._crop, open_image(image))

    def preprocess(self, image: ImageLike) -> np.ndarray:
        """Return the network's input for an image, ``[C, H, W] float32``."""
        return _apply(self._normalise, self.view(image))

    def describe(self, scores: np.ndarray) -> Prediction:
        """Turn the probabilities ``[num_classes]`` of one image into a prediction."""
        order = np.argsort(-scores, kind="stable")[: self.topk]
        top = tuple(Candidate(self.class_names[i], int(i), float(scores[i])) for i in order)
        return Prediction(top[0].label, top[0].index, top[0].score, top)

    def _batch_scores(self, batch: list[np.ndarray]) -> np.ndarray:
        # One shape for all batches, since another one would be compiled anew.
        missing = self.batch_size - len(batch) if len(batch) > 1 else 0
        images = np.stack(batch + batch[:1] * missing)
        logits = self.network(Tensor(images)).asnumpy()[: len(batch)].astype(np.float64)
        return softmax(logits, axis=1)

    def _open(self, model: str, options: dict[str, Any]) -> tuple[nn.Cell, Config]:
        given = {"model": model, **options}
        config = resolve_alias(parse_config(given))
        if not config.ckpt_path and not config.random_weights:
            config = config.replace(pretrained=True)
        weights = open_weights(config)
        config, self.notes = settle(config, given, weights, PREPROCESSING_OPTIONS)
        classifier = weights.arrays.get("classifier.weight") if weights else None
        classes = config.num_classes or (len(classifier) if classifier is not None else 1000)
        network = create_model(
            config.network,
            num_classes=classes,
            in_channels=config.in_channels,
            layout=config.layout,
            stem=config.stem,
            pool=config.pool,
        )
        if weights:
            self.notes += load_weights(network, weights)
        return network, config


def inference_model(model: str | nn.Cell | Predictor, image: ImageLike, **options: Any) -> dict[str, Any]:
    """Predict one image and return what mmpretrain's function of that name does.

    Returns:
        ``pred_scores`` (``[num_classes]``, all probabilities), ``pred_label`` (index of the best class), ``pred_score``
        and ``pred_class`` (its probability and name).
    """
    predictor = model if isinstance(model, Predictor) else Predictor(model, **options)
    scores = next(predictor.scores([image]))
    prediction = predictor.describe(scores)
    return {
        "pred_scores": scores,
        "pred_label": prediction.index,
        "pred_score": prediction.score,
        "pred_class": prediction.label,
    }


def _apply(operations: list[Operation], pixels: Any) -> np.ndarray:
    for operation in operations:
        pixels = operation(pixels)
    return np.asarray(pixels)


def image_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the files that are named, and the images in the folders that are, each folder sorted by path.

    Raises:
        UserError: a path that is not there, or a folder without images.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = list_images(path, strict=False)
            if not found:
                raise UserError(f"no images in {path}; name a folder that has some, or the files themselves")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"there is no file or folder {path}; check the path")
    return files


def open_image(image: ImageLike) -> np.ndarray:
    """Return the pixels ``[H, W, 3] uint8`` of an image, upright and in RGB.

    Grey, palette, CMYK and 16-bit images are converted, alpha is dropped, the first picture of an animation is taken,
    and the rotation that a camera noted (EXIF) is carried out.

    Raises:
        UserError: the file is no image, is cut short, or has more pixels than Pillow thinks safe; the array has
            another shape or type.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise UserError(
                f"pixels of shape {image.shape} and type {image.dtype}: an image is [H, W, 3] or [H, W] of uint8"
            )
        return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    if isinstance(image, Image.Image):
        return _upright_rgb(image)
    path = Path(image)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # odd EXIF data
            with Image.open(path) as opened:
                return _upright_rgb(opened)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(f"image {path} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not an image; give image files or folders of them") from None
    except OSError as error:
        raise UserError(f"cannot read the image {path}: {error.strerror or error}; get it again") from error
    except Exception as error:  # on damaged bytes Pillow's readers raise SyntaxError, ValueError, struct.error ...
        raise UserError(f"cannot read the image {path}: it is damaged; get it again") from error


def _upright_rgb(image: Image.Image) -> np.ndarray:
    image.seek(0)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would clip them to white
        values = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((values >> 8 if values.max() > 255 else values).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def _class_names(config: Config, num_classes: int) -> Sequence[str]:
    """The names in the run directory of the checkpoint, ImageNet's, or the indices."""
    classes = read_classes_file(Path(config.ckpt_path).parent / "classes.json") if config.ckpt_path else None
    if classes and len(classes["names"]) == num_classes:
        return classes["names"]
    if num_classes == 1000:
        return read_classes(Path())[1]
    return [str(index) for index in range(num_classes)]
