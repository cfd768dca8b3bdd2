"""``data prepare``: what :func:`mindcv_shufflenet.prepare_data` has packed, for people and as JSON."""

import argparse
from pathlib import Path

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.data.manifest import manifest_path
from mindcv_shufflenet.data.prepare import prepare_data
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import parse_config


def run(arguments: argparse.Namespace) -> None:
    """Pack the training and the validation split and print what lies where."""
    config = parse_config(arguments.options)
    folder = Path(arguments.output)
    manifests = {manifest_path(folder, name).resolve() for name in (config.train_split, config.val_split)}
    if arguments.json and Path(arguments.json).resolve() in manifests:
        raise UserError(f"--json {arguments.json} is where the shards are listed: give --json another name")
    with reporting(arguments) as console:
        packed = prepare_data(
            arguments.options,
            folder,
            images_per_shard=arguments.images_per_shard,
            short_side=arguments.short_side,
            console=console,
        )
    crop = "" if config.crops_resized else " --train_crop padded"  # what train_crop=auto means for this data set
    console.print(f"train from them with `--dataset mindrecord --data_dir {folder}{crop}`")
    splits = {split.name: {"images": split.images, "shards": split.shards} for split in packed}
    write_json(arguments.json, {"folder": str(folder), "splits": splits})
