"""``models``: list the networks with their parameters and multiply-adds."""

import argparse
from typing import Any

from rich.table import Table

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.models.catalogue import catalogue
from mindcv_shufflenet.weights.records.base import Record


def run(arguments: argparse.Namespace) -> None:
    """Print a table of the models whose names match a pattern."""
    costs, records = catalogue(arguments.pattern)
    table = Table("model", "parameters", "multiply-adds at 224", show_edge=False, pad_edge=False)
    for name, cost in costs.items():
        table.add_row(name, f"{cost.parameters:,}", f"{cost.multiply_adds:,}")
    weights = Table("published weights", "top-1", "top-5", "input", "licence", show_edge=False, pad_edge=False)
    for record in records:
        crop = (
            f"{record.preprocessing.resize_backend} {record.preprocessing.resize}, {record.preprocessing.channel_order}"
        )
        scores = f"{record.top1:.2f}", f"{record.top5:.2f}"
        weights.add_row(record.name, *scores, crop, record.licence)
    with reporting(arguments) as console:
        for shown in (table, weights):
            if shown.rows:
                console.print(shown)
    write_json(
        arguments.json,
        {
            "models": {name: cost._asdict() for name, cost in costs.items()},
            "weights": {record.name: _fields(record) for record in records},
        },
    )


def _fields(record: Record) -> dict[str, Any]:
    """What is known of published weights, as JSON holds it."""
    own = {name: value for name, value in record._asdict().items() if name not in ("network_options", "preprocessing")}
    return own | record.options() | {"resize": record.preprocessing.resize}
