"""The tables of ``benchmark``: one for people, and one with timm's columns."""

import csv
import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from mindcv_shufflenet.storage.files import begins_with

if TYPE_CHECKING:  # the command line asks `is_table` before it imports MindSpore
    from mindcv_shufflenet.deploy.speed.benchmark import Benchmark, Measurement
    from mindcv_shufflenet.deploy.speed.contenders import Subject

# The columns of timm's tables of speeds, then further ones. What they have in common is written as timm writes it:
# milliseconds of a batch, millions of parameters and activations, billions of multiply-adds.
CSV_COLUMNS = (
    "model", "infer_samples_per_sec", "infer_step_time", "infer_batch_size", "infer_img_size", "infer_gmacs",
    "infer_macts", "param_count", "top1", "engine", "version", "precision", "spread_percent", "latency_p95",
    "latency_p99", "memory_mb", "share_of_peak",
)  # fmt: skip


def heading(result: "Benchmark") -> str:
    """Return what is the same in all rows of :func:`speed_table`; empty: nothing is."""
    subjects, settings = _distinct(result)
    return "; ".join([*map(_title, subjects if len(subjects) == 1 else ()), *(settings if len(settings) == 1 else ())])


def speed_table(result: "Benchmark") -> Table:
    """Return a table of at most 80 columns."""
    subjects, settings = _distinct(result)
    table = Table("model" if len(subjects) > 1 else "engine", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("images/s", "±%", "p50 ms", "p95 ms", "p99 ms", "MB", "peak %"):
        table.add_column(column, justify="right")
    for subject, group in groupby(result.measurements, lambda one: one.contender.subject):
        if len(subjects) > 1 and len(settings) > 1:
            table.add_row(subject.name)
        for one in group:
            setting = _setting(one)
            first = setting if len(subjects) == 1 else subject.name if len(settings) == 1 else f"  {setting}"
            share = result.share_of_peak(one)
            latencies = [f"{one.latency(percent):.3g}" for percent in (50, 95, 99)]
            memory, of_peak = f"{one.memory / 2**20:.0f}", "-" if share is None else f"{share:.0f}"
            table.add_row(first, _rounded(one.images_per_second), f"{one.spread:.0f}", *latencies, memory, of_peak)
    return table


def csv_text(result: "Benchmark") -> str:
    """Return a table as timm's are, the fastest first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    measured: Sequence[Measurement] = sorted(result.measurements, key=lambda one: -one.images_per_second)
    writer.writerows(_csv_row(result, one) for one in measured)
    return text.getvalue()


def is_table(path: Path) -> bool:
    """Return whether a file is empty, or an earlier table of speeds."""
    return begins_with(path, ",".join(CSV_COLUMNS).encode())


def _distinct(result: "Benchmark") -> "tuple[dict[Subject, None], dict[str, None]]":
    """The networks and files, and the settings, in the order in which they were measured."""
    measured = result.measurements
    return dict.fromkeys(one.contender.subject for one in measured), dict.fromkeys(map(_setting, measured))


def _title(subject: "Subject") -> str:
    size = f"{subject.image_size}x{subject.image_size}"
    if subject.cost is None:
        return f"{subject.name}, {size}"
    parameters, multiply_adds = subject.cost.parameters / 1e6, subject.cost.multiply_adds / 1e6
    return f"{subject.name}, {size}: {parameters:.2f} M parameters, {multiply_adds:.1f} M multiply-adds"


def _setting(one: "Measurement") -> str:
    return f"{one.contender.engine} {one.contender.precision} x{one.contender.batch_size}"


def _rounded(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 100 else f"{speed:.1f}"


def _csv_row(result: "Benchmark", one: "Measurement") -> dict[str, str]:
    """A row of the table. What is not known is left out."""
    subject = one.contender.subject
    row = {
        "model": subject.name,
        "infer_samples_per_sec": f"{one.images_per_second:.2f}",
        "infer_step_time": f"{one.latency(50):.3f}",
        "infer_batch_size": str(one.contender.batch_size),
        "infer_img_size": str(subject.image_size),
        "engine": one.contender.engine,
        "version": one.version,
        "precision": one.contender.precision,
        "spread_percent": f"{one.spread:.1f}",
        "latency_p95": f"{one.latency(95):.3f}",
        "latency_p99": f"{one.latency(99):.3f}",
        "memory_mb": f"{one.memory / 2**20:.1f}",
    }
    if subject.cost and subject.activations:
        row |= {
            "infer_gmacs": f"{subject.cost.multiply_adds / 1e9:.4f}",
            "infer_macts": f"{subject.activations / 1e6:.4f}",
            "param_count": f"{subject.cost.parameters / 1e6:.2f}",
            "share_of_peak": f"{result.share_of_peak(one):.1f}",
        }
    return row | ({"top1": f"{subject.top1:.3f}"} if subject.top1 is not None else {})
