"""``predict``: name what is in images, and show which part of them says so."""

import argparse
import itertools
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.progress import track

from mindcv_shufflenet import signals
from mindcv_shufflenet.commands.setup import create_console, read_config, write_json
from mindcv_shufflenet.deploy.images import image_files
from mindcv_shufflenet.deploy.predictor import Prediction, Predictor
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.parallel.startup import set_up

# Options that concern the machine, not the predictor.
_MACHINE = ("mode", "device_target", "batch_size")


def run(arguments: argparse.Namespace) -> None:
    """Print the classes of each image as they come, and write Grad-CAM pictures if they are asked for.

    Raises:
        RunError: some images cannot be read; the others are predicted.
        UserError: none can be read.
    """
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    files = image_files(arguments.images)
    if arguments.cam:
        _check_folder(Path(arguments.cam))
    machine, adapted = set_up(config)
    options = {name: value for name, value in arguments.options.items() if name not in _MACHINE}
    predictor = Predictor(
        options.pop("model", None), topk=arguments.topk, batch_size=min(config.batch_size, len(files)), **options
    )
    for note in predictor.notes + adapted:
        console.print(f"note: {note}")

    drawer = _Drawer(predictor, Path(arguments.cam)) if arguments.cam else None
    results: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    shown = track(
        zip(files, predictor.outcomes(files), strict=True),
        description=f"predicting on {machine.device}",
        total=len(files),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    try:
        with signals.held():
            for file, found in shown:
                signals.check()
                if isinstance(found, UserError):
                    failed.append({"image": str(file), "reason": str(found)})
                    continue
                results.append({"image": str(file), **asdict(found)})
                for line in _block(file, found):
                    console.print(line)
                if drawer:
                    results[-1]["cam"] = str(drawer.draw(file, found))
    finally:  # what there is when a signal has come, too
        write_json(arguments.json, {"model": predictor.config.model, "predictions": results, "failed": failed})
    for failure in failed if len(files) > 1 else []:
        console.print(f"not predicted: {failure['reason']}")
    if drawer and results:
        console.print(f"Grad-CAM pictures: {arguments.cam}")
    if failed and not results:
        raise UserError(failed[0]["reason"] if len(failed) == 1 else f"none of the {len(files)} images can be read")
    if failed:
        raise RunError(f"{len(failed)} of {len(files)} images cannot be read; they are listed above with their reason")


def _block(file: Path, prediction: Prediction) -> list[str]:
    """Show an image's most probable classes, a line each under its path."""
    lines = [f"  {rank}  {found.score:7.2%}  {found.label}" for rank, found in enumerate(prediction.topk, start=1)]
    return [str(file), *lines]


def _check_folder(folder: Path) -> None:
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
