"""The tables that ``models`` prints: a list of networks, published weights, and the layers of one network."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.table import Table

from mindcv_shufflenet.families.base import Layer, norms
from mindcv_shufflenet.families.costs import Complexity, LayerCost, total
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.models.catalogue import Described, Listed
from mindcv_shufflenet.weights.records.base import Record


def listing_table(listed: Sequence[Listed]) -> Table:
    """Return the networks, each with its published weights below it."""
    table = Table("model", show_edge=False, pad_edge=False)
    for name in ("parameters", "multiply-adds", "size", "top-1", "top-5"):
        table.add_column(name, justify="right")
    for one in listed:
        scores = _scores(one.record) if one.record else ("", "")
        name = f"  .{one.record.tag}" if one.record else one.model
        table.add_row(name, f"{one.cost.parameters:,}", f"{one.cost.multiply_adds:,}", str(one.image_size), *scores)
    return table


def scores_table(records: Sequence[Record]) -> Table:
    """Return the published weights of a network with their scores, and where these stand."""
    table = Table("published weights", "top-1", "top-5", "source", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for record in records:
        table.add_row(f".{record.tag}", *_scores(record), record.source)
    return table


def weights_table(records: Sequence[Record]) -> Table:
    """Return the published weights of a network with the preprocessing that belongs to them and their licence."""
    table = Table("published weights", "input", "licence", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for record in records:
        own = record.preprocessing
        table.add_row(f".{record.tag}", f"{own.resize_backend} {own.resize}, {own.channel_order}", record.licence)
    return table


def _scores(record: Record) -> tuple[str, str]:
    """Top-1 and top-5 as people read them."""
    return f"{record.top1:.2f}", f"{record.top5:.2f}"


def title(described: Described) -> str:
    """Return the network's name and what was chosen of it, in a line."""
    plan, size = described.plan, described.image_size
    options = [f"{name} {value}" for name, value in plan.family.effective(plan.model, plan.options).items()]
    sizes = [f"input {plan.in_channels}x{size}x{size}", counted(plan.num_classes, "class", "classes")]
    return f"{plan.model}: {', '.join(options + sizes)}"


class _Row(NamedTuple):
    """A layer with weights.

    Attributes:
        stage: that it contributes to.
        block: of the stage, if it has any.
        name: of the layer within the block.
        layer: with its output.
        cost: its own, and that of the BatchNorm behind it.
    """

    stage: str
    block: str
    name: str
    layer: LayerCost
    cost: Complexity


def layer_table(described: Described) -> Table:
    """Return the layers that have weights, with the sums of each block and each stage.

    The parameters of a BatchNorm are counted with the convolution that it follows.
    """
    table = Table("layer", "kernel", "output", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("parameters", "mult-adds M", "share %"):
        table.add_column(name, justify="right")

    def add(name: str, kernel: str, output: str, cost: Complexity, style: str = "") -> None:
        share = 100 * cost.multiply_adds / described.cost.multiply_adds
        figures = f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:,.2f}", f"{share:.1f}"
        table.add_row(name, kernel, output, *figures, style=style)

    maps = {one.stage: one for one in described.layers}  # the last layer of each stage
    for stage, members in groupby(_rows(described.layers), key=lambda row: row.stage):
        rows = list(members)
        add(stage, "", _spell_shape(maps[stage]), total(row.cost for row in rows), "bold")
        for block, inside in groupby(rows, key=lambda row: row.block):
            parts = list(inside)
            if block:
                add(f"  {block}", "", "", total(row.cost for row in parts))
            for row in parts:
                indent = "    " if block else "  "
                add(indent + row.name, _spell_kernel(row.layer.layer), _spell_shape(row.layer), row.cost)
    add("total", "", "", described.cost, "bold")
    return table


def _rows(layers: Sequence[LayerCost]) -> Iterator[_Row]:
    """Yield the layers with weights, each BatchNorm with its convolution."""
    costs = {one.layer.name: one.cost for one in layers}
    behind = norms(tuple(one.layer for one in layers))
    for one in layers:
        name = one.layer.name
        if name and name not in behind.values():
            own = [one.cost, costs[behind[name]]] if name in behind else [one.cost]
            yield _Row(one.stage, *_split(name), one, total(own))


def _split(name: str) -> tuple[str, str]:
    """Split the name of a layer behind its first number: ``features.3`` and ``branch_main.0``."""
    match = re.fullmatch(r"(.*?\.\d+)\.(.+)", name)
    return (match[1], match[2]) if match else ("", name)


def _spell_kernel(layer: Layer) -> str:
    """``3x3/2 dw``: kernel, stride, and groups, of which a depthwise convolution has one a channel."""
    if layer.kind != "conv":
        return layer.kind
    stride = f"/{layer.stride}" if layer.stride > 1 else ""
    groups = " dw" if layer.is_depthwise else f" g{layer.groups}" if layer.groups > 1 else ""
    return f"{layer.kernel}x{layer.kernel}{stride}{groups}"


def _spell_shape(one: LayerCost) -> str:
    """``24x112x112``: channels, height, width."""
    return "x".join(map(str, one.shape))
