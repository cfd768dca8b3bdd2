"""The training state: everything that is needed to go on exactly where a training stopped."""

import io
import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_write
from mindcv_shufflenet.train.optim import HYPERPARAMETERS

FORMAT = 1


@dataclass
class Progress:
    """How far a training is.

    ``epoch`` epochs are finished and logged in ``rows``; of the next one ``step`` steps are done, whose sums are
    ``loss_sum``, ``correct``, ``seen`` and ``seconds``.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    best_top1: float | None = None
    best_epoch: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def start_epoch(self) -> None:
        """Begin the sums of the next epoch."""
        self.epoch += 1
        self.step = self.correct = self.seen = 0
        self.loss_sum = self.seconds = 0.0


@dataclass
class State:
    """A training state as it lies in a file.

    Attributes:
        arrays: the parameters of network and optimizer by name.
        progress: how far the training was.
        circumstances: what the training depends on beside them: options, machine and data.
    """

    arrays: dict[str, np.ndarray]
    progress: Progress
    circumstances: dict[str, Any]


def save_state(path: Path, step: nn.Cell, progress: Progress, circumstances: dict[str, Any]) -> None:
    """Write the parameters of network and optimizer, the progress, and what the training depends on.

    The file is an npz archive whose entry ``meta`` is JSON; it is read without unpickling anything.

    Raises:
        UserError: the file cannot be written.
    """
    arrays = {name: parameter.asnumpy() for name, parameter in _parameters(step).items()}
    meta = {
        "format": FORMAT,
        "progress": asdict(progress),
        "circumstances": circumstances,
        "names": list(arrays),
    }
    # in memory first: a zip file that cannot be finished on a full disk complains again when it is collected
    archive = io.BytesIO()
    np.savez(archive, meta=np.array(json.dumps(meta)), **arrays)
    with atomic_write(path) as file:
        file.write(archive.getbuffer())


def load_state(path: Path) -> State:
    """Read what :func:`save_state` wrote.

    Raises:
        UserError: the file is missing, damaged or of another version.
    """
    if not path.is_file():
        raise UserError(f"there is no training state {path}; start the run without --resume_opt")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(str(arrays.pop("meta")))
        if meta["format"] != FORMAT:
            raise UserError(
                f"{path} is of format {meta['format']}, this version reads {FORMAT}; start anew with --overwrite"
            )
        # the archive's checksums cover what is in its files, not their names
        arrays = {name: arrays[name] for name in meta["names"]}
        return State(arrays, Progress(**meta["progress"]), meta["circumstances"])
    except UserError:
        raise
    except Exception as error:  # on damaged bytes numpy and zipfile raise what they like
        raise UserError(f"cannot read the training state {path}: it is damaged; start anew with --overwrite") from error


def restore(step: nn.Cell, state: State, path: Path) -> None:
    """Put the saved parameters back into network and optimizer.

    Raises:
        UserError: the state is of another network or optimizer.
    """
    parameters = _parameters(step)
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    saved = {name: array.shape for name, array in state.arrays.items()}
    if shapes != saved:
        differing = sorted(name for name in shapes.keys() | saved.keys() if shapes.get(name) != saved.get(name))
        raise UserError(
            f"{path} is of another network or optimizer: {differing[0]} differs;"
            " resume with the options of the run's config.yaml"
        )
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(state.arrays[name]))


def first_non_finite(step: nn.Cell) -> str | None:
    """Return the name of a parameter that holds NaN or infinity, or None."""
    parameters = _parameters(step).items()
    return next((name for name, parameter in parameters if not np.isfinite(parameter.asnumpy()).all()), None)


def checksum(step: nn.Cell) -> int:
    """Return a number that differs where a bit of the parameters of network and optimizer does."""
    value = 0
    for parameter in _parameters(step).values():
        value = zlib.crc32(np.ascontiguousarray(parameter.asnumpy()).data, value)
    return value


def _parameters(step: nn.Cell) -> dict[str, Any]:
    """Everything that training changes: weights, BatchNorm statistics, moments, step counter."""
    return {parameter.name: parameter for parameter in step.get_parameters() if parameter.name not in HYPERPARAMETERS}
