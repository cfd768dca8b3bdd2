"""``predict``: name what is in images, and show which part of them says so."""

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from rich.progress import track
from rich.table import Column, Table

from mindcv_shufflenet.commands.setup import create_console, read_config, write_json
from mindcv_shufflenet.deploy.images import image_files
from mindcv_shufflenet.deploy.predictor import Prediction, Predictor
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.parallel.device import set_up

# Options that concern the machine, not the predictor.
_MACHINE = ("mode", "device_target", "batch_size")


def run(arguments: argparse.Namespace) -> None:
    """Print a table of the classes of each image, and write Grad-CAM pictures if they are asked for."""
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    told = []
    if not config.ckpt_path and not config.pretrained and config.model == config.network:
        if "model" not in arguments.given:
            raise UserError("whose weights? give --ckpt_path FILE, or --model NAME for the published ones of NAME")
        arguments.options["pretrained"] = True
        told = [f"no ckpt_path is given: the published weights of {config.model} are used"]
    files = image_files(arguments.images)
    if arguments.cam:
        _check_folder(Path(arguments.cam))
    machine, adapted = set_up(config)
    options = {name: value for name, value in arguments.options.items() if name not in _MACHINE}
    predictor = Predictor(
        options.pop("model", None), topk=arguments.topk, batch_size=min(config.batch_size, len(files)), **options
    )
    for note in told + predictor.notes + adapted:
        console.print(f"note: {note}")

    table = Table(Column("image", overflow="fold"), "top", "class", "probability")
    predictions = []
    shown = track(
        zip(files, predictor.predict(files), strict=True),
        description=f"predicting on {machine.device}",
        total=len(files),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for file, prediction in shown:
        predictions.append(prediction)
        for rank, candidate in enumerate(prediction.topk, start=1):
            table.add_row(str(file) if rank == 1 else "", str(rank), candidate.label, f"{candidate.score:.2%}")
    console.print(table)
    results = [{"image": str(file), **asdict(found)} for file, found in zip(files, predictions, strict=True)]
    if arguments.cam:
        pictures = _draw_all(files, predictions, predictor, Path(arguments.cam))
        results = [result | {"cam": str(picture)} for result, picture in zip(results, pictures, strict=True)]
        console.print(f"Grad-CAM pictures: {arguments.cam}")
    write_json(arguments.json, {"model": predictor.config.model, "predictions": results})


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


def _draw_all(files: list[Path], predictions: list[Prediction], predictor: Predictor, folder: Path) -> list[Path]:
    """Write ``NAME-cam.png`` for each image; images of one name in several folders are numbered."""
    from mindcv_shufflenet.report.gradcam import draw, grad_cam  # matplotlib is slow to import

    pictures: list[Path] = []
    for file, prediction in zip(files, predictions, strict=True):
        names = (folder / f"{file.stem}{f'-{number}' if number else ''}-cam.png" for number in range(len(files)))
        pictures.append(next(name for name in names if name not in pictures))
        view = predictor.view(file)
        heat = grad_cam(predictor.network, predictor.normalise(view), prediction.index)
        classes = [(candidate.label, candidate.score) for candidate in prediction.topk]
        draw(pictures[-1], view, heat, classes, file.name)
    return pictures
