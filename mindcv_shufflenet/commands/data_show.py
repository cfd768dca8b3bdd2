"""``data show``: the picture of :func:`mindcv_shufflenet.data_show`."""

import argparse
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.lines import counted
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
        f"{shown.file}: {counted(shown.images, 'image')} of {shown.dataset} in {counted(shown.views, 'view')} each, and"
        f" the learning rate of {counted(shown.epochs, 'epoch')} of {counted(shown.steps_per_epoch, 'step')}"
    )
    write_json(arguments.json, asdict(shown))
