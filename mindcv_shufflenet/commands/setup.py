"""What the verbs that run a network have in common: options, data, network, output."""

import json
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.config import Config, load_yaml
from mindcv_shufflenet.data.datasets import Split, open_split
from mindcv_shufflenet.data.headers import check_images
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_write
from mindcv_shufflenet.models.registry import create_model

# What decides how a network computes; stem and pool leave no trace in a checkpoint.
NETWORK_OPTIONS = ("layout", "stem", "pool", "in_channels")
# What decides how an image becomes its input in validation.
PREPROCESSING_OPTIONS = ("image_resize", "crop_pct", "interpolation", "resize_backend", "mean", "std")


class _Console(Console):
    """A console that goes on in silence when its reader has left, as ``head`` does: no training ends for that."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def create_console(json_path: str | None) -> Console:
    """Return where people's text goes: standard output, or standard error if the result goes there as JSON."""
    return _Console(stderr=json_path == "-", highlight=False, soft_wrap=True)


def write_json(path: str | None, result: Any) -> None:
    """Write a verb's result as one JSON object: ``-`` is standard output, None nothing."""
    if path is None:
        return
    text = json.dumps(result) + "\n"
    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        with atomic_write(path) as file:
            file.write(text.encode())


def open_data(config: Config, split_name: str) -> Split:
    """Read one split and check its images.

    Raises:
        UserError: the data are missing or damaged, or have more classes than the network is told to have.
    """
    split = open_split(
        config.dataset,
        config.data_dir,
        split_name,
        train_split=config.train_split,
        download=config.dataset_download,
    )
    if isinstance(split.images, list):
        check_images(split.images, Path(config.data_dir))
    if config.num_classes is not None and config.num_classes != split.num_classes:
        raise UserError(
            f"num_classes={config.num_classes} and the data set {config.dataset} in {config.data_dir} has"
            f" {split.num_classes} classes; use --num_classes {split.num_classes}"
        )
    if config.in_channels not in (1, 3):
        raise UserError(f"in_channels={config.in_channels}: images give 3 (RGB) or 1 (grey)")
    return split


def evenly_spaced(split: Split, images: int) -> Split:
    """Return a split of that many images, spread evenly over the given one, so that all classes stay."""
    if images > len(split):
        raise UserError(f"num_samples={images} and there are only {len(split)} images; use fewer")
    chosen = np.linspace(0, len(split), images, endpoint=False).astype(int)
    files = split.images
    picked = [files[index] for index in chosen] if isinstance(files, list) else files[chosen]
    return Split(picked, split.labels[chosen], split.class_names, split.class_to_index)


def follow_recorded_options(config: Config, given: dict[str, Any], names: Sequence[str]) -> tuple[Config, list[str]]:
    """Take over what the run beside ``ckpt_path`` recorded, where the user has not said otherwise.

    Stem and pool change no parameter's shape, so a checkpoint would load into a network that they do not fit.

    Args:
        config: the options.
        given: the options that the user gave.
        names: the options to take over.

    Returns:
        The options, and a line that tells what was taken over.
    """
    path = Path(config.ckpt_path).parent / "config.yaml"
    if not config.ckpt_path or not path.is_file():
        return config, []
    recorded = load_yaml(path)
    if recorded.get("model") != config.model:
        return config, []
    present = config.recipe()
    changes = {
        name: recorded[name]
        for name in names
        if name not in given and name in recorded and recorded[name] != present[name]
    }
    if not changes:
        return config, []
    spelled = ", ".join(f"{name}={value}" for name, value in changes.items())
    return config.replace(**changes), [f"from {path}: {spelled}"]


def check_recorded_classes(config: Config, split: Split) -> None:
    """Compare the classes of a split with those of the run in whose directory the checkpoint lies.

    Raises:
        UserError: they are as many, but not the same, so that no figure would mean anything.
    """
    path = Path(config.ckpt_path).parent / "classes.json"
    if not config.ckpt_path or not path.is_file():
        return
    try:
        recorded = json.loads(path.read_text())["indices"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is damaged; mend it or take it away from the checkpoint") from error
    if len(recorded) == split.num_classes and recorded != split.class_to_index:
        name = next(name for name, index in split.class_to_index.items() if recorded.get(name) != index)
        raise UserError(
            f"class {name} has index {split.class_to_index[name]} in the data and {recorded.get(name)} in {path};"
            " validate with the data set that the checkpoint was trained on"
        )


def unread_options(given: dict[str, Any], names: Collection[str], verb: str) -> list[str]:
    """Return a line that names the options of the command line that a verb has no use for."""
    unread = [name for name in given if name in names]
    return [f"{verb} does not read {', '.join(unread)}"] if unread else []


def build_network(config: Config, num_classes: int) -> nn.Cell:
    """Create the network of the options."""
    return create_model(
        config.model,
        pretrained=config.pretrained,
        num_classes=num_classes,
        in_channels=config.in_channels,
        layout=config.layout,
        stem=config.stem,
        pool=config.pool,
        drop_rate=config.drop_rate,
    )
