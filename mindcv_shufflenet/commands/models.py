"""``models``: list the networks with their parameters and multiply-adds."""

import argparse
from fnmatch import fnmatch

from rich.table import Table

from mindcv_shufflenet.commands.setup import create_console, write_json
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.complexity import count
from mindcv_shufflenet.models.registry import create_model, list_models
from mindcv_shufflenet.weights.records import RECORDS


def run(arguments: argparse.Namespace) -> None:
    """Print a table of the models whose names match a pattern."""
    pattern = arguments.pattern if set("*?[") & set(arguments.pattern) else f"*{arguments.pattern}*"
    names = list_models(pattern)
    records = [record for record in RECORDS.values() if fnmatch(record.name, pattern) or record.model in names]
    if not names and not records:
        raise UserError(f"no model matches {arguments.pattern}; `shufflenet models` lists them all")
    costs = {name: count(create_model(name)) for name in names}
    table = Table("model", "parameters", "multiply-adds at 224", show_edge=False, pad_edge=False)
    for name, cost in costs.items():
        table.add_row(name, f"{cost.parameters:,}", f"{cost.multiply_adds:,}")
    weights = Table("published weights", "top-1", "top-5", "input", "licence", show_edge=False, pad_edge=False)
    for record in records:
        crop = f"{record.resize_backend} {record.resize}, {record.channel_order}"
        scores = f"{record.top1:.2f}", f"{record.top5:.2f}"
        weights.add_row(record.name, *scores, crop, record.licence)
    console = create_console(arguments.json)
    for shown in (table, weights):
        if shown.rows:
            console.print(shown)
    write_json(
        arguments.json,
        {
            "models": {name: cost._asdict() for name, cost in costs.items()},
            "weights": {record.name: record._asdict() for record in records},
        },
    )
