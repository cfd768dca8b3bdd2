"""``check``: the verdict of :func:`mindcv_shufflenet.check`, for people and as JSON."""

import argparse
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.deploy.export.check import check
from mindcv_shufflenet.errors import RunError


def run(arguments: argparse.Namespace) -> None:
    """Print how far a runtime is from the golden outputs of a file.

    Raises:
        RunError: it is too far.
    """
    with reporting(arguments) as console:
        result = check(arguments.file, engine=arguments.engine)
    write_json(arguments.json, asdict(result) | {"agrees": result.agrees})
    if not result.agrees:
        raise RunError(result.verdict)
    console.print(result.verdict)
