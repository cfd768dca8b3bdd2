"""``analyse``: which errors a network makes on validation and on training images, and whether it is calibrated."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from scipy.special import softmax

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import Loader, eval_loader
from mindcv_shufflenet.data.open import evenly_spaced, open_data
from mindcv_shufflenet.data.transforms import denormalise
from mindcv_shufflenet.engines.open import OpenedEngine, find_source
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.evaluation.calibration import Calibration, Sureness, calibrate, find_sureness
from mindcv_shufflenet.evaluation.confusion import ClassScores, class_scores, confusion, most_confident_errors
from mindcv_shufflenet.evaluation.evaluator import Observer, Scored, scored_batches
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.runtime.cores import count_workers

# The most wrong images that are shown.
_SHOWN = 12


class Part(NamedTuple):
    """The answers to the images of a split.

    Attributes:
        metrics: top-1, top-5 and loss.
        matrix: confusion matrix ``[num_classes, num_classes] int64``, a row a label.
        scores: figures of each class.
    """

    metrics: Metrics
    matrix: np.ndarray
    scores: ClassScores


class WrongImage(NamedTuple):
    """An image with a wrong answer.

    Attributes:
        image: what the network reads, ``[C, H, W] float32``.
        view: the same, ``[H, W, 3] uint8``.
        label: index of its class.
        answer: index of the class that the network takes it for.
        probability: of the answer.
        heat: where the image raises the score of the answer (Grad-CAM), ``[h, w] float32`` in 0..1; None: not known.
    """

    image: np.ndarray
    view: np.ndarray
    label: int
    answer: int
    probability: float
    heat: np.ndarray | None = None


class Findings(NamedTuple):
    """What :func:`analyse` finds.

    Attributes:
        class_names: the name of each class.
        val: of the validation images.
        train: of as many evenly spaced training images without augmentation, or of all.
        train_images: how many training images there are.
        calibration: None where there are too few images.
        sureness: from which calibrated probability on an answer counts as sure; None where none does.
        wrong: the wrong answers to validation images with the highest probability, highest first.
    """

    class_names: tuple[str, ...]
    val: Part
    train: Part
    train_images: int
    calibration: Calibration | None
    sureness: Sureness | None
    wrong: list[WrongImage]


def analyse(
    options: Mapping[str, Any], *, num_samples: int | None = None, full: bool = False, console: Console | None = None
) -> Findings:
    """Evaluate weights on the validation and on the training images of a data set, both without augmentation.

    Args:
        options: of the evaluation, by name; they name weights and data.
        num_samples: how many training images the training has read; None: all.
        full: read all of those, not only as many as there are validation images.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: weights or data are gone or do not fit.
        RunError: the network's outputs are not numbers.
    """
    source = find_source(options)
    settled, config = source.settled, source.settled.config
    val = open_data(config, config.val_split, settled.classes, settled.held_out)
    train = open_data(config, config.train_split, settled.classes, settled.held_out, num_samples)
    train_images = len(train)
    if not full and len(val) < len(train):
        train = evenly_spaced(train, len(val))
    opened = source.open(val.num_classes)
    workers, _ = count_workers(config.num_parallel_workers)
    kept: list[np.ndarray] = []
    with progress("evaluating", len(val) + len(train), console=console or Console(quiet=True)) as advance:

        def count(scored: Scored) -> None:
            advance(len(scored.label))

        of_val = _part(opened, eval_loader(config, val, workers), count, lambda scored: kept.append(scored.logits))
        of_train = _part(opened, eval_loader(config, train, workers), count)
    logits = np.concatenate(kept)
    calibration = calibrate(logits, val.labels)
    probabilities = softmax(logits / np.float32(calibration.temperature if calibration else 1), axis=1)
    sureness = find_sureness(probabilities.max(axis=1), probabilities.argmax(axis=1) == val.labels)
    wrong = _wrong_images(config, val, probabilities, workers)
    return Findings(val.class_names, of_val, of_train, train_images, calibration, sureness, wrong)


def _part(opened: OpenedEngine, loader: Loader, *observers: Observer) -> Part:
    """Read the images of a loader once. Logits are not kept: those of a large training split fill the memory."""
    metrics, labels, answers = Metrics(), [], []
    for scored in scored_batches(opened.forward, loader):
        metrics.add(*scored)
        labels.append(scored.label)
        answers.append(scored.logits.argmax(axis=1))
        for observer in observers:
            observer(scored)
    if not np.isfinite(metrics.loss):
        raise RunError("the network's outputs are not numbers; its weights are of no use")
    found = np.concatenate(labels), np.concatenate(answers), opened.num_classes
    return Part(metrics, confusion(*found), class_scores(*found))


def _wrong_images(config: Config, split: Split, probabilities: np.ndarray, workers: int) -> list[WrongImage]:
    """The wrong answers with the highest probability, with their images."""
    indices = most_confident_errors(probabilities, split.labels, _SHOWN)
    if not len(indices):
        return []
    preprocessing = Preprocessing.of(config)
    batches = eval_loader(config, split.take(indices), workers).batches()
    images = np.concatenate([batch.image[batch.valid] for batch in batches])
    return [
        WrongImage(
            image,
            denormalise(image, preprocessing),
            int(split.labels[index]),
            int(probabilities[index].argmax()),
            float(probabilities[index].max()),
        )
        for image, index in zip(images, indices, strict=True)
    ]
