"""``predict``: the classes of :func:`mindcv_shufflenet.predict`, for people and as JSON."""

import argparse
from dataclasses import asdict
from typing import Any

from rich.progress import track

from mindcv_shufflenet import signals
from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.deploy.predict import ImageResult, predict
from mindcv_shufflenet.deploy.predictor import Prediction
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.lines import counted


def run(arguments: argparse.Namespace) -> None:
    """Print the classes of each image as they come, and write Grad-CAM pictures if they are asked for.

    Raises:
        RunError: some images cannot be read; the others are predicted.
        UserError: none can be read.
    """
    with reporting(arguments) as console:
        predicted = predict(arguments.options, arguments.images, topk=arguments.topk, cam=arguments.cam)
    results: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    try:
        for result in track(
            signals.checked(predicted),
            description=f"predicting on {predicted.device}",
            total=len(predicted),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ):
            if isinstance(result.found, UserError):
                failed.append({"image": str(result.image), "reason": str(result.found)})
                continue
            results.append(_row(result, result.found))
            console.print(str(result.image))
            for rank, found in enumerate(result.found.topk, start=1):
                console.print(f"  {rank}  {found.score:7.2%}  {found.label}")
    finally:  # what there is when a signal has come, too
        write_json(arguments.json, {"model": predicted.model, "predictions": results, "failed": failed})
    for failure in failed if len(predicted) > 1 else []:
        console.print(f"not predicted: {failure['reason']}")
    if arguments.cam and results:
        console.print(f"Grad-CAM pictures: {arguments.cam}")
    if failed and not results:
        raise UserError(failed[0]["reason"] if len(failed) == 1 else f"none of the {len(predicted)} images can be read")
    if failed:
        raise RunError(
            f"of {counted(len(predicted), 'image')} {len(failed)} cannot be read, for the reasons that are listed above"
        )


def _row(result: ImageResult, prediction: Prediction) -> dict[str, Any]:
    """Return a result as JSON holds it."""
    return {"image": str(result.image), **asdict(prediction)} | ({"cam": str(result.cam)} if result.cam else {})
