"""What the verbs that run a network have in common: options, data, network, output."""

import json
import sys
from collections.abc import Sequence
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

# What decides how a network computes although its checkpoint does not tell.
NETWORK_OPTIONS = ("layout", "stem", "pool", "in_channels", "mean", "std")


def create_console(json_path: str | None) -> Console:
    """Return where people's text goes: standard output, or standard error if the result goes there as JSON."""
    return Console(stderr=json_path == "-", highlight=False, soft_wrap=True)


def write_json(path: str | None, result: Any) -> None:
    """Write a verb's result as one JSON object: ``-`` is standard output, None nothing."""
    if path is None:
        return
    text = json.dumps(result, ensure_ascii=False) + "\n"
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


def follow_recorded_network(
    config: Config, given: dict[str, Any], extra: Sequence[str] = ()
) -> tuple[Config, list[str]]:
    """Take over what the run beside ``ckpt_path`` recorded of its network, where the user has not said otherwise.

    Stem and pool change no parameter's shape, so a checkpoint would load into a network that they do not fit.

    Args:
        config: the options.
        given: the options that the user gave.
        extra: more options to take over, for example the preprocessing.

    Returns:
        The options, and a line that tells what was taken over.
    """
    path = Path(config.ckpt_path).parent / "config.yaml"
    if not config.ckpt_path or not path.is_file():
        return config, []
    recorded = load_yaml(path)
    if recorded.get("model") != config.model:
        return config, []
    changes = {
        name: recorded[name]
        for name in (*NETWORK_OPTIONS, *extra)
        if name not in given and name in recorded and recorded[name] != config.recipe()[name]
    }
    if not changes:
        return config, []
    spelled = ", ".join(f"{name}={value}" for name, value in changes.items())
    return config.replace(**changes), [f"from {path}: {spelled}"]


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
