"""``train``: train a network on a data set, or go on with a training that was stopped."""

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.commands.setup import (
    build_network,
    compare_ranks,
    create_console,
    evenly_spaced,
    open_data,
    read_config,
    unread_options,
    write_json,
)
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.loader import Loader, eval_loader, train_loader
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluation.evaluator import evaluate
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.lines import print_line
from mindcv_shufflenet.network import open_weights, settle
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.notes import idle_options
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.parallel.sync_batch_norm import synchronise_batch_norm
from mindcv_shufflenet.parallel.watchdog import outlive_launcher
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.storage.run_directory import LOG_FILE, Classes, HeldOut, read_run, run_paths
from mindcv_shufflenet.training.display import Display, clock
from mindcv_shufflenet.training.recorder import Recorder, check_folder
from mindcv_shufflenet.training.resume import Source, find_source, go_on
from mindcv_shufflenet.training.schedules import learning_rates
from mindcv_shufflenet.training.state import Circumstances, Data, Progress, load_state
from mindcv_shufflenet.training.step import TrainStep, compiled, create_step, mixed_precision
from mindcv_shufflenet.training.trainer import Trainer
from mindcv_shufflenet.weights.load import Weights, load_weights
from mindcv_shufflenet.weights.records import find_record

# Options that only another verb reads.
UNREAD = ("random_weights", "val_amp_level")


class Setup(NamedTuple):
    """What a training is made of.

    Attributes:
        config: the options, with those resolved that depend on data, network and machine.
        machine: what it runs on.
        split: the training images.
        loader: their batches.
        val_loader: the validation's; None if there is none.
        data: what is recorded of both.
        network: the network whose weights are saved.
        trained: the same in its training precision.
        rates: learning rate of each step.
        step: one training step.
        notes: lines about the data.
    """

    config: Config
    machine: Machine
    split: Split
    loader: Loader
    val_loader: Loader | None
    data: Data
    network: nn.Cell
    trained: nn.Cell
    rates: np.ndarray
    step: TrainStep
    notes: list[str]


def run(arguments: argparse.Namespace) -> None:
    """Train as the options say and print where everything lies."""
    config = read_config(arguments.options)
    console = create_console(arguments.json, survives=True)
    source = find_source(config, arguments.options)
    weights, classes, notes, is_done = None, None, list[str](), False
    if source:
        held_out = read_run(source.path.parent).held_out
        config = read_config(source.options() | arguments.options)
        is_done = source.progress.epoch >= config.epoch_size
        source = source.undo_nothing() if is_done else source
    else:
        weights = open_weights(config)
        settled = settle(config, arguments.options, weights)
        config, classes, notes = settled.config, settled.classes, settled.notes
        held_out = _still_there(settled.held_out, Path(config.data_dir))
        if not weights and find_record(config.model):
            notes.append(f"the weights begin at random; --pretrained begins with those of {config.model}")
    notes += (
        arguments.notes
        + unread_options(arguments.given, UNREAD, "train")
        + idle_options(config, arguments.given, current().world.size)
    )
    machine, adapted = set_up(config)
    setup = _prepare(config, machine, held_out)
    config = setup.config
    if weights:
        notes += _load(setup.network, weights, config)
    notes += setup.notes + _other_classes(config, setup.split, classes)
    notes += adapted + _odd_schedule(config) + _filling_up(setup.loader)
    progress = Progress()
    if source:
        now = Circumstances(config.record(), machine, setup.data)
        progress, told = go_on(source, now, setup.network, setup.step, setup.split.class_to_index)
        notes += told
    for note in notes:
        console.print(f"note: {note}")
    console.print(
        f"{config.model}, {config.num_classes} classes,"
        f" {len(setup.split)} images in {len(setup.loader)} steps an epoch,"
        f" {machine}"
    )
    compare_ranks(config, asdict(setup.data), setup.step)  # by then all have read what rank 0 is about to write over
    folder = Path(config.ckpt_save_dir)
    if source and is_done:
        more = f" (the run has {progress.epoch})" if progress.epoch > config.epoch_size else ""
        done = f"all {config.epoch_size} epochs are done{more}"
        console.print(f"{done}, so nothing changes; give a larger --epoch_size to train on")
        folder = source.path.parent
    else:
        if source:
            console.print(f"goes on from {source.checkpoint or source.path}: {_where(progress, setup)}")
        progress = _train(setup, source, progress, console)
    result = _summary(config, folder, progress)
    _print_summary(console, result)
    write_json(arguments.json, result)
    if console.lost:
        print_line(f"note: the output was cut off: {console.lost.strerror}; see {result['log']}", sys.stderr)


def _still_there(held_out: HeldOut | None, data_dir: Path) -> HeldOut | None:
    """What the run of the first weights has held out, if it is of these images: the weights were not trained on it."""
    return held_out if held_out and any((data_dir / file).exists() for file in held_out.files) else None


def _where(progress: Progress, setup: Setup) -> str:
    return f"epoch {progress.epoch + 1} of {setup.config.epoch_size}, step {progress.step} of {len(setup.loader)}"


def _train(setup: Setup, source: Source | None, progress: Progress, console: Console) -> Progress:
    """Train in the run directory, which no other process may do meanwhile."""
    config, group = setup.config, current()
    outlive_launcher()
    with ExitStack() as locks:
        recorder = Recorder(
            config, setup.machine, setup.data, setup.network, setup.step, setup.split, locks, console.print
        )
        recorder.lock()
        if group.is_first:
            _check_unchanged(config, source)
        is_rewound = source is not None and source.checkpoint is not None
        recorder.begin(progress, source and source.path, is_rewound=is_rewound)
        return Trainer(
            config,
            compiled(config, setup.step),
            setup.loader,
            setup.rates,
            _validation(setup),
            setup.network.num_features,
            recorder,
            Display(console, config.epoch_size, len(setup.loader)),
            progress,
        ).run()


def _print_summary(console: Console, result: dict[str, Any]) -> None:
    """Print what there is, a line each."""
    for name, value in result.items():
        if value is not None:
            console.print(f"{name.replace('_', ' ')}: {f'{value:.3f} %' if isinstance(value, float) else value}")


def _check_unchanged(config: Config, source: Source | None) -> None:
    """Look once more, now that no other process can write there: it may have while the data were looked at.

    Raises:
        UserError: another run has begun or gone on in the run directory.
    """
    if source is None:
        check_folder(config)
    elif load_state(source.path).progress != source.state.progress:
        raise UserError(
            f"another process went on with {source.path} meanwhile: look at its {LOG_FILE}, then start this again"
        )


def _load(network: nn.Cell, weights: Weights, config: Config) -> list[str]:
    """Start from weights. Published ones bring their own classifier along only where it has as many classes."""
    classifier = weights.arrays.get("classifier.weight")
    reset = config.reset_classifier
    if config.pretrained and not config.ckpt_path and classifier is not None:
        reset = reset or len(classifier) != config.num_classes
    return load_weights(network, weights, reset_classifier=reset, allow_missing=config.allow_missing)


def _prepare(config: Config, machine: Machine, held_out: HeldOut | None) -> Setup:
    """Open the data and build network and step."""
    split = open_data(config, config.train_split, held_out=held_out)
    notes = list(split.notes)
    if config.num_samples is not None:
        split = evenly_spaced(split, config.num_samples)
    world = current().world
    loader = train_loader(config, split, machine.workers, world.rank, world.size)
    val_loader, val_checksum = None, None
    if config.val_while_train:
        val_split = open_data(config, config.val_split, held_out=held_out)
        notes += [note for note in val_split.notes if note not in notes]
        if val_split.class_to_index != split.class_to_index:
            raise UserError(f"the classes of {config.val_split} are not those of {config.train_split}; they must agree")
        val_loader = eval_loader(config, val_split, machine.workers, world.rank, world.size)
        val_checksum = split_checksum(val_split, config.data_dir)
    network = build_network(config, split.num_classes)
    _check_statistics(config, network, loader)
    if config.sync_bn and world.size > 1:
        synchronise_batch_norm(network, machine.device, world.size)
    config = config.replace(
        dataset=split.dataset or config.dataset,
        num_classes=split.num_classes,
        num_parallel_workers=machine.workers,
        device_target=machine.device,
        layout=network.layout,
        pool=network.pool,
        drop_rate=network.drop_rate,
    )
    rates = learning_rates(config, len(loader))
    trained = mixed_precision(network, config.amp_level)
    step = create_step(config, trained, rates, world.size)
    data = Data(len(split), len(loader), split_checksum(split, config.data_dir), val_checksum)
    return Setup(config, machine, split, loader, val_loader, data, network, trained, rates, step, notes)


def _check_statistics(config: Config, network: nn.Cell, loader: Loader) -> None:
    """Refuse a batch that leaves BatchNorm one value a channel: its variance is 0/0, and the weights become NaN.

    Raises:
        UserError: a batch has one image, and the network's last map one pixel.
    """
    ranks = loader.ranks if config.sync_bn else 1
    if config.image_resize > network.stride or loader.smallest_batch * ranks > 1:
        return
    count, images = config.batch_size, len(loader.split)
    if count == 1:
        which, advice = "a batch has", "--batch_size 2 or more, or " if images > 1 else ""
    else:
        which = f"the last batch of an epoch ({images} images, {count} a batch) has"
        advice = "--drop_remainder, another --batch_size, or " if len(loader) > 1 else ""
    raise UserError(
        f"{which} one image, and image_resize={config.image_resize} gives a last map of one pixel: BatchNorm cannot"
        f" compute the variance of one value; use {advice}--image_resize {network.stride + 1} or more"
    )


def _odd_schedule(config: Config) -> list[str]:
    """Tell of a decay whose epochs are given and that does not end with the training."""
    if config.scheduler not in ("cosine_decay", "linear_decay") or config.decay_epochs is None:
        return []
    cycles = config.num_cycles if config.scheduler == "cosine_decay" else 1
    end = config.warmup_epochs + cycles * config.decay_epochs
    if end == config.epoch_size:
        return []
    return [
        f"{config.scheduler} ends at epoch {end}, which warmup_epochs and decay_epochs give, and the training at"
        f" {config.epoch_size}; without decay_epochs they meet"
    ]


def _filling_up(loader: Loader) -> list[str]:
    """Tell of images that an epoch reads once more."""
    images = loader.filled_up
    return [f"{images} image(s) of an epoch are read once more, so that all ranks have as many"] if images else []


def _other_classes(config: Config, split: Split, recorded: Classes | None) -> list[str]:
    """Tell of a classifier that was trained on as many classes, but others."""
    if config.reset_classifier or not recorded or recorded.indices == split.class_to_index:
        return []
    if len(recorded.names) != split.num_classes:
        return []
    return [
        f"{config.ckpt_path} was trained on other classes ({', '.join(recorded.names[:3])} ...); its classifier is"
        " gone on with; --reset_classifier starts a new one"
    ]


def _validation(setup: Setup) -> Callable[[Callable[[], None]], Metrics] | None:
    """Return what validates the network as it is, or None if nothing is to be validated."""
    if setup.val_loader is None:
        return None
    return partial(evaluate, setup.trained, compiled(setup.config, setup.trained), setup.val_loader)


def _summary(config: Config, folder: Path, progress: Progress) -> dict[str, Any]:
    """Say how the training ended, and which of its files are there."""
    paths = run_paths(folder, config.network)
    found = {name: str(path) if path.is_file() else None for name, path in paths._asdict().items()}
    return {
        "model": config.model,
        "epochs": progress.epoch,
        "best_top1": progress.best_top1,
        "best_epoch": progress.best_epoch,
        "training_time": clock(sum(row.seconds for row in progress.rows)),
        "best_checkpoint": found["best"] if progress.best_epoch else None,
        "last_checkpoint": found["last"],
        "training_state": found["state"],
        "log": found["log"],
    }
