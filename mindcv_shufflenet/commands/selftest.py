"""``selftest``: the outcome of :func:`mindcv_shufflenet.selftest` as a table, a text for a bug report, and JSON."""

import argparse
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.console import progress
from mindcv_shufflenet.diagnosis.checks import CHECKS
from mindcv_shufflenet.diagnosis.outcome import FAILED, LEFT_OUT, PASSED, Outcome
from mindcv_shufflenet.diagnosis.selftest import SelfTest, selftest
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.lines import counted

_STYLES = {PASSED: "green", FAILED: "bold red", LEFT_OUT: "yellow"}


def run(arguments: argparse.Namespace) -> None:
    """Do all checks, and print what they have found.

    Raises:
        RunError: a check has failed.
    """
    with reporting(arguments) as console:
        found: list[Outcome] = []

        def add(outcome: Outcome) -> None:
            found.append(outcome)
            advance(1)

        try:
            with progress("checking this machine", len(CHECKS), console=console) as advance:
                result = selftest(arguments.options.get("device_target", "auto"), arguments.ranks, add)
        finally:  # what has ended is told, when a signal comes too
            if found:
                console.print(_table(found))
        for outcome in result.failed:
            console.print(f"{outcome.name}: {outcome.meaning}")
        console.print()
        console.print("For a bug report:")
        for line in result.text.splitlines():
            console.print(line)
        write_json(arguments.json, _plain(result))
    if result.failed:
        raise RunError(f"{counted(len(result.failed), 'check')} of {len(result.outcomes)} failed")


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("check", "outcome", "what was found")
    for outcome in outcomes:
        table.add_row(outcome.name, Text(outcome.status, _STYLES[outcome.status]), outcome.detail)
    return table


def _plain(result: SelfTest) -> dict[str, object]:
    return {"passed": not result.failed, "checks": [outcome._asdict() for outcome in result.outcomes]}
