"""``models``: list the networks with their parameters and multiply-adds."""

import argparse

from rich.table import Table

from mindcv_shufflenet.commands.setup import create_console, write_json
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.complexity import count
from mindcv_shufflenet.models.registry import create_model, list_models


def run(arguments: argparse.Namespace) -> None:
    """Print a table of the models whose names match a pattern."""
    names = list_models(arguments.pattern)
    if not names:
        raise UserError(f"no model matches {arguments.pattern}; `shufflenet models` lists them all")
    costs = {name: count(create_model(name)) for name in names}
    table = Table("model", "parameters", "multiply-adds at 224")
    for name, cost in costs.items():
        table.add_row(name, f"{cost.parameters:,}", f"{cost.multiply_adds:,}")
    create_console(arguments.json).print(table)
    write_json(arguments.json, {name: cost._asdict() for name, cost in costs.items()})
