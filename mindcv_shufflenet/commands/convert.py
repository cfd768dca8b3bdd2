"""``convert``: what :func:`mindcv_shufflenet.convert` has done, for people and as JSON."""

import argparse

from mindcv_shufflenet.commands.output import create_console, write_json
from mindcv_shufflenet.deploy.conversion import convert


def run(arguments: argparse.Namespace) -> None:
    """Convert the file and say what was done."""
    console = create_console(arguments.json)
    source, target, notes = convert(arguments.source, arguments.target, keys=arguments.keys, **arguments.options)
    console.print(str(source))
    for note in notes:  # between the two, and in the JSON
        console.print(f"note: {note}")
    console.print(str(target))
    result = {
        "source": {"file": source.file, "keys": source.keys, "layout": source.layout},
        "target": {"file": target.file, "keys": target.keys, "layout": target.layout},
        "arrays": target.arrays,
        "notes": notes,
    }
    write_json(arguments.json, result)
