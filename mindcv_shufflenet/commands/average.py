"""``average``: what :func:`mindcv_shufflenet.average_checkpoints` has written, for people and as JSON."""

import argparse
from dataclasses import asdict

from rich.table import Table

from mindcv_shufflenet.averaging.average import average_checkpoints
from mindcv_shufflenet.commands.output import reporting, write_json


def run(arguments: argparse.Namespace) -> None:
    """Average the checkpoints and print what was written, with the scores if they were asked for."""
    with reporting(arguments) as console:
        average = average_checkpoints(
            arguments.sources,
            arguments.output,
            last=arguments.last,
            epochs=arguments.epochs,
            recompute_bn=arguments.recompute_bn,
            validate=arguments.validate,
            overwrite=arguments.overwrite,
            options=arguments.options,
            console=console,
        )
    if average.scores:
        table = Table("checkpoint", "top-1", "top-5", "loss")
        for score in average.scores:
            table.add_row(score.file, f"{score.top1:.3f} %", f"{score.top5:.3f} %", f"{score.loss:.4f}")
        console.print(table)
    how = f"computed anew over {average.recomputed} images" if average.recomputed else "averaged too"
    console.print(f"{average.output}: {average.title}, BatchNorm statistics {how}")
    scores = [score._asdict() for score in average.scores]
    write_json(arguments.json, asdict(average) | {"scores": scores})
