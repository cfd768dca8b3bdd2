"""``data show``: the picture of :func:`mindcv_shufflenet.data_show`."""

import argparse
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.training.data_show import data_show


def run(arguments: argparse.Namespace) -> None:
    """Draw the picture and print where it is."""
    with reporting(arguments) as console:
        shown = data_show(
            arguments.options,
            arguments.output,
            images=arguments.images,
            views=arguments.views,
            given=arguments.given,
        )
    console.print(
        f"{shown.file}: {shown.images} images of {shown.dataset} in {shown.views} views each, and the learning rate of"
        f" {shown.epochs} epochs of {shown.steps_per_epoch} steps"
    )
    write_json(arguments.json, asdict(shown))
