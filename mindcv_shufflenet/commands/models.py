"""``models``: list networks and published weights with their costs, or show one network layer by layer."""

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mindcv_shufflenet.commands.model_tables import layer_table, listing_table, scores_table, title, weights_table
from mindcv_shufflenet.commands.output import create_console, write_json, write_text
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.costs import LayerCost
from mindcv_shufflenet.models.catalogue import Described, Listed, catalogue, describe, is_model
from mindcv_shufflenet.storage.files import begins_with
from mindcv_shufflenet.weights.records.base import Record

# The columns of timm's tables of results, then two more.
CSV_COLUMNS = (
    "model", "img_size", "top1", "top1_err", "top5", "top5_err", "param_count", "crop_pct", "interpolation", "gmacs",
    "source",
)  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Print the networks and weights whose names match, or the layers of the network that is named.

    Raises:
        UserError: nothing matches, an option does not fit, or two tables go to standard output.
    """
    if arguments.csv == arguments.json == "-":
        raise UserError("--csv and --json both go to standard output: give one of them a file")
    listed = catalogue(arguments.pattern)
    options = dict(arguments.options)
    described = None
    if is_model(arguments.pattern):
        described = describe(arguments.pattern, image_size=options.pop("image_resize", None), **options)
    elif options:
        raise UserError(f"--{next(iter(options))} is for one network: give its whole name, such as {listed[0].name}")
    console = create_console("-" if arguments.csv == "-" else arguments.json)
    if described:
        console.print(title(described))
        console.print(layer_table(described))
        for note in _without_effect(described, options):
            console.print(note)
        if records := [one.record for one in listed if one.record and _has_options(one.record, options)]:
            console.print(scores_table(records))
            console.print(weights_table(records))
    else:
        console.print(listing_table(listed))
    if arguments.csv:
        write_text(arguments.csv, csv_text(listed))
    result = {
        "models": {one.name: one.cost._asdict() | {"image_size": one.image_size} for one in listed if not one.record},
        "weights": {one.name: _record(one.record) | one.cost._asdict() for one in listed if one.record},
    }
    write_json(arguments.json, result | ({"network": _network(described)} if described else {}))


def _has_options(record: Record, options: Mapping[str, Any]) -> bool:
    """Whether weights are of a network with these options."""
    own = find_family(record.model).resolve(record.model, record.network_options)
    own["num_classes"] = record.num_classes
    return all(own.get(name, value) == value for name, value in options.items())


def _without_effect(described: Described, options: Mapping[str, Any]) -> list[str]:
    """A line that names those of the given options that change nothing in the network; none if all do."""
    plan = described.plan
    acting = plan.family.effective(plan.model, plan.options)
    idle = ", ".join(name for name in options if name in plan.options and name not in acting)
    return [f"note: without effect in {plan.model} with its other options: {idle}"] if idle else []


def is_table(path: Path) -> bool:
    """Return whether a file is empty, or an earlier table."""
    return begins_with(path, ",".join(CSV_COLUMNS).encode())


def csv_text(listed: Sequence[Listed]) -> str:
    """Return a table of the published weights and of the networks without any, best top-1 first, as timm's are."""
    published = {one.model for one in listed if one.record}
    rows = [_row(one) for one in listed if one.record or one.model not in published]
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: -float(row.get("top1") or 0)))
    return text.getvalue()


def _row(one: Listed) -> dict[str, str]:
    """A row of the table. What is not known is left out."""
    row = {
        "model": one.name,
        "img_size": str(one.image_size),
        "param_count": f"{one.cost.parameters / 1e6:.2f}",
        "gmacs": f"{one.cost.multiply_adds / 1e9:.4f}",
    }
    if one.record:
        for name, score in (("top1", one.record.top1), ("top5", one.record.top5)):
            row |= {name: f"{score:.3f}", f"{name}_err": f"{100 - score:.3f}"}
        own = one.record.preprocessing
        row |= {"crop_pct": f"{own.crop_pct:.3f}", "interpolation": own.interpolation, "source": one.record.source}
    return row


def _record(record: Record) -> dict[str, Any]:
    """What is known of published weights, as JSON holds it."""
    own = {name: value for name, value in record._asdict().items() if name not in ("network_options", "preprocessing")}
    return own | record.options() | {"resize": record.preprocessing.resize}


def _network(described: Described) -> dict[str, Any]:
    """A network with every layer, as JSON holds it."""
    plan = described.plan
    sizes = {"in_channels": plan.in_channels, "num_classes": plan.num_classes, "image_size": described.image_size}
    layers = [_layer(one, described.cost.multiply_adds) for one in described.layers]
    return {"model": plan.model, **plan.options, **sizes, **described.cost._asdict(), "layers": layers}


def _layer(one: LayerCost, multiply_adds: int) -> dict[str, Any]:
    """A layer as JSON holds it; ``share`` is that of the multiply-adds, in percent."""
    layer = one.layer
    known = {name: getattr(layer, name) for name in ("name", "kind", "kernel", "stride", "groups")}
    share = 100 * one.cost.multiply_adds / multiply_adds
    return known | {"stage": one.stage, "output": one.shape, **one.cost._asdict(), "share": share}
