"""What the verbs that run a network have in common: options, data, network, output."""

import json
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from mindcv_shufflenet.console import SafeConsole
from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.data.image_check import check_images
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.registry import create_model
from mindcv_shufflenet.network import network_options, resolve_alias
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.storage.files import atomic_write
from mindcv_shufflenet.storage.run_directory import CLASSES_FILE, Classes, HeldOut
from mindcv_shufflenet.training.state import weights_checksum
from mindcv_shufflenet.weights.load import Weights


def create_console(json_path: str | None, *, survives: bool = False) -> SafeConsole:
    """Return where people's text goes: standard output, or standard error if the result goes there as JSON.

    Of several ranks the first alone speaks. With ``survives`` the work goes on when nothing can be written.
    """
    return SafeConsole(
        survives=survives,
        stderr=json_path == "-",
        # mpirun makes any rank believe that it writes to a terminal
        force_terminal=False if current().world.size > 1 else None,
        quiet=not current().is_first,
    )


def write_json(path: str | None, result: Any) -> None:
    """Write a verb's result as one JSON object: ``-`` is standard output, None nothing."""
    if path is None or not current().is_first:
        return
    text = json.dumps(result) + "\n"
    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif Path(path).exists() and not Path(path).is_file():  # a device, a pipe
        Path(path).write_text(text)
    else:
        with atomic_write(Path(path).resolve()) as file:
            file.write(text.encode())


def read_config(options: dict[str, Any]) -> Config:
    """Check the options of a verb."""
    return resolve_alias(parse_config(options))


def open_data(
    config: Config, split_name: str, classes: Classes | None = None, held_out: HeldOut | None = None
) -> Split:
    """Read one split and check its images; the first rank of a host does so before the others, who find it done.

    Args:
        config: the options.
        split_name: of the split.
        classes: of the run whose weights are to be used on it; None: not known.
        held_out: the validation images that this run has drawn; None: none.

    Raises:
        UserError: the data are missing or damaged, or have more classes than the network is told to have.
    """
    group = current()
    if group.world.local_rank > 0:
        group.barrier()
    request = Request(
        data_dir=Path(config.data_dir),
        split=split_name,
        train_split=config.train_split,
        val_split=config.val_split,
        val_ratio=config.val_ratio,
        seed=config.seed,
        classes=classes,
        held_out=held_out,
    )
    split = open_split(config.dataset, request, download=config.dataset_download)
    if isinstance(split.images, list):
        check_images(split.images, Path(config.data_dir))
    if group.world.local_rank == 0:
        group.barrier()
    if config.in_channels not in (1, 3):
        raise UserError(f"in_channels={config.in_channels}: images give 3 (RGB) or 1 (grey)")
    outputs = config.num_classes
    if outputs is None and classes and classes.indices == split.class_to_index:
        outputs = len(classes.names)
    return split if outputs is None else _widen(config, split, outputs)


def _widen(config: Config, split: Split, outputs: int) -> Split:
    """Give a split as many classes as the network has.

    Raises:
        UserError: that are fewer than the data have.
    """
    if outputs < split.num_classes:
        there = len(np.unique(split.labels))
        few = (
            f", or --dataset folder, which has the {there} classes that are there"
            if config.dataset == "imagenet"
            else ""
        )
        raise UserError(
            f"num_classes={outputs} and the data set {config.dataset} in {config.data_dir} has"
            f" {split.num_classes} classes; use --num_classes {split.num_classes}{few}"
        )
    known = len(split.class_to_index)
    if outputs == known:
        return split
    names = (*split.class_names, *map(str, range(split.num_classes, outputs)))
    note = f"the network has {outputs} classes and the data have {known}: the others are never right"
    return replace(split, class_names=names, notes=(*split.notes, note))


def evenly_spaced(split: Split, images: int) -> Split:
    """Return a split of that many images, spread evenly over the given one, so that all classes stay."""
    if images > len(split):
        raise UserError(f"num_samples={images} and there are only {len(split)} images; use fewer")
    chosen = np.linspace(0, len(split), images, endpoint=False).astype(int)
    files = split.images
    picked = [files[index] for index in chosen] if isinstance(files, list) else files[chosen]
    return replace(split, images=picked, labels=split.labels[chosen])


def check_recorded_classes(recorded: Classes | None, split: Split) -> None:
    """Compare the classes of a split with those that the checkpoint was trained on, where they are known.

    Raises:
        UserError: they are as many, but not the same, so that no figure would mean anything.
    """
    if recorded is None:
        return
    indices = recorded.indices
    if len(recorded.names) == split.num_classes and indices != split.class_to_index:
        name = next(name for name, index in split.class_to_index.items() if indices.get(name) != index)
        raise UserError(
            f"class {name} has index {split.class_to_index[name]} in the data and {indices.get(name)} in the"
            " checkpoint; validate with the data set that the checkpoint was trained on"
        )


def check_known_classes(config: Config, split: Split, weights: Weights | None) -> list[str]:
    """Refuse to score a network on class folders of which nothing tells which of its classes they are, or tell it.

    Returns:
        A line if the folders are as many as the network's classes, and taken for them in their order.

    Raises:
        UserError: they are fewer than the network's classes.
    """
    classifier = weights.arrays.get("classifier.weight") if weights else None
    if not split.is_guess or classifier is None:
        return []
    known = len(split.class_to_index)
    if len(classifier) > known:
        raise UserError(
            f"{config.ckpt_path} tells {len(classifier)} classes, {config.data_dir} has {known} class folders, and"
            f" nothing says which of them these are: put the run's {CLASSES_FILE} beside the checkpoint, or the"
            f" training images into {Path(config.data_dir) / config.train_split}"
        )
    first = ", ".join(f"{name}={index}" for name, index in [*split.class_to_index.items()][:3])
    return [f"classes are the folders in the order of their names ({first} ...): nothing tells those of the weights"]


def compare_ranks(config: Config, images: Any, cell: nn.Cell) -> None:
    """Wait for all ranks, and see that they are about to do the same.

    Args:
        config: the options.
        images: what tells the images that are read from others, of what JSON holds.
        cell: whose weights are used.

    Raises:
        UserError: the options, images or weights of a rank are not those of rank 0.
    """
    group = current()
    options = {name: value for name, value in config.recipe().items() if name != "num_parallel_workers"}
    own = {"images": images, "weights": weights_checksum(cell)}
    first, everyone = f"rank 0 on {group.hosts[0]}", group.gather([options, own])
    for rank, (their_options, theirs) in enumerate(everyone if group.is_first else []):
        other = f"rank {rank} on {group.hosts[rank]}"
        for name, value in options.items():
            if their_options[name] != value:
                raise UserError(
                    f"--{name} of {other} is {their_options[name]} and that of {first} {value}; give all ranks the same"
                )
        for name, value in own.items():
            if theirs[name] != value:
                raise UserError(f"the {name} of {other} are not those of {first}; give all hosts the same files")
    group.barrier()


def unread_options(given: dict[str, Any], names: Collection[str], verb: str) -> list[str]:
    """Return a line that names the options of the command line that a verb has no use for."""
    unread = [name for name in given if name in names]
    return [f"{verb} does not read {', '.join(unread)}"] if unread else []


def build_network(config: Config, num_classes: int) -> nn.Cell:
    """Create the network of the options, without weights."""
    return create_model(config.network, num_classes=num_classes, drop_rate=config.drop_rate, **network_options(config))
