"""``verify``: the table and the JSON of :func:`mindcv_shufflenet.verify`."""

import argparse
from dataclasses import asdict

from rich.table import Table

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.evaluation.verify import Verification, verify
from mindcv_shufflenet.lines import counted


def run(arguments: argparse.Namespace) -> None:
    """Print the published and the measured score, and what other preprocessing gives where they differ.

    Raises:
        RunError: the measured score is lower than chance allows.
    """
    with reporting(arguments) as console:
        result = verify(arguments.options, console=console)
    console.print(_table(result))
    console.print(result.verdict)
    record = result.record
    write_json(
        arguments.json,
        {
            "model": record.name,
            "images": result.images,
            "published": {"top1": record.top1, "top5": record.top5, "source": record.source},
            "measured": {"top1": result.top1, "top5": result.top5, "loss": result.loss},
            "margin": result.margin,
            "tried": [asdict(attempt) for attempt in result.tried],
            "agrees": result.agrees,
            "verdict": result.verdict,
        },
    )
    if not result.agrees:
        raise RunError(f"{record.name} does not reach its published score on these images")


def _table(result: Verification) -> Table:
    record = result.record
    table = Table(title=f"{record.name}, {counted(result.images, 'image')}", show_edge=False, pad_edge=False)
    for column in ("preprocessing", "top-1", "top-5"):
        table.add_column(column)
    scores = [
        (f"published ({record.source})", record.top1, record.top5),
        ("the record's", result.top1, result.top5),
        *((attempt.preprocessing, attempt.top1, attempt.top5) for attempt in result.tried),
    ]
    for name, top1, top5 in scores:
        table.add_row(name, f"{top1:.2f}", f"{top5:.2f}")
    return table
