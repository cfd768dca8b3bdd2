"""``predict``: name what is in images, and draw which part of them says so."""

import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.data.images import image_files
from mindcv_shufflenet.deploy.predictor import OPTIONS, Prediction, Predictor
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.mode import mode_restored

_logger = logging.getLogger(__name__)


class ImageResult(NamedTuple):
    """What is predicted for an image file.

    Attributes:
        image: the file.
        found: its prediction, or the error that says why it cannot be read.
        cam: its Grad-CAM picture; None: none was asked for, or the image cannot be read.
    """

    image: Path
    found: Prediction | UserError
    cam: Path | None


@dataclass(frozen=True)
class PredictionRun:
    """The predictions of images, which are computed in batches while they are iterated over.

    Attributes:
        model: the name of the network.
        device: the device that computes.
        images: how many files there are.
        results: one for each file, in their order.
    """

    model: str
    device: str
    images: int
    results: Iterator[ImageResult]

    def __iter__(self) -> Iterator[ImageResult]:
        return self.results

    def __len__(self) -> int:
        return self.images


def predict(
    options: Mapping[str, Any],
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    topk: int = 5,
    cam: str | os.PathLike[str] | None = None,
) -> PredictionRun:
    """Predict image files. MindSpore's mode is that of the options until the last result is taken.

    Args:
        options: options by name, as a recipe has them (docs/options.md).
        images: a file, a folder whose images are found at any depth, or several of these.
        topk: how many classes a prediction lists.
        cam: folder for a Grad-CAM picture of each image; None: none are drawn.

    Raises:
        UserError: an option is wrong, a file or folder is not there, ``cam`` cannot be written, or the weights cannot
            be had or do not fit. An image that cannot be read is no error, but a result.
    """
    config = parse_config(options)
    files = image_files(images)
    if cam and config.chosen_engine != "mindspore":
        raise UserError(
            f"--cam needs gradients, and {config.chosen_engine} computes none: give the checkpoint as"
            " --ckpt_path, and leave --engine out"
        )
    folder = _make_folder(Path(cam)) if cam else None
    with ExitStack() as stack:
        stack.enter_context(mode_restored())
        machine, adapted = set_up(config)
        of_network = {name: value for name, value in options.items() if name in OPTIONS}
        model = of_network.pop("model", None)
        predictor = Predictor(model, topk=topk, batch_size=min(config.batch_size, len(files)), **of_network)
        for note in (*notes_on_options("predict", predictor.config, options), *adapted):
            _logger.info(note)
        results = _results(predictor, files, folder, stack.pop_all())
    return PredictionRun(predictor.config.model, machine.device, len(files), results)


def _results(predictor: Predictor, files: list[Path], folder: Path | None, stack: ExitStack) -> Iterator[ImageResult]:
    """Yield the result of each file, and close the stack at the end."""
    drawer = _Drawer(predictor, folder) if folder else None
    with stack:
        for file, found in zip(files, predictor.outcomes(files), strict=True):
            cam = drawer.draw(file, found) if drawer and isinstance(found, Prediction) else None
            yield ImageResult(file, found, cam)


def _make_folder(folder: Path) -> Path:
    """Make the folder of the pictures, before the work is done.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; give --cam another folder") from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {folder}: give --cam another folder")
    return folder


class _Drawer:
    """Writes ``NAME-cam.png`` for each image; images of one name in several folders are numbered.

    Args:
        predictor: what has predicted the images.
        folder: where the pictures go.
    """

    def __init__(self, predictor: Predictor, folder: Path) -> None:
        self.predictor = predictor
        self.folder = folder
        self.taken: set[Path] = set()

    def draw(self, file: Path, prediction: Prediction) -> Path:
        """Write the picture of an image and return its path."""
        from mindcv_shufflenet.report.gradcam import draw, grad_cam  # matplotlib is slow to import

        names = (self.folder / f"{file.stem}{f'-{number}' if number else ''}-cam.png" for number in itertools.count())
        picture = next(name for name in names if name not in self.taken)
        self.taken.add(picture)
        view = self.predictor.view(file)
        heat = grad_cam(self.predictor.network, self.predictor.normalise(view), prediction.index)
        draw(picture, view, heat, [(found.label, found.score) for found in prediction.topk], file.name)
        return picture
