"""``export``: what :func:`mindcv_shufflenet.export` has written, for people and as JSON."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from rich.table import Table

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.deploy.export.export import Export, export
from mindcv_shufflenet.deploy.export.form import Form
from mindcv_shufflenet.lines import counted


def run(arguments: argparse.Namespace) -> None:
    """Export the network and say what was written."""
    words = vars(arguments) | {"shuffle": arguments.channel_shuffle}
    form = {field.name: words[field.name] for field in fields(Form) if words[field.name] is not None}
    with reporting(arguments) as console:
        result = export(
            arguments.options, arguments.output, overwrite=arguments.overwrite, given=arguments.given, **form
        )
    console.print(_table(result))
    ports = {name: [port._asdict() for port in getattr(result, name)] for name in ("inputs", "outputs")}
    write_json(arguments.json, asdict(result) | ports)


def _table(result: Export) -> Table:
    table = Table(title=result.file, show_header=False, show_edge=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    made = f" for {result.target}" if result.target else ""
    table.add_row("model", f"{result.model}, {result.precision}{made}, {result.bytes:,} bytes")
    if result.opset:
        table.add_row("format", f"{result.format}, opset {result.opset}, IR {result.ir_version}")
    else:
        table.add_row("format", result.format)
    for title, ports in (("takes", result.inputs), ("gives", result.outputs)):
        for port in ports:
            table.add_row(title, str(port))
    if result.error is not None:
        images = f" and {result.images} real" if result.images else ""
        table.add_row("error", f"{result.error:.1e} of the largest output, in float32, random{images} images")
    if result.int8:
        for row in _int8_rows(result.int8):
            table.add_row(*row)
    return table


def _int8_rows(int8: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How a model was quantised, and how near it is to its float32 model."""
    floats = f", {counted(len(int8['float_layers']), 'layer')} in float32" if int8["float_layers"] else ""
    yield "int8", f"{int8['method']} on {counted(int8['calibration_images'], 'image')}{floats}"
    if others := int8["held_out_images"]:
        yield "", f"the class of float32 on {100 * int8['agreement']:.1f} % of {counted(others, 'other image')}"
    else:
        yield "", "not compared with float32 on other images, since there are none"
    if images := int8["validation_images"]:
        scores = f"{int8['top1_int8']:.2f} %, in float32 {int8['top1_float']:.2f} %"
        yield "top-1", f"{scores}, {counted(images, 'validation image')}"
