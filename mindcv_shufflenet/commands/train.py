"""``train``: train a network on a data set, or go on with a training that was stopped."""

import argparse
from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.commands.idle import idle_options
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
from mindcv_shufflenet.config import Config
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import Loader, eval_loader, train_loader
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluate.evaluator import evaluate
from mindcv_shufflenet.evaluate.metrics import Metrics
from mindcv_shufflenet.files import exclusive
from mindcv_shufflenet.parallel.device import Machine, set_up
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.outlive import outlive_launcher
from mindcv_shufflenet.parallel.sync_norm import synchronise_batch_norm
from mindcv_shufflenet.run_directory import CLASSES_FILE, HeldOut, read_run, read_run_of
from mindcv_shufflenet.train.display import Display, clock
from mindcv_shufflenet.train.engine import TrainStep, compiled, create_step, mixed_precision
from mindcv_shufflenet.train.recorder import Recorder, check_folder, state_path
from mindcv_shufflenet.train.schedules import learning_rates
from mindcv_shufflenet.train.state import Progress, State, load_state, restore
from mindcv_shufflenet.train.trainer import Trainer
from mindcv_shufflenet.weights.load import Weights, load_weights
from mindcv_shufflenet.weights.pretrained import find_record
from mindcv_shufflenet.weights.settle import NETWORK_OPTIONS, open_weights, settle

# Options that a resumed run may have otherwise than the stopped one without training otherwise.
NEUTRAL = ("ckpt_save_dir", "ckpt_path", "num_parallel_workers", "log_interval")
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
    network: nn.Cell
    trained: nn.Cell
    rates: np.ndarray
    step: TrainStep
    notes: list[str]


def run(arguments: argparse.Namespace) -> None:
    """Train as the options say and print where everything lies."""
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    source = _find_state(config)
    state = load_state(source) if source else None
    weights = None if state else open_weights(config)
    config, notes = settle(config, arguments.options, weights)
    if state:
        config = _as_stopped(config, arguments.options, state)
    if not state and not weights and find_record(config.model):
        notes.append(f"the weights begin at random; --pretrained begins with those of {config.model}")
    notes += unread_options(arguments.given, UNREAD, "train") + idle_options(config, arguments.given)
    machine, adapted = set_up(config)
    setup = _prepare(config, machine, read_run(source.parent).held_out if source else None)
    config = setup.config
    if weights:
        notes += _load(setup.network, weights, config)
    notes += setup.notes + _other_classes(config, setup.split, weights)
    notes += adapted + _odd_schedule(config) + _filling_up(setup.loader)
    progress = Progress()
    if source and state:
        notes += _compare(state, setup, source)
        progress, told = _rescale(state, setup, source)
        notes += told
        restore(setup.step, state, source)
    for note in notes:
        console.print(f"note: {note}")
    console.print(
        f"{config.model}, {config.num_classes} classes,"
        f" {len(setup.split)} images in {len(setup.loader)} steps an epoch,"
        f" {machine}"
    )
    if progress.epoch >= config.epoch_size:
        console.print(f"all {config.epoch_size} epochs are done; give a larger --epoch_size to train on")

    recorder = Recorder(config, machine, setup.network, setup.step, len(setup.split), len(setup.loader))
    classes = {"names": setup.split.class_names, "indices": setup.split.class_to_index}
    group = current()
    compare_ranks(config, setup.split, setup.step)  # by then all have read what rank 0 is about to write over
    outlive_launcher()
    with exclusive(Path(config.ckpt_save_dir)) if group.is_first else nullcontext():
        if group.is_first:
            _check_unchanged(config, source, state)
        recorder.begin(progress, classes, setup.split.held_out, source)
        progress = Trainer(
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
    result = _summary(config, recorder, progress)
    _print_summary(console, result)
    write_json(arguments.json, result)


def _print_summary(console: Console, result: dict[str, Any]) -> None:
    """Print what there is, a line each."""
    for name, value in result.items():
        if value is not None:
            console.print(f"{name.replace('_', ' ')}: {f'{value:.3f} %' if isinstance(value, float) else value}")


def _check_unchanged(config: Config, source: Path | None, state: State | None) -> None:
    """Look once more, now that no other process can write there: it may have while the data were looked at.

    Raises:
        UserError: another run has begun or gone on in the run directory.
    """
    if source is None:
        check_folder(config)
    elif state is None or load_state(source).progress != state.progress:
        raise UserError(f"another process went on with {source} meanwhile: look at its log.csv, then start this again")


def _as_stopped(config: Config, given: Collection[str], state: State) -> Config:
    """Build the network as the stopped run had it, where the user does not say otherwise."""
    stopped = state.circumstances["config"]
    return config.replace(**{name: stopped[name] for name in NETWORK_OPTIONS if name not in given and name in stopped})


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
    val_loader = None
    if config.val_while_train:
        val_split = open_data(config, config.val_split, held_out=held_out)
        notes += [note for note in val_split.notes if note not in notes]
        if val_split.class_to_index != split.class_to_index:
            raise UserError(f"the classes of {config.val_split} are not those of {config.train_split}; they must agree")
        val_loader = eval_loader(config, val_split, machine.workers, world.rank, world.size)
    network = build_network(config, split.num_classes)
    if config.sync_bn and world.size > 1:
        synchronise_batch_norm(network, machine.device, world.size)
    config = config.replace(
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
    return Setup(config, machine, split, loader, val_loader, network, trained, rates, step, notes)


def _find_state(config: Config) -> Path | None:
    """Return the training state to go on from, or None for a new run, which must not lie on top of another.

    Raises:
        UserError: there is no state to resume, or the run directory holds another run.
    """
    if not config.resume_opt:
        check_folder(config)
        return None
    here = state_path(config)
    if here.is_file() or not config.ckpt_path:
        return here
    check_folder(config)
    return state_path(config, Path(config.ckpt_path).parent)


def _odd_schedule(config: Config) -> list[str]:
    """Tell of a decay that does not end with the training, as mindcv's default of 100 epochs seldom does."""
    end = config.warmup_epochs + config.decay_epochs
    if config.scheduler not in ("cosine_decay", "linear_decay") or end * config.num_cycles == config.epoch_size:
        return []
    return [
        f"{config.scheduler} ends at epoch warmup_epochs + decay_epochs = {end} and the training at"
        f" {config.epoch_size}; --decay_epochs {max(config.epoch_size - config.warmup_epochs, 1)} makes them meet"
    ]


def _filling_up(loader: Loader) -> list[str]:
    """Tell of images that an epoch reads once more."""
    images = loader.filled_up
    return [f"{images} image(s) of an epoch are read once more, so that all ranks have as many"] if images else []


def _compare(state: State, setup: Setup, source: Path) -> list[str]:
    """Return a line for each thing that makes the resumed training another than the one that was stopped.

    Raises:
        UserError: the network computes otherwise, so that going on makes no sense.
    """
    stopped, now = state.circumstances, setup.config.recipe()
    for name in ("model", *NETWORK_OPTIONS):
        if stopped["config"].get(name) != now[name]:
            raise UserError(
                f"{source} was trained with {name}={stopped['config'].get(name)} and {name} is {now[name]} now;"
                f" give --{name} {stopped['config'].get(name)}, or start anew"
            )
    _check_same_classes(source.parent, setup.split)
    lines = [
        f"{name} was {stopped['config'].get(name)} when the run was stopped and is {value} now"
        for name, value in now.items()
        if name not in NEUTRAL and stopped["config"].get(name) != value
    ]
    if stopped["data"]["images"] != len(setup.split):
        lines.append(f"there were {stopped['data']['images']} images when the run was stopped, now {len(setup.split)}")
    lines += [
        f"the run was stopped on {name}={stopped['machine'].get(name)} and goes on with {value};"
        " the weights will not be those of an uninterrupted run"
        for name, value in setup.machine.as_dict().items()
        if stopped["machine"].get(name) != value
    ]
    if setup.config.ckpt_path and Path(setup.config.ckpt_path).parent.resolve() != source.parent.resolve():
        lines.append(f"ckpt_path is not read: the run goes on from {source}")
    return lines


def _rescale(state: State, setup: Setup, source: Path) -> tuple[Progress, list[str]]:
    """Return the progress in this run's steps, and a line if other ranks share out an epoch in other steps.

    The learning rate goes on from the same share of the epoch, rounded down to a whole step.

    Raises:
        UserError: the steps of an epoch are others for another reason.
    """
    data, progress = state.circumstances["data"], state.progress
    steps, now = data["steps_per_epoch"], len(setup.loader)
    ranks, ranks_now = state.circumstances["machine"].get("ranks", 1), setup.machine.ranks
    batch, batch_now = state.circumstances["config"]["batch_size"] * ranks, setup.config.batch_size * ranks_now
    if steps == now and (ranks == ranks_now or batch == batch_now):
        return progress, []
    if ranks == ranks_now or data["images"] != len(setup.split):
        raise UserError(
            f"{source} was trained with {steps} steps an epoch and there are {now} now; resume with the"
            " same images and batch_size, or start anew from its checkpoint with --ckpt_path"
        )
    step = min(progress.step * batch // batch_now, now)
    state.arrays["global_step"] = np.array([progress.epoch * now + step], np.int32)
    advice = f"; --batch_size {batch // ranks_now} keeps the steps as they were" if batch % ranks_now == 0 else ""
    line = (
        f"{ranks} rank(s) made {steps} steps an epoch and {ranks_now} make {now}: the run goes on at step {step} of"
        f" epoch {progress.epoch + 1}{advice}"
    )
    return replace(progress, step=step), [line]


def _check_same_classes(folder: Path, split: Split) -> None:
    """Refuse to go on with a run on images of other classes than its ``classes.json`` lists."""
    recorded = read_run(folder).classes
    if recorded is not None and recorded.indices != split.class_to_index:
        raise UserError(
            f"the classes of the data are not those of the stopped run ({folder / CLASSES_FILE}); give its --data_dir,"
            " or start anew from its checkpoint with --ckpt_path and --reset_classifier"
        )


def _other_classes(config: Config, split: Split, weights: Weights | None) -> list[str]:
    """Tell of a classifier that was trained on as many classes, but others."""
    recorded = read_run_of(config.ckpt_path).classes
    if not weights or config.reset_classifier or not recorded or recorded.indices == split.class_to_index:
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


def _summary(config: Config, recorder: Recorder, progress: Progress) -> dict[str, Any]:
    seconds = sum(row["seconds"] for row in progress.rows)
    return {
        "model": config.model,
        "epochs": progress.epoch,
        "best_top1": progress.best_top1,
        "best_epoch": progress.best_epoch,
        "training_time": clock(seconds),
        "best_checkpoint": str(recorder.best) if progress.best_epoch else None,
        "last_checkpoint": str(recorder.last) if recorder.last.exists() else None,
        "training_state": str(recorder.state),
        "log": str(recorder.log),
    }
