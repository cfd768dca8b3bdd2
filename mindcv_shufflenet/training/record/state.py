"""The training state: everything that is needed to resume a training exactly."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from mindspore import Parameter, Tensor
from pydantic import Field, TypeAdapter, ValidationError

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.parallel.agreement import checksum
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.storage.files import atomic_write

FORMAT = 1


_Count = Annotated[int, Field(ge=0)]


@dataclass
class Row:
    """A finished epoch: a line of ``log.csv``, whose columns are these fields in this order."""

    epoch: int
    step: int
    lr: float
    train_loss: float
    train_top1: float
    val_loss: float | None
    val_top1: float | None
    val_top5: float | None
    ema_top1: float | None
    images_per_second: float
    seconds: float


@dataclass
class Progress:
    """How far a training is.

    ``epoch`` epochs are finished and logged in ``rows``; of the next one ``step`` steps are done, whose sums are
    ``loss_sum``, ``correct``, ``seen`` and ``seconds``. ``skipped`` updates of the whole training were left out, since
    their gradients overflowed. Early stopping counts from epoch ``patient_from`` on, at which a training that it had
    ended was given more epochs.
    """

    epoch: _Count = 0
    step: _Count = 0
    loss_sum: float = 0.0
    correct: _Count = 0
    seen: _Count = 0
    seconds: float = 0.0
    best_top1: float | None = None
    best_epoch: _Count | None = None
    rows: list[Row] = field(default_factory=list)
    skipped: _Count = 0
    patient_from: _Count = 0

    def start_epoch(self) -> None:
        """Begin the sums of the next epoch."""
        self.epoch += 1
        self.step = self.correct = self.seen = 0
        self.loss_sum = self.seconds = 0.0


@dataclass
class Data:
    """What a training reads.

    Attributes:
        images: of the training split.
        steps_per_epoch: of one rank.
        checksum: of the training images, as ``data.datasets.base.split_checksum`` gives it; None in older states.
        val_checksum: of the validation images; None where none are read, and in older states.
    """

    images: _Count
    steps_per_epoch: _Count
    checksum: str | None = None
    val_checksum: str | None = None


@dataclass
class Circumstances:
    """What a training depends on beside its parameters and its progress.

    Attributes:
        config: the options, as ``Config.record`` gives them.
        machine: what it ran on.
        data: what it reads.
        teacher: checksum of the teacher's weights; None without a teacher.
    """

    config: dict[str, Any]
    machine: Machine
    data: Data
    teacher: int | None = None


@dataclass
class State:
    """A training state as it lies in a file.

    Attributes:
        arrays: the parameters of network and optimizer by name.
        progress: how far the training was.
        circumstances: what it depends on.
    """

    arrays: dict[str, np.ndarray]
    progress: Progress
    circumstances: Circumstances


@dataclass
class _Meta:
    """The entry ``meta`` of the file, JSON; ``names`` are those of the arrays."""

    format: int
    progress: Progress
    circumstances: Circumstances
    names: list[str]


_META = TypeAdapter(_Meta)


# The parameters that a training changes, by name, as ``TrainStep.state_parameters`` gives them.
Parameters = Mapping[str, Parameter]


def save_state(path: Path, parameters: Parameters, progress: Progress, circumstances: Circumstances) -> None:
    """Write the parameters, the progress, and what the training depends on.

    The file is an npz archive whose entry ``meta`` is JSON; it is read without unpickling anything.

    Raises:
        UserError: the file cannot be written.
    """
    arrays = arrays_of(parameters)
    meta = asdict(_Meta(FORMAT, progress, circumstances, list(arrays)))
    # in memory first: a zip file that cannot be finished on a full disk complains again when it is collected
    archive = io.BytesIO()
    np.savez(archive, meta=np.array(json.dumps(meta)), **arrays)
    with atomic_write(path) as file:
        file.write(archive.getbuffer())


def load_state(path: Path) -> State:
    """Read what :func:`save_state` wrote.

    Raises:
        UserError: the file is missing, damaged or of another version.
        MemoryError: it is too large.
    """
    if not path.is_file():
        raise UserError(f"there is no training state {path}; start the run without --resume_opt")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        text = str(arrays.pop("meta"))
        if (form := json.loads(text)["format"]) != FORMAT:
            raise UserError(f"{path} is of format {form}, this version reads {FORMAT}; start anew with --overwrite")
        meta = _META.validate_json(text, strict=True)
        # the archive's checksums cover what is in its files, not their names
        arrays = {name: arrays[name] for name in meta.names}
        _check_progress(meta.progress, meta.circumstances.data.steps_per_epoch)
    except (UserError, MemoryError):
        raise
    except ValidationError as error:
        raise UserError(
            f"cannot read the training state {path}: {_first_finding(error)}; start anew with --overwrite"
        ) from error
    except Exception as error:  # on damaged bytes numpy and zipfile raise what they like
        raise UserError(f"cannot read the training state {path}: it is damaged; start anew with --overwrite") from error
    return State(arrays, meta.progress, meta.circumstances)


def _check_progress(progress: Progress, steps: int) -> None:
    """Check that the parts of a state agree.

    Raises:
        ValueError: it does not agree.
    """
    if [row.epoch for row in progress.rows] != list(range(1, progress.epoch + 1)):
        raise ValueError("a row is missing")
    if progress.step > steps or (progress.step and not progress.seen):
        raise ValueError("no such step")


def _first_finding(error: ValidationError) -> str:
    finding = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, finding['loc']))}: {finding['msg']}"


def restore(parameters: Parameters, state: State, path: Path) -> None:
    """Set parameters to the saved ones.

    Raises:
        UserError: the state is of another network or optimizer.
    """
    kinds = {name: _kind(array) for name, array in arrays_of(parameters).items()}
    saved = {name: _kind(array) for name, array in state.arrays.items()}
    if kinds != saved:
        differing = sorted(name for name in kinds.keys() | saved.keys() if kinds.get(name) != saved.get(name))
        raise UserError(
            f"{path} is of another network or optimizer: {differing[0]} differs;"
            " resume with the options of the run's config.yaml"
        )
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(state.arrays[name]))


def _kind(array: np.ndarray) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype, which an array shares with the one that replaces it."""
    return array.shape, array.dtype


def first_non_finite(parameters: Parameters) -> str | None:
    """Return the name of a parameter that holds NaN or infinity, or None."""
    return next((name for name, array in arrays_of(parameters).items() if not np.isfinite(array).all()), None)


def weights_checksum(parameters: Parameters) -> int:
    """Return a number that differs where a bit of the parameters does."""
    return checksum(arrays_of(parameters).values())


def arrays_of(parameters: Parameters) -> dict[str, np.ndarray]:
    """Return the values of parameters by name."""
    return {name: parameter.asnumpy() for name, parameter in parameters.items()}
