"""Resume: compare the stopped run with the present one, and bring network and optimizer to where it was."""

import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.tables import names_of, neutral, paths
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.training.record.resume_point import ResumePoint
from mindcv_shufflenet.training.record.state import Circumstances, Progress, arrays_of, restore
from mindcv_shufflenet.training.step import TrainStep
from mindcv_shufflenet.training.updates import Updates
from mindcv_shufflenet.weights.load import load_weights


def resume(
    source: ResumePoint,
    now: Circumstances,
    network: nn.Cell,
    step: TrainStep,
    updates: Updates,
    class_to_index: dict[str, int],
) -> tuple[Progress, list[str]]:
    """Restore network and optimizer of a stopped run, after comparing it with the present one.

    Args:
        source: the stopped run.
        now: options, machine and data of the resumed run.
        network: of the resumed run.
        step: its training step.
        updates: of the resumed run.
        class_to_index: of its data.

    Returns:
        Where the training begins, and a line for each difference from the stopped run.

    Raises:
        UserError: the network, the classes or the steps of an epoch differ.
    """
    stopped = source.state.circumstances
    _check_same_network(source, now)
    _check_same_classes(source.path.parent, class_to_index)
    notes = RunDirectory(source.path.parent).read().notes + source.notes + differences(stopped, now)
    progress, told = _rescale(source, now)
    if _is_validated_otherwise(stopped, now) and progress.best_epoch:
        progress = replace(progress, best_top1=None, best_epoch=None)
    arrays = source.state.arrays
    if source.checkpoint:
        notes += load_weights(network, source.checkpoint)
        if step.average is not None:
            step.average.restart()
        arrays = arrays_of(step.state_parameters())
    if source.checkpoint or told:
        arrays["global_step"] = np.array([updates.done(progress.epoch, progress.step)], np.int32)
    restore(step.state_parameters(), replace(source.state, arrays=arrays), source.path)
    return deepcopy(progress), notes + told  # the training changes it, and the stopped run stays what it was


def _check_same_network(source: ResumePoint, now: Circumstances) -> None:
    """Refuse a network whose options differ."""
    stopped, here = (_network_options(config) for config in (source.state.circumstances.config, now.config))
    for name, was in stopped.items():
        if was != here[name]:
            raise UserError(
                f"{source.path} was trained with {name}={was} and {name} is {here[name]} now;"
                f" give --{name} {was}, or start anew"
            )


def _network_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The model and its network options. Those that a run of an earlier version has not recorded had their defaults."""
    model = str(config["model"])
    known = {name: config.get(name) for name in names_of("network")}
    return {"model": model, **known, **find_family(model).resolve(model, known)}


def _check_same_classes(folder: Path, class_to_index: dict[str, int]) -> None:
    """Refuse images of other classes than the run's ``classes.json`` lists."""
    directory = RunDirectory(folder)
    recorded = directory.read().classes
    if recorded is not None and recorded.indices != class_to_index:
        raise UserError(
            f"the classes of the data are not those of the stopped run ({directory.classes}); give its --data_dir,"
            " or start anew from its checkpoint with --ckpt_path and --reset_classifier"
        )


def differences(stopped: Circumstances, now: Circumstances) -> list[str]:
    """Return a line for each difference that makes the resumed training another one."""
    is_same_teacher = stopped.teacher is not None and stopped.teacher == now.teacher
    ignored = {*neutral(), *(["teacher"] if is_same_teacher else [])}  # it may have moved
    recorded = {**parse_config({}).recipe(), **stopped.config}  # an earlier version has not recorded newer options
    lines = [
        f"{name} was {recorded.get(name)} when the run was stopped and is {value} now"
        for name, value in now.config.items()
        if name not in ignored and _is_changed(name, recorded.get(name), value)
    ]
    if stopped.data.images != now.data.images:
        lines.append(f"the run was stopped with {counted(stopped.data.images, 'image')} and has now {now.data.images}")
    elif stopped.data.checksum and stopped.data.checksum != now.data.checksum:
        lines.append("the training images are not those of the stopped run: swapped, changed or renamed files")
    if _is_validated_otherwise(stopped, now):
        lines.append(
            "the validation images are not those of the stopped run: swapped, changed, renamed, new or deleted files;"
            " its scores do not compare with those from now on, and the best epoch is counted anew"
        )
    if None not in (stopped.teacher, now.teacher) and stopped.teacher != now.teacher:
        lines.append(f"the weights of the teacher {now.config['teacher']} are not those of the stopped run")
    was, machine = asdict(stopped.machine), asdict(now.machine)
    return lines + [
        f"the run was stopped on {name}={was[name]} and goes on with {value};"
        " the weights will not be those of an uninterrupted run"
        for name, value in machine.items()
        if was[name] not in (value, None)
    ]


def _is_validated_otherwise(stopped: Circumstances, now: Circumstances) -> bool:
    """Whether the validation images differ; a state of an earlier version does not tell."""
    was = stopped.data.val_checksum
    return was is not None and now.data.val_checksum not in (None, was)


def _is_changed(name: str, was: Any, now: Any) -> bool:
    """Whether an option differs; a path may be written in several ways."""
    if name in paths() and isinstance(was, str):
        return os.path.realpath(was) != os.path.realpath(now)
    return was != now


def _rescale(source: ResumePoint, now: Circumstances) -> tuple[Progress, list[str]]:
    """Return the progress in this run's steps, and a line if other ranks share out an epoch in other steps.

    The learning rate goes on from the same share of the epoch, rounded down to a whole step.

    Raises:
        UserError: the steps of an epoch are others for another reason.
    """
    stopped, progress = source.state.circumstances, source.progress
    steps, steps_now = stopped.data.steps_per_epoch, now.data.steps_per_epoch
    ranks, ranks_now = stopped.machine.ranks, now.machine.ranks
    batch, batch_now = parse_config(source.options()).batch_size * ranks, now.config["batch_size"] * ranks_now
    if steps == steps_now and (ranks == ranks_now or batch == batch_now):
        return progress, []
    if ranks == ranks_now or stopped.data.images != now.data.images:
        raise UserError(
            f"{source.path} was trained with {counted(steps, 'step')} an epoch and has {steps_now} now; resume with the"
            " same images and batch_size, or start anew from its checkpoint with --ckpt_path"
        )
    step = min(progress.step * batch // batch_now, steps_now)
    advice = f"; --batch_size {batch // ranks_now} keeps the steps as they were" if batch % ranks_now == 0 else ""
    line = (
        f"an epoch had {counted(steps, 'step')} on {counted(ranks, 'rank')} and has {steps_now} on"
        f" {counted(ranks_now, 'rank')}: the run goes on at step {step} of epoch {progress.epoch + 1}{advice}"
    )
    return replace(progress, step=step), [line]
