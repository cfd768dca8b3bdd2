"""``train``: :func:`mindcv_shufflenet.train` with its progress, its result for people and as JSON."""

import argparse
import sys
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.lines import print_line
from mindcv_shufflenet.training.display import clock
from mindcv_shufflenet.training.train import train


def run(arguments: argparse.Namespace) -> None:
    """Train as the options say and print where everything lies."""
    with reporting(arguments, survives=True) as console:
        result = train(arguments.options, given=arguments.given, console=console)
    values = asdict(result) | {"training_time": clock(result.training_time)}
    for name, value in values.items():
        if value is not None:
            console.print(f"{name.replace('_', ' ')}: {f'{value:.3f} %' if isinstance(value, float) else value}")
    write_json(arguments.json, values)
    if console.lost:
        print_line(f"note: the output was cut off: {console.lost.strerror}; see {result.log}", sys.stderr)
