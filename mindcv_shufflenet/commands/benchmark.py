"""``benchmark``: the speeds of :func:`mindcv_shufflenet.benchmark` as tables, as JSON and as a plot."""

import argparse
import logging
from typing import Any

from mindcv_shufflenet.commands.output import reporting, write_json, write_text
from mindcv_shufflenet.commands.speed_tables import csv_text, heading, speed_table
from mindcv_shufflenet.deploy.speed.benchmark import Benchmark, Measurement, benchmark
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.costs import Complexity
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.weights.records import parse_name

_logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Measure the speed of networks and files, and print a table.

    Raises:
        UserError: nothing matches, an option does not fit, or two tables go to standard output.
    """
    if arguments.csv == arguments.json == "-":
        raise UserError("--csv and --json both go to standard output: give one of them a file")
    with reporting(arguments) as console:
        result = benchmark(
            arguments.models,
            arguments.options,
            engines=arguments.engine,
            precisions=arguments.precision,
            batch_sizes=arguments.batch_size,
            repeats=arguments.repeats,
            seconds=arguments.seconds,
            needs_top1=arguments.plot is not None,
            console=console,
        )
        if line := heading(result):
            console.print(line)
        console.print(speed_table(result))
        instructions = ", ".join(result.processor.instructions) or "unknown instructions"
        console.print(f"on {result.processor.name}, {counted(result.cores, 'core')} ({instructions})")
        console.print(f"peak: {result.peak / 1e9:.0f} GFLOP/s, a float32 matrix product in numpy in the same turns")
        if arguments.csv:
            write_text(arguments.csv, csv_text(result))
        write_json(arguments.json, _plain(result, arguments))
        if arguments.plot:
            _draw(arguments.plot, result)
            console.print(f"plot: {arguments.plot}")


def _draw(path: str, result: Benchmark) -> None:
    """Draw the models that have a published top-1, a panel for each engine, precision and batch size."""
    from mindcv_shufflenet.report.speed_plot import Point, draw  # matplotlib is slow to import

    panels: dict[str, list[Point]] = {}
    for one in result.measurements:
        subject, title = one.contender.subject, f"{one.contender.engine} {one.version}, {one.contender.precision}"
        if subject.top1 is None:
            _logger.info("%s has no published top-1 with these options and is not drawn", subject.name)
            continue
        family = find_family(parse_name(subject.name).model).title
        point = Point(subject.name, family, subject.top1, tuple(one.speeds))
        panels.setdefault(f"{title}, batch {one.contender.batch_size}", []).append(point)
    draw(path, panels, f"{result.processor.name}, {counted(result.cores, 'core')}")


def _plain(result: Benchmark, arguments: argparse.Namespace) -> dict[str, Any]:
    """The result as JSON holds it."""
    return {
        "processor": result.processor.name,
        "instructions": result.processor.instructions,
        "cores": result.cores,
        "peak_gflops": result.peak / 1e9,
        "repeats": arguments.repeats,
        "seconds": arguments.seconds,
        "results": [_row(result, one) for one in result.measurements],
    }


def _row(result: Benchmark, one: Measurement) -> dict[str, Any]:
    """A measurement as JSON holds it."""
    subject = one.contender.subject
    return {
        "model": subject.name,
        "engine": one.contender.engine,
        "version": one.version,
        "precision": one.contender.precision,
        "batch_size": one.contender.batch_size,
        "image_size": subject.image_size,
        "images_per_second": one.images_per_second,
        "rounds": one.speeds,
        "spread_percent": one.spread,
        "latency_ms": {f"p{percent}": one.latency(percent) for percent in (50, 95, 99)},
        "memory_bytes": one.memory,
        "share_of_peak_percent": result.share_of_peak(one),
        "top1": subject.top1,
        **(subject.cost._asdict() if subject.cost else dict.fromkeys(Complexity._fields)),
        "activations": subject.activations,
    }
