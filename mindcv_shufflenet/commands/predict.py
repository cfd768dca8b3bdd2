"""``predict``: name what is in images, and show which part of them says so."""

import argparse
from dataclasses import asdict
from pathlib import Path

from rich.progress import track
from rich.table import Column, Table

from mindcv_shufflenet import parallel
from mindcv_shufflenet.commands.setup import create_console, read_config, write_json
from mindcv_shufflenet.deploy.predictor import Predictor, image_files
from mindcv_shufflenet.errors import UserError


def run(arguments: argparse.Namespace) -> None:
    """Print a table of the classes of each image, and write Grad-CAM pictures if they are asked for."""
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    if not config.ckpt_path and not config.pretrained and config.model == config.network:
        raise UserError("whose weights? give --ckpt_path FILE, or --pretrained, or a tag as in --model NAME.tv_in1k")
    files = image_files(arguments.images)
    machine, adapted = parallel.init(config)
    options = {name: value for name, value in arguments.options.items() if name not in ("model", "batch_size")}
    predictor = Predictor(
        config.model, topk=arguments.topk, batch_size=min(config.batch_size, len(files), 32), **options
    )
    for note in predictor.notes + adapted:
        console.print(f"note: {note}")

    table = Table(Column("image", overflow="fold"), "top", "class", "probability")
    results = []
    shown = track(
        zip(files, predictor.predict(files), strict=True),
        description=f"predicting on {machine.device}",
        total=len(files),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for file, prediction in shown:
        results.append({"image": str(file), **asdict(prediction)})
        for rank, candidate in enumerate(prediction.topk, start=1):
            table.add_row(str(file) if rank == 1 else "", str(rank), candidate.label, f"{candidate.score:.2%}")
    console.print(table)
    if arguments.cam:
        _draw_all(files, predictor, Path(arguments.cam), results)
        console.print(f"Grad-CAM pictures: {arguments.cam}")
    write_json(arguments.json, {"model": config.model, "predictions": results})


def _draw_all(files: list[Path], predictor: Predictor, folder: Path, results: list[dict[str, object]]) -> None:
    """Write ``NAME.png`` for each image; images of one name in several folders are numbered."""
    from mindcv_shufflenet.report.gradcam import draw, grad_cam  # matplotlib is slow to import

    taken: set[str] = set()
    for file, result in zip(files, results, strict=True):
        name = next(n for i in range(len(files)) if (n := f"{file.stem}{f'-{i}' if i else ''}.png") not in taken)
        taken.add(name)
        prediction = predictor(file)
        classes = [(candidate.label, candidate.score) for candidate in prediction.topk]
        heat = grad_cam(predictor.network, predictor.preprocess(file), prediction.index)
        draw(folder / name, predictor.view(file), heat, classes, file.name)
        result["cam"] = str(folder / name)
