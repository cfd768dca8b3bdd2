"""From images of any kind to classes: ``Predictor("shufflenet_v2_x1_0.tv_in1k")("bird.jpg")``."""

import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn
from scipy.special import softmax

from mindcv_shufflenet.data.class_names import class_names_of
from mindcv_shufflenet.data.images import IMAGE_TYPES, ImageLike, image_files
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.engines.open import find_source, open_built
from mindcv_shufflenet.errors import RunError, UserError, check_counts, check_keywords
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.model_name import ModelName
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.tables import names_of, read_by
from mindcv_shufflenet.weights.provenance import resolve_alias

_logger = logging.getLogger(__name__)


# Options of a predictor, beside batch_size.
OPTIONS = {*names_of("network", "weights", "preprocessing", "command")} & {*read_by("predict")}
# Those that a given network answers; its number of channels decides about its input too.
_OF_NETWORK = OPTIONS - {"in_channels", *names_of("preprocessing", "command")}


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
        score: its probability, the softmax of the logits, which are divided by the temperature of the weights first.
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
            unless ``ckpt_path`` is given; an ONNX file, which is run as it is; a network, which has its weights; or
            None: what ``ckpt_path`` or its run directory says.
        class_names: name of each class. None: those that ``ckpt_path`` or its run directory tells, ImageNet's where
            nothing is told and there are 1000 classes, else the indices.
        topk: how many classes a prediction lists.
        batch_size: images a forward pass.
        options: options of network and preprocessing (``docs/options.md``), such as ``ckpt_path``, ``image_resize``,
            ``mean``, and ``engine``.

    Raises:
        UserError: an option is unknown or wrong, or says of a network that is given what it is; nothing tells the
            weights, or they cannot be had or do not fit.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | nn.Cell | None = None,
        *,
        class_names: Sequence[str] | None = None,
        topk: int = 5,
        batch_size: int = 32,
        **options: Any,
    ) -> None:
        check_counts(topk=topk, batch_size=batch_size)
        check_keywords("Predictor", options, ("class_names", "topk", "batch_size", *OPTIONS))
        self.topk = topk
        self.batch_size = batch_size
        if isinstance(model, nn.Cell):
            if fixed := [name for name in options if name in _OF_NETWORK]:
                raise UserError(f"{fixed[0]} cannot be set on a network that is there; set it when making the network")
            self.config = parse_config(options)
            names = class_names_of(None, None, model.get_classifier().weight.shape[0])
            self._opened = open_built(model, self.config, names)
        else:
            given = options if model is None else options | {"model": model}
            source = find_source(_with_weights(given))
            self.config = source.settled.config
            self._opened = source.open()
        self.temperature = self._opened.temperature
        for note in self._opened.notes:
            _logger.info(note)
        if self.temperature != 1:
            _logger.info("the probabilities are calibrated: temperature %.3g, from the weights", self.temperature)
        if self._opened.network:
            self._opened.network.set_train(False)
        self.forward = self._opened.forward
        self.num_classes = self._opened.num_classes
        self.class_names = tuple(class_names or self._opened.class_names or map(str, range(self.num_classes)))
        if len(self.class_names) != self.num_classes:
            raise UserError(
                f"there are {counted(len(self.class_names), 'class name')} for"
                f" {counted(self.num_classes, 'class', 'classes')}; give one name a class"
            )
        self._transform = create_transform(Preprocessing.of(self.config))

    @property
    def network(self) -> nn.Cell:
        """The network that MindSpore computes.

        Raises:
            UserError: another engine computes it.
        """
        if self._opened.network is None:
            raise UserError(
                f"engine={self.config.chosen_engine} computes logits alone: for the network itself give the checkpoint"
                " as ckpt_path, and leave engine out"
            )
        return self._opened.network

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
            images = [images]
        elif isinstance(images, (*IMAGE_TYPES, bytes)) or not isinstance(images, Iterable):
            return next(self.predict([images]))
        return list(self.predict(itertools.chain.from_iterable(map(_in_folders, images))))

    def predict(self, images: Iterable[ImageLike]) -> Iterator[Prediction]:
        """Give the predictions of images one by one; they are computed in batches.

        Raises:
            UserError: an image cannot be read.
        """
        return map(self.describe, self.scores(images))

    def outcomes(self, images: Iterable[ImageLike]) -> Iterator[Prediction | UserError]:
        """Give for each image, in their order, its prediction, or what is wrong with it."""
        return (found if isinstance(found, UserError) else self.describe(found) for found in self._outcomes(images))

    def scores(self, images: Iterable[ImageLike]) -> Iterator[np.ndarray]:
        """Give the probabilities ``[num_classes] float64`` of images one by one; they are computed in batches.

        Raises:
            UserError: an image cannot be read.
        """
        for found in self._outcomes(images):
            if isinstance(found, UserError):
                raise found
            yield found

    def _outcomes(self, images: Iterable[ImageLike]) -> Iterator[np.ndarray | UserError]:
        """Give the probabilities of each image, or what is wrong with it, as soon as its batch is computed."""
        waiting: list[np.ndarray | UserError] = []  # inputs of the network, and errors between them
        for image in images:
            try:
                waiting.append(self.preprocess(image))
            except UserError as error:
                waiting.append(error)
            if sum(isinstance(found, np.ndarray) for found in waiting) == self.batch_size:
                yield from self._computed(waiting)
                waiting = []
        yield from self._computed(waiting)

    def _computed(self, waiting: list[np.ndarray | UserError]) -> Iterator[np.ndarray | UserError]:
        batch = [found for found in waiting if isinstance(found, np.ndarray)]
        scores = iter(self._batch_scores(batch) if batch else ())
        return (found if isinstance(found, UserError) else next(scores) for found in waiting)

    def view(self, image: ImageLike) -> np.ndarray:
        """Return what the network sees of an image, ``[H, W, 3] uint8``: resized and cropped."""
        return self._transform.view(image)

    def preprocess(self, image: ImageLike) -> np.ndarray:
        """Return the network's input for an image, ``[C, H, W] float32``."""
        return self._transform(image)

    def normalise(self, view: np.ndarray) -> np.ndarray:
        """Return the network's input, ``[C, H, W] float32``, for what :meth:`view` returned."""
        return self._transform.normalise(view)

    def describe(self, scores: np.ndarray) -> Prediction:
        """Turn the probabilities ``[num_classes]`` of one image into a prediction."""
        order = np.argsort(-scores, kind="stable")[: self.topk]
        top = tuple(Candidate(self.class_names[i], int(i), float(scores[i])) for i in order)
        return Prediction(top[0].label, top[0].index, top[0].score, top)

    def _batch_scores(self, batch: list[np.ndarray]) -> np.ndarray:
        # One shape for all batches, since another one would be compiled anew.
        missing = self.batch_size - len(batch) if len(batch) > 1 else 0
        images = np.stack(batch + batch[:1] * missing)
        logits = self.forward(images)[: len(batch)].astype(np.float64)
        if not np.isfinite(logits).all():
            raise RunError("the network's outputs are not numbers; its weights are of no use")
        return softmax(logits / self.temperature, axis=1)


def _with_weights(options: dict[str, Any]) -> dict[str, Any]:
    """Take the published weights of the model where no others are given, and tell where they were not asked for.

    Raises:
        UserError: nothing says whose weights.
    """
    if "model" in options and parse_config(options).model_name.is_file:
        return options
    if options.get("ckpt_path") or options.get("pretrained"):
        return options
    if "pretrained" in options:
        raise UserError("whose weights? pretrained is False: give --ckpt_path FILE, or leave pretrained out")
    if "model" not in options:
        raise UserError("whose weights? give --ckpt_path FILE, or --model NAME for the published ones of NAME")
    name = resolve_alias(parse_config(options)).model
    if ModelName.parse(name).tag is None:
        _logger.info("no ckpt_path is given: the published weights of %s are used", name)
    return options | {"pretrained": True}


def inference_model(model: str | nn.Cell | Predictor, image: ImageLike, **options: Any) -> dict[str, Any]:
    """Predict one image and return what mmpretrain's function of that name does.

    Returns:
        ``pred_scores`` (``[num_classes]``, all probabilities), ``pred_label`` (index of the best class), ``pred_score``
        and ``pred_class`` (its probability and name).
    """
    if isinstance(model, Predictor) and options:
        raise UserError(f"{', '.join(options)} cannot be set on a predictor that is there; set it when making it")
    predictor = model if isinstance(model, Predictor) else Predictor(model, **options)
    scores = next(predictor.scores([image]))
    prediction = predictor.describe(scores)
    return {
        "pred_scores": scores,
        "pred_label": prediction.index,
        "pred_score": prediction.score,
        "pred_class": prediction.label,
    }


def _in_folders(image: ImageLike) -> Sequence[ImageLike]:
    """The images in a folder, or the image itself."""
    return image_files([image]) if isinstance(image, str | os.PathLike) else [image]
