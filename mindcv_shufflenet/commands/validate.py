"""``validate``: the figures of :func:`mindcv_shufflenet.evaluate`, for people and as JSON."""

import argparse
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.evaluation.evaluate import evaluate
from mindcv_shufflenet.lines import counted


def run(arguments: argparse.Namespace) -> None:
    """Validate as the options say and print the figures."""
    with reporting(arguments) as console:
        result = evaluate(arguments.options, given=arguments.given, console=console)
    values = asdict(result)
    split = values.pop("split")  # not among the keys of the JSON
    console.print(
        f"{result.model} on {result.dataset} {split}: top-1 {result.top1:.3f} %, top-5 {result.top5:.3f} %, loss"
        f" {result.loss:.4f}, {counted(result.images, 'image')}, {result.images_per_second:.0f} images/s"
    )
    write_json(arguments.json, values)
