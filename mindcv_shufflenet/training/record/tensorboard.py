"""The epochs of a training as TensorBoard's scalars, beside ``log.csv``.

They are written from the rows of the training state: when a training begins or is resumed, all rows of the state go
into a new file, so that each step is there once, whenever the training was stopped.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.training.record.state import Row

# Columns of a row that are no curves, but axes.
_AXES = ("epoch", "step", "seconds")
# First words of columns that are drawn into one picture with the same column of the others.
_COMPARED = ("train", "val", "ema")


class Scalars:
    """Writes the scalars of one run: one value a curve and epoch, at the epoch's last step.

    Args:
        directory: the run directory.
        model: the run's model.
    """

    def __init__(self, directory: RunDirectory, model: str) -> None:
        self.directory = directory
        self.model = model
        self.file: Any = None
        self.began = 0.0

    def restart(self, rows: Sequence[Row]) -> None:
        """Write all rows into a new file in the place of the earlier ones.

        Raises:
            UserError: it cannot be written.
        """
        # it imports PyTorch where that is installed, which takes a second
        from tensorboardX.record_writer import RecordWriter

        self.began = time.time() - sum(row.seconds for row in rows)
        path = self.directory.events(self.model, int(time.time()))
        with _explained(path):
            self.close()
            path.parent.mkdir(parents=True, exist_ok=True)
            for earlier in self.directory.event_files(self.model):
                earlier.unlink(missing_ok=True)
            self.file = RecordWriter(str(path))
            self.file.write(_event(self.began, file_version="brain.Event:2"))
            self._write(rows, len(rows))

    def append(self, rows: Sequence[Row]) -> None:
        """Write the last row.

        Raises:
            UserError: it cannot be written.
        """
        with _explained(self.directory.tensorboard):
            self._write(rows, 1)

    def _write(self, rows: Sequence[Row], count: int) -> None:
        """Write the last ``count`` rows, each with the time at which its epoch ended."""
        for number in range(len(rows) - count, len(rows)):
            ended = self.began + sum(row.seconds for row in rows[: number + 1])
            values = [{"tag": tag, "simple_value": value} for tag, value in curves(rows[number]).items()]
            self.file.write(_event(ended, step=rows[number].step, summary={"value": values}))
        self.file.flush()

    def close(self) -> None:
        """Close the file, if one is open."""
        if self.file is not None:
            self.file.close()
        self.file = None


def curves(row: Row) -> dict[str, float]:
    """Return the values of a row by the name of their curve: ``loss/train``, ``top1/val``, ``lr``, ..."""
    values = {name: value for name, value in asdict(row).items() if name not in _AXES and value is not None}
    return {_tag(name): float(value) for name, value in values.items()}


def _tag(column: str) -> str:
    whose, _, what = column.partition("_")
    return f"{what}/{whose}" if whose in _COMPARED else column


def _event(wall_time: float, **fields: Any) -> bytes:
    from tensorboardX.proto.event_pb2 import Event

    return Event(wall_time=wall_time, **fields).SerializeToString()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; make room, or leave it out by --no-tensorboard") from error
