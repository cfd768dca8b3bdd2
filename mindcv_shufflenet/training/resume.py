"""``--resume_opt``: what a training goes on from, with which options, and what has changed since it stopped."""

import os
import re
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore import nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import ACTIONS, Config, parse_config
from mindcv_shufflenet.storage.run_directory import (
    CHECKPOINT,
    CLASSES_FILE,
    STATE_ENDING,
    numbered_name,
    read_run,
    run_paths,
)
from mindcv_shufflenet.training.recorder import check_folder
from mindcv_shufflenet.training.state import Circumstances, Progress, State, load_state, parameters_of, restore
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.metadata import NETWORK_OPTIONS

# Options of the machine, which a resumed run does not take over from the stopped one.
_MACHINE_OPTIONS = ("device_target", "num_parallel_workers", "ckpt_save_dir")
# Options that a resumed run may have otherwise than the stopped one without training otherwise.
_NEUTRAL = ("ckpt_save_dir", "ckpt_path", "num_parallel_workers", "log_interval")


class Source(NamedTuple):
    """What a training goes on from.

    Attributes:
        path: the training state's file.
        state: what is in it.
        progress: where the training begins: the state's, or an earlier epoch's.
        checkpoint: the weights of that earlier epoch; None: the state's own.
        notes: a line for each thing that the user may not expect.
    """

    path: Path
    state: State
    progress: Progress
    checkpoint: Path | None
    notes: list[str]

    def undo_nothing(self) -> "Source":
        """Return the whole run, as it was stopped."""
        return self._replace(progress=self.state.progress, checkpoint=None, notes=[]) if self.checkpoint else self

    def options(self) -> dict[str, Any]:
        """Return the options of the stopped run that a resumed one takes over.

        Raises:
            UserError: they are no options.
        """
        taken = {
            name: value
            for name, value in self.state.circumstances.config.items()
            if name in Config.model_fields and name not in (*ACTIONS, *_MACHINE_OPTIONS)
        }
        try:
            parse_config(taken)
        except UserError as error:
            raise UserError(f"cannot read the options in {self.path} ({error}); start anew with --overwrite") from error
        return taken


def find_source(config: Config, options: Collection[str]) -> Source | None:
    """Return what to go on from, or None for a new run, which must not lie on top of another.

    Args:
        config: the user's options, with the defaults of the others.
        options: the names of those that the user gave.

    Raises:
        UserError: there is nothing to go on from, or it cannot be said from what; or the run directory of a new run
            holds another.
    """
    if not config.resume_opt:
        check_folder(config)
        return None
    folder, checkpoint = Path(config.ckpt_save_dir), Path(config.ckpt_path)
    name = CHECKPOINT.fullmatch(checkpoint.name)
    model = config.network if "model" in options else name and name["model"]
    here = _state_in(folder, model)
    if not config.ckpt_path:
        return _last_state(_needed(here, folder, model))
    begun_with = load_state(here).circumstances.config.get("ckpt_path") if here else None
    if (
        begun_with
        and Path(begun_with).resolve() == checkpoint.resolve()
        and checkpoint.parent.resolve() != folder.resolve()
    ):
        return _last_state(
            _needed(here, folder, model), f"ckpt_path is not read: the run that began with it goes on from {here}"
        )
    if not checkpoint.is_file():
        raise UserError(
            f"there is no checkpoint {config.ckpt_path} to go back to; without --ckpt_path the run in {folder} goes on"
            " from where it stopped"
        )
    beside = _state_in(checkpoint.parent, model)
    if checkpoint.parent.resolve() == folder.resolve():
        return _rewind(_needed(here, folder, model), checkpoint)
    if here is None:
        check_folder(config)
        return _rewind(_needed(beside, checkpoint.parent, model), checkpoint)
    if beside:
        raise UserError(
            f"{folder} and {checkpoint.parent} each hold a run: leave out --ckpt_path to go on with that of {folder},"
            f" or give another --ckpt_save_dir to go on with that of {checkpoint}"
        )
    return _rewind(here, checkpoint)


def go_on(
    source: Source, now: Circumstances, network: nn.Cell, step: nn.Cell, class_to_index: dict[str, int]
) -> tuple[Progress, list[str]]:
    """Bring network and optimizer to where the stopped run was.

    Args:
        source: what to go on from.
        now: options, machine and data of the resumed run.
        network: of the resumed run.
        step: its training step.
        class_to_index: of its data.

    Returns:
        Where the training begins, and a line for each thing that makes it another than the one that was stopped.

    Raises:
        UserError: the network, its classes or the steps of an epoch are others.
    """
    stopped = source.state.circumstances
    _check_same_network(source, now)
    _check_same_classes(source.path.parent, class_to_index)
    notes = source.notes + _differences(stopped, now)
    progress, told = _rescale(source, now)
    if _is_validated_otherwise(stopped, now) and progress.best_epoch:
        progress = replace(progress, best_top1=None, best_epoch=None)
    arrays = source.state.arrays
    if source.checkpoint:
        notes += load_weights(network, source.checkpoint)
        arrays = parameters_of(step)
    if source.checkpoint or told:
        steps_done = progress.epoch * now.data.steps_per_epoch + progress.step
        arrays["global_step"] = np.array([steps_done], np.int32)
    restore(step, replace(source.state, arrays=arrays), source.path)
    return progress, notes + told


def _state_in(folder: Path, model: str | None) -> Path | None:
    """Return the training state of a model in a folder, or the only one there is; None if there is none.

    Raises:
        UserError: several lie there, and no model is named.
    """
    if model is not None:
        path = run_paths(folder, model).state
        return path if path.is_file() else None
    states = sorted(folder.glob(f"*{STATE_ENDING}"))
    if len(states) > 1:
        models = ", ".join(path.name.removesuffix(STATE_ENDING) for path in states)
        raise UserError(f"{folder} holds several runs: say which one goes on by --model, one of {models}")
    return states[0] if states else None


def _needed(path: Path | None, folder: Path, model: str | None) -> Path:
    if path is None:
        missing = run_paths(folder, model or "MODEL").state
        raise UserError(f"there is no training state {missing}; start the run without --resume_opt")
    return path


def _last_state(path: Path, *notes: str) -> Source:
    state = load_state(path)
    return Source(path, state, state.progress, None, [*notes])


def _rewind(path: Path, checkpoint: Path) -> Source:
    """Go back to the epoch of a checkpoint of the run whose state lies at ``path``.

    The state holds the rows of all epochs, but the optimizer's moments of the last one alone.

    Raises:
        UserError: that is not possible.
    """
    last = _last_state(path)
    progress, steps = last.progress, last.state.circumstances.data.steps_per_epoch
    model = path.name.removesuffix(STATE_ENDING)
    name = CHECKPOINT.fullmatch(checkpoint.name)
    if name and name["model"] == model and name["word"] == "last":
        return last
    epoch = _epoch_of(checkpoint, name, model, last)
    if isinstance(epoch, str):
        raise UserError(
            f"cannot go on from {checkpoint}: {epoch}. --resume_opt without --ckpt_path goes on from epoch"
            f" {progress.epoch}, with {numbered_name(model, 'N', steps)} from epoch N up to that; without --resume_opt"
            " a new run begins with the weights of --ckpt_path"
        )
    if epoch == progress.epoch and progress.step == 0:
        return last
    notes = [
        f"{checkpoint} is of epoch {epoch} and {path} of epoch {progress.epoch}: the optimizer's moments begin anew,"
        " and the checkpoints of later epochs are replaced as the training goes on"
    ]
    rewound = Progress(epoch=epoch, rows=progress.rows[:epoch])
    if progress.best_epoch and progress.best_epoch <= epoch:
        rewound = replace(rewound, best_top1=progress.best_top1, best_epoch=progress.best_epoch)
    elif progress.best_epoch:
        best = run_paths(path.parent, model).best.name
        notes.append(f"{best} is of epoch {progress.best_epoch}, which is undone: the best is counted anew")
    return Source(path, last.state, rewound, checkpoint, notes)


def _epoch_of(checkpoint: Path, name: re.Match[str] | None, model: str, last: Source) -> int | str:
    """Return the epoch whose weights a checkpoint holds, or why it cannot be gone on from.

    The file itself tells it, or for one of an earlier version its name.
    """
    progress, stopped = last.progress, last.state.circumstances
    own = read_weights(checkpoint).metadata
    told = own.options if own else {}
    if told.get("model", model) != model or (name and name["model"] != model):
        return f"it is of {told.get('model') or (name and name['model'])} and the run of {model}"
    for option in NETWORK_OPTIONS:
        if told.get(option, stopped.config.get(option)) != stopped.config.get(option):
            return f"it was trained with {option}={told[option]} and the run with {stopped.config.get(option)}"
    steps = stopped.data.steps_per_epoch
    if name and name["steps"] and int(name["steps"]) != steps:
        return f"its epochs have {name['steps']} steps and the run's {steps}"
    named = name and (progress.best_epoch if name["word"] else int(name["epoch"]))
    epoch = own.epoch if own and own.epoch else named
    if epoch is None:
        return "the run has no best epoch" if name else "neither the file nor its name tells its epoch"
    return epoch if 1 <= epoch <= progress.epoch else f"the run's state knows {progress.epoch} epoch(s)"


def _check_same_network(source: Source, now: Circumstances) -> None:
    """Refuse to go on with a network that computes otherwise."""
    stopped = source.state.circumstances.config
    for name in ("model", *NETWORK_OPTIONS):
        if stopped.get(name) != now.config[name]:
            raise UserError(
                f"{source.path} was trained with {name}={stopped.get(name)} and {name} is {now.config[name]} now;"
                f" give --{name} {stopped.get(name)}, or start anew"
            )


def _check_same_classes(folder: Path, class_to_index: dict[str, int]) -> None:
    """Refuse to go on with a run on images of other classes than its ``classes.json`` lists."""
    recorded = read_run(folder).classes
    if recorded is not None and recorded.indices != class_to_index:
        raise UserError(
            f"the classes of the data are not those of the stopped run ({folder / CLASSES_FILE}); give its --data_dir,"
            " or start anew from its checkpoint with --ckpt_path and --reset_classifier"
        )


def _differences(stopped: Circumstances, now: Circumstances) -> list[str]:
    """Return a line for each thing that makes the resumed training another than the one that was stopped."""
    lines = [
        f"{name} was {stopped.config.get(name)} when the run was stopped and is {value} now"
        for name, value in now.config.items()
        if name not in _NEUTRAL and _is_changed(name, stopped.config.get(name), value)
    ]
    if stopped.data.images != now.data.images:
        lines.append(f"there were {stopped.data.images} images when the run was stopped, now {now.data.images}")
    elif stopped.data.checksum and stopped.data.checksum != now.data.checksum:
        lines.append("the training images are not those of the stopped run: swapped, changed or renamed files")
    if _is_validated_otherwise(stopped, now):
        lines.append(
            "the validation images are not those of the stopped run: swapped, changed, renamed, new or deleted files;"
            " its scores do not compare with those from now on, and the best epoch is counted anew"
        )
    was, machine = asdict(stopped.machine), asdict(now.machine)
    return lines + [
        f"the run was stopped on {name}={was[name]} and goes on with {value};"
        " the weights will not be those of an uninterrupted run"
        for name, value in machine.items()
        if was[name] != value
    ]


def _is_validated_otherwise(stopped: Circumstances, now: Circumstances) -> bool:
    """Whether the validation images are others; a state of an earlier version does not tell."""
    was = stopped.data.val_checksum
    return was is not None and now.data.val_checksum not in (None, was)


def _is_changed(name: str, was: Any, now: Any) -> bool:
    """Whether an option is another; a folder may be written in several ways."""
    if name == "data_dir" and isinstance(was, str):
        return os.path.realpath(was) != os.path.realpath(now)
    return was != now


def _rescale(source: Source, now: Circumstances) -> tuple[Progress, list[str]]:
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
            f"{source.path} was trained with {steps} steps an epoch and there are {steps_now} now; resume with the"
            " same images and batch_size, or start anew from its checkpoint with --ckpt_path"
        )
    step = min(progress.step * batch // batch_now, steps_now)
    advice = f"; --batch_size {batch // ranks_now} keeps the steps as they were" if batch % ranks_now == 0 else ""
    line = (
        f"{ranks} rank(s) made {steps} steps an epoch and {ranks_now} make {steps_now}: the run goes on at step {step}"
        f" of epoch {progress.epoch + 1}{advice}"
    )
    return replace(progress, step=step), [line]
