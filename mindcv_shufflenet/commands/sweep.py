"""``sweep``: how the runs of :func:`mindcv_shufflenet.sweep` ended, for people and as JSON."""

import argparse
from dataclasses import asdict

from rich.table import Table

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.sweeps.sweep import RunResult, sweep


def run(arguments: argparse.Namespace) -> None:
    """Train the runs and print their table.

    Raises:
        RunError: a run has failed.
    """
    with reporting(arguments, survives=True) as console:
        result = sweep(arguments.file, arguments.output, console=console)
    table = Table("run", "best top-1", "epoch", "epochs", "time", "status")
    for one in result.runs:
        table.add_row(*_cells(one))
    console.print(table)
    console.print(f"the table: {result.folder / 'results.csv'}")
    write_json(arguments.json, asdict(result))
    if result.failed:
        raise RunError(
            f"{', '.join(result.failed)} failed ({len(result.failed)} of {len(result.runs)}); output.txt in the folder"
            " of a run says why, and the same command tries again"
        )


def _cells(run: RunResult) -> list[str]:
    top1 = "" if run.best_top1 is None else f"{run.best_top1:.3f} %"
    return [run.name, top1, *("" if value is None else str(value) for value in (run.best_epoch, run.epochs)),
            run.training_time or "", run.status]  # fmt: skip
