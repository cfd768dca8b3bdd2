"""``train``: train a network on a data set, or go on with a training that was stopped."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mindspore import amp, nn

from mindcv_shufflenet import parallel
from mindcv_shufflenet.commands.setup import (
    build_network,
    create_console,
    evenly_spaced,
    follow_recorded_network,
    open_data,
    write_json,
)
from mindcv_shufflenet.config import Config, parse_config
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import Loader, eval_loader, train_loader
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluate.evaluator import evaluate
from mindcv_shufflenet.evaluate.metrics import Metrics
from mindcv_shufflenet.parallel import Machine
from mindcv_shufflenet.train.display import Display, clock
from mindcv_shufflenet.train.engine import TrainStep, compiled
from mindcv_shufflenet.train.losses import CrossEntropy
from mindcv_shufflenet.train.optim import create_optimizer
from mindcv_shufflenet.train.recorder import Recorder, check_folder, state_path
from mindcv_shufflenet.train.schedules import learning_rates
from mindcv_shufflenet.train.state import Progress, State, load_state, restore
from mindcv_shufflenet.train.trainer import Trainer
from mindcv_shufflenet.weights.checkpoint import load_weights

# Options that a resumed run may have otherwise than the stopped one without training otherwise.
NEUTRAL = ("data_dir", "ckpt_save_dir", "ckpt_path", "num_parallel_workers", "log_interval")


def run(arguments: argparse.Namespace) -> None:
    """Train as the options say and print where everything lies."""
    config = parse_config(arguments.options)
    console = create_console(arguments.json)
    config, notes = follow_recorded_network(config, arguments.options)
    source = _find_state(config)
    state = load_state(source) if source else None
    machine, adapted = parallel.init(config)
    notes += adapted

    train_split, val_split = _open_splits(config)
    config = config.replace(
        num_classes=train_split.num_classes, num_parallel_workers=machine.workers, device_target=machine.device
    )
    loader = train_loader(config, train_split, machine.workers)
    rates = learning_rates(config, len(loader))
    network = build_network(config, train_split.num_classes)
    if config.ckpt_path and not state:
        load_weights(network, config.ckpt_path)
    trained = network if config.amp_level == "O0" else amp.auto_mixed_precision(network, config.amp_level)
    step = TrainStep(
        trained,
        CrossEntropy(config.label_smoothing),
        create_optimizer(config, network, rates),
        config.loss_scale,
        config.clip_value if config.clip_grad else None,
    )
    progress = Progress()
    if state and source:
        restore(step, state, source)
        progress = state.progress
        notes += _differences(state, config, machine)
    for note in notes:
        console.print(f"note: {note}")

    recorder = Recorder(config, machine, network, step, len(loader))
    recorder.begin(progress, {"names": train_split.class_names, "indices": train_split.class_to_index})
    display = Display(console, config.epoch_size, len(loader))
    console.print(
        f"{config.model}, {train_split.num_classes} classes, {len(train_split)} images in {len(loader)} steps an epoch,"
        f" on {machine.cores} {machine.device} core(s)"
    )
    if progress.epoch >= config.epoch_size:
        console.print(f"all {config.epoch_size} epochs are done; give a larger --epoch_size to train on")
    progress = Trainer(
        config,
        compiled(config, step),
        loader,
        rates,
        _validation(config, trained, val_split, machine.workers),
        network.num_features,
        recorder,
        display,
        progress,
    ).run()
    result = _summary(config, recorder, progress)
    for name, value in result.items():
        if value is not None:
            console.print(f"{name.replace('_', ' ')}: {f'{value:.3f} %' if isinstance(value, float) else value}")
    write_json(arguments.json, result)


def _find_state(config: Config) -> Path | None:
    """Return the training state to go on from, or None for a new run, which must not lie on top of another.

    Raises:
        UserError: there is no state to resume, or the run directory holds another run.
    """
    if not config.resume_opt:
        check_folder(config)
        return None
    here = state_path(Path(config.ckpt_save_dir), config.model)
    if here.is_file() or not config.ckpt_path:
        return here
    check_folder(config)
    return state_path(Path(config.ckpt_path).parent, config.model)


def _open_splits(config: Config) -> tuple[Split, Split | None]:
    train_split = open_data(config, config.train_split)
    if config.num_samples is not None:
        train_split = evenly_spaced(train_split, config.num_samples)
    if not config.val_while_train:
        return train_split, None
    val_split = open_data(config, config.val_split)
    if val_split.num_classes != train_split.num_classes:
        raise UserError(
            f"{config.val_split} has {val_split.num_classes} classes and {config.train_split}"
            f" {train_split.num_classes}; they must agree"
        )
    return train_split, val_split


def _differences(state: State, config: Config, machine: Machine) -> list[str]:
    """Return a line for each thing that makes the resumed training another than the one that was stopped."""
    now = config.recipe()
    lines = [
        f"{name} was {state.config.get(name)} when the run was stopped and is {value} now"
        for name, value in now.items()
        if name not in NEUTRAL and state.config.get(name) != value
    ]
    lines += [
        f"the run was stopped on {name}={state.machine.get(name)} and goes on with {value}; the weights will not be"
        " those of an uninterrupted run"
        for name, value in machine.as_dict().items()
        if state.machine.get(name) != value
    ]
    return lines


def _validation(
    config: Config, network: nn.Cell, split: Split | None, workers: int
) -> Callable[[Callable[[], None]], Metrics] | None:
    """Return what validates the network as it is, or None if nothing is to be validated."""
    if split is None:
        return None
    loader: Loader = eval_loader(config, split, workers)
    return partial(evaluate, network, compiled(config, network), loader)


def _summary(config: Config, recorder: Recorder, progress: Progress) -> dict[str, Any]:
    seconds = sum(row["seconds"] for row in progress.rows)
    return {
        "model": config.model,
        "epochs": progress.epoch,
        "best_top1": progress.best_top1,
        "best_epoch": progress.best_epoch,
        "training_time": clock(seconds),
        "best_checkpoint": str(recorder.best) if progress.best_epoch else None,
        "last_checkpoint": str(recorder.last),
        "training_state": str(recorder.state),
        "log": str(recorder.log),
    }
