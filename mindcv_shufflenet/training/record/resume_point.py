"""What a training starts from: nothing, a training state, or a checkpoint of an earlier epoch."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.tables import names_of, resumed
from mindcv_shufflenet.storage.run_directory import LOG_FILE, CheckpointName, RunDirectory, numbered_name
from mindcv_shufflenet.training.record.state import Progress, State, load_state
from mindcv_shufflenet.weights.load import read_weights


class ResumePoint(NamedTuple):
    """What a resumed training starts from.

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

    def without_rewinding(self) -> "ResumePoint":
        """Return the whole run, as it was stopped."""
        return self._replace(progress=self.state.progress, checkpoint=None, notes=[]) if self.checkpoint else self

    def options(self) -> dict[str, Any]:
        """Return the options of the stopped run that a resumed one takes over.

        Raises:
            UserError: they are no options.
        """
        names = resumed()
        taken = {name: value for name, value in self.state.circumstances.config.items() if name in names}
        try:
            parse_config(taken, is_recorded=True)
        except UserError as error:
            raise UserError(f"cannot read the options in {self.path} ({error}); start anew with --overwrite") from error
        return taken


def find_resume_point(config: Config, options: Collection[str]) -> ResumePoint | None:
    """Return what a training resumes; None for a new run, for which the run directory must be free.

    Args:
        config: the user's options, with the defaults of the others.
        options: the names of those that the user gave.

    Raises:
        UserError: there is nothing to resume, or several runs could be meant; or the run directory of a new run holds
            another.
    """
    if not config.resume_opt:
        check_folder(config)
        return None
    name = CheckpointName.parse(Path(config.ckpt_path).name)
    model = config.model_name.model if "model" in options else name and name.model
    folder = Path(config.ckpt_save_dir)
    if config.ckpt_path:
        return _from_checkpoint(config, Path(config.ckpt_path), folder, model)
    return _last_state(_needed(_state_in(folder, model), folder, model))


def _from_checkpoint(config: Config, checkpoint: Path, folder: Path, model: str | None) -> ResumePoint:
    """Return the run of a checkpoint, rewound to its epoch; or the run that started with it, as it was stopped."""
    here = _state_in(folder, model)
    is_inside = checkpoint.parent.resolve() == folder.resolve()
    started_with = load_state(here).circumstances.config.get("ckpt_path") if here else None
    if here and started_with and Path(started_with).resolve() == checkpoint.resolve() and not is_inside:
        return _last_state(here, f"ckpt_path is not read: the run that began with it goes on from {here}")
    if not checkpoint.is_file():
        raise UserError(
            f"there is no checkpoint {config.ckpt_path} to go back to; without --ckpt_path the run in {folder} goes on"
            " from where it stopped"
        )
    if is_inside:
        return _rewind(_needed(here, folder, model), checkpoint)
    beside = _state_in(checkpoint.parent, model)
    if here is None:
        check_folder(config)
        return _rewind(_needed(beside, checkpoint.parent, model), checkpoint)
    if beside:
        raise UserError(
            f"{folder} and {checkpoint.parent} each hold a run: leave out --ckpt_path to go on with that of {folder},"
            f" or give another --ckpt_save_dir to go on with that of {checkpoint}"
        )
    return _rewind(here, checkpoint)


def check_folder(config: Config) -> None:
    """Refuse to start a new run where another one lies, or where it would delete the checkpoint that it starts from.

    Raises:
        UserError: the folder holds a run and ``overwrite`` is not set, or it is no folder.
    """
    folder = Path(config.ckpt_save_dir)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder; choose another --ckpt_save_dir")
    files = RunDirectory(folder).files(config.model_name.model)
    if files and not config.overwrite:
        raise UserError(
            f"{folder} already holds a run ({files[0].name}): go on with it by --resume_opt,"
            " replace it by --overwrite, or choose another --ckpt_save_dir"
        )
    if config.ckpt_path and Path(config.ckpt_path).resolve() in [path.resolve() for path in files]:
        raise UserError(f"--overwrite would delete {config.ckpt_path}; choose another --ckpt_save_dir")


def check_unchanged(config: Config, source: ResumePoint | None) -> None:
    """Check once more what :func:`find_resume_point` found, now that no other process can write there.

    Raises:
        UserError: another process has started or resumed a run there meanwhile.
    """
    if source is None:
        check_folder(config)
    elif load_state(source.path).progress != source.state.progress:
        raise UserError(
            f"another process went on with {source.path} meanwhile: look at its {LOG_FILE}, then start this again"
        )


def _state_in(folder: Path, model: str | None) -> Path | None:
    """Return the training state of a model in a folder, or the only one there is; None if there is none.

    Raises:
        UserError: several lie there, and no model is named.
    """
    if model is not None:
        path = RunDirectory(folder).state(model)
        return path if path.is_file() else None
    states = RunDirectory(folder).states()
    if len(states) > 1:
        raise UserError(f"{folder} holds several runs: say which one goes on by --model, one of {', '.join(states)}")
    return next(iter(states.values()), None)


def _needed(path: Path | None, folder: Path, model: str | None) -> Path:
    if path is None:
        missing = RunDirectory(folder).state(model or "MODEL")
        raise UserError(f"there is no training state {missing}; start the run without --resume_opt")
    return path


def _last_state(path: Path, *notes: str) -> ResumePoint:
    state = load_state(path)
    return ResumePoint(path, state, state.progress, None, [*notes])


def _rewind(path: Path, checkpoint: Path) -> ResumePoint:
    """Return the run of the state ``path``, rewound to the epoch of one of its checkpoints.

    The state holds the rows of all epochs, but the optimizer's moments of the last one alone.

    Raises:
        UserError: the checkpoint is of another run, or its epoch is not known.
    """
    last = _last_state(path)
    progress, steps = last.progress, last.state.circumstances.data.steps_per_epoch
    directory = RunDirectory(path.parent)
    model = directory.model_of(path)
    name = CheckpointName.parse(checkpoint.name)
    if name and name.model == model and name.word == "last":
        return last
    epoch = _epoch_of(checkpoint, name, model, last)
    if isinstance(epoch, str):
        raise UserError(
            f"cannot go on from {checkpoint}: {epoch}. --resume_opt without --ckpt_path goes on from epoch"
            f" {progress.epoch}, with {numbered_name(model, 'N', str(steps))} from epoch N up to that; without"
            " --resume_opt a new run begins with the weights of --ckpt_path"
        )
    if epoch == progress.epoch and progress.step == 0:
        return last
    notes = [
        f"{checkpoint} is of epoch {epoch} and {path} of epoch {progress.epoch}: the optimizer's moments are reset,"
        " and the checkpoints of later epochs are replaced as the training goes on"
    ]
    rewound = Progress(epoch=epoch, rows=progress.rows[:epoch])
    if progress.best_epoch and progress.best_epoch <= epoch:
        rewound = replace(rewound, best_top1=progress.best_top1, best_epoch=progress.best_epoch)
    elif progress.best_epoch:
        best = directory.best(model).name
        notes.append(f"{best} is of epoch {progress.best_epoch}, which is undone: the best is counted anew")
    return ResumePoint(path, last.state, rewound, checkpoint, notes)


def _epoch_of(checkpoint: Path, name: CheckpointName | None, model: str, last: ResumePoint) -> int | str:
    """Return the epoch of a checkpoint's weights, or why the run cannot be resumed from it.

    The file itself tells it; for one of an earlier version its name does.
    """
    progress, stopped = last.progress, last.state.circumstances
    own = read_weights(checkpoint).metadata
    told = own.options if own else {}
    if told.get("model", model) != model or (name and name.model != model):
        return f"it is of {told.get('model') or (name and name.model)} and the run of {model}"
    for option in names_of("network"):
        if told.get(option, stopped.config.get(option)) != stopped.config.get(option):
            return f"it was trained with {option}={told[option]} and the run with {stopped.config.get(option)}"
    steps = stopped.data.steps_per_epoch
    if name and name.steps and name.steps != steps:
        return f"its epochs have {counted(name.steps, 'step')} and the run's {steps}"
    named = name and (progress.best_epoch if name.word else name.epoch)
    epoch = own.epoch if own and own.epoch else named
    if epoch is None:
        return "the run has no best epoch" if name else "neither the file nor its name tells its epoch"
    return epoch if 1 <= epoch <= progress.epoch else f"the run's state knows {counted(progress.epoch, 'epoch')}"
