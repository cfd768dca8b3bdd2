"""Writes the run directory of a training, so that a kill at any moment loses nothing.

The training state is written last and is what counts: whatever else was written before it is written again, with the
same content, when the training is resumed from an older state.
"""

import csv
import io
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import NamedTuple

import yaml
from mindspore import nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.storage.files import atomic_write, exclusive, is_same
from mindcv_shufflenet.storage.run_directory import Classes, RunDirectory
from mindcv_shufflenet.training.record.resume_point import ResumePoint, check_unchanged
from mindcv_shufflenet.training.record.state import (
    Circumstances,
    Data,
    Progress,
    Row,
    first_non_finite,
    load_state,
    save_state,
)
from mindcv_shufflenet.training.record.tensorboard import Scalars
from mindcv_shufflenet.training.step import TrainStep
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import Metadata, metadata_of

COLUMNS = tuple(column.name for column in fields(Row))

_logger = logging.getLogger(__name__)


class Run(NamedTuple):
    """One training run: what its files tell of.

    Attributes:
        config: the resolved options; ``ckpt_save_dir`` is the run directory.
        machine: what it runs on.
        data: what it reads.
        split: the training images.
        network: whose weights the checkpoints hold.
        step: holds network and optimizer.
        teacher: checksum of the teacher's weights; None without a teacher.
    """

    config: Config
    machine: Machine
    data: Data
    split: Split
    network: nn.Cell
    step: TrainStep
    teacher: int | None = None

    @property
    def circumstances(self) -> Circumstances:
        """What the training depends on beside its parameters and its progress."""
        return Circumstances(self.config.record(), self.machine, self.data, self.teacher)


class Recorder:
    """Writes the files of one run, on rank 0; on the others it checks the weights alone.

    :meth:`begin` makes one, whose run directory is locked and holds a state to resume from.

    Args:
        run: what is recorded.
        locks: keeps other processes out of the run directory; one that is made anew is locked too.
    """

    def __init__(self, run: Run, locks: ExitStack) -> None:
        self.config = run.config
        self.network = run.network
        self.step = run.step
        self.average = run.step.average
        self.circumstances = run.circumstances
        self.directory = RunDirectory(Path(run.config.ckpt_save_dir))
        self.folder = self.directory.folder
        self.best = self.directory.best(run.config.model_name.model)
        self.last = self.directory.last(run.config.model_name.model)
        self.ema = self.directory.ema(run.config.model_name.model)
        self.state = self.directory.state(run.config.model_name.model)
        self.classes = Classes(run.split.class_names, run.split.class_to_index)
        self.held_out = run.split.held_out
        self.locks = locks
        self.writes = current().is_first
        self.scalars = Scalars(self.directory, run.config.model_name.model) if run.config.tensorboard else None
        self.saved: os.stat_result | None = None  # the state's file as it was written

    @classmethod
    @contextmanager
    def begin(cls, run: Run, progress: Progress, source: ResumePoint | None = None) -> Iterator["Recorder"]:
        """Lock the run directory, write what is known before the first step, and unlock it on exit.

        Args:
            run: what is recorded.
            progress: where the training begins.
            source: what it resumes. One of another folder brings its checkpoints along; None replaces what another run
                has left here.

        Raises:
            UserError: another process is at work in the run directory, or has started or resumed a run there since
                ``source`` was found; or it cannot be written.
            RunError: a weight is not a number.
        """
        with ExitStack() as locks:
            recorder = cls(run, locks)
            if recorder.writes:
                recorder._lock()
                check_unchanged(run.config, source)
                recorder._write_start(progress, source)
                if recorder.scalars:
                    locks.callback(recorder.scalars.close)
            yield recorder

    def _lock(self) -> None:
        """Make the run directory, if need be, and keep other processes out of it."""
        self.locks.enter_context(exclusive(self.folder))
        self.locked = self.folder.stat()

    def _write_start(self, progress: Progress, source: ResumePoint | None) -> None:
        if source and source.path.parent.resolve() != self.folder.resolve():
            self._bring_checkpoints(progress, source.path.parent)
        self._refuse_nan()
        self._save(progress)
        if source and source.checkpoint:  # the training goes on from an earlier epoch than that of the last checkpoint
            self._save_last(progress.epoch)
        if source is None:
            for path in (*self.directory.files(self.config.model_name.model), *self.directory.report_files()):
                if path != self.state:
                    _remove(path)
        elif self.directory.log.is_file() and not self.directory.log.read_bytes().startswith(_log_of(progress.rows)):
            _logger.info("%s does not hold the epochs of the training state: it is written anew", self.directory.log)
        self._write_texts(progress)

    def mend(self, progress: Progress) -> None:
        """Rewrite the files that another process has deleted since the last save, except the state, and log it.

        The best checkpoint so far cannot be written again: the best epoch is counted anew in ``progress``.

        Raises:
            RunError: another run has taken the place of this one.
            UserError: the run directory cannot be written, or another process is at work in it.
        """
        if not self.writes or self.saved is None or is_same(self.saved, self.state):
            return
        if not is_same(self.locked, self.folder):
            self._lock()
        if self.state.is_file() and (other := _circumstances(self.state)):
            if other != self.circumstances:
                raise RunError(f"{self.folder} holds another run now, which is not written over: choose another folder")
            return  # a copy of this run
        lost = "its files"
        if progress.best_epoch and not self.best.is_file():
            progress.best_top1 = progress.best_epoch = None
            lost += ", the best checkpoint too (the best epoch is counted anew),"
        _logger.info("%s was deleted or emptied: %s are gone; what can be is written anew", self.folder, lost)
        self._write_texts(progress)
        self._save_last(progress.epoch)

    def end_epoch(self, progress: Progress, is_best: bool, is_average_better: bool = False) -> None:
        """Write the checkpoints, the log and the state after an epoch.

        Args:
            progress: the epoch's row is the last of its ``rows``.
            is_best: whether it is the best epoch so far.
            is_average_better: whether the moving average of the weights is better than the weights.

        Raises:
            RunError: a weight is not a number; nothing is written.
            UserError: a file cannot be written.
        """
        self._refuse_nan()
        if not self.writes:
            return
        metadata = self._metadata(progress.epoch)
        if is_best:
            weights = self.average.arrays() if self.average is not None and is_average_better else self.network
            save_checkpoint(weights, self.best, metadata)
        self._save_last(progress.epoch)
        config = self.config
        if config.keep_checkpoint_max and progress.epoch % config.ckpt_save_interval == 0:
            save_checkpoint(self.network, self._numbered(progress.epoch), metadata)
            for epoch in self._superseded(progress.rows):
                for path in self.directory.numbered_files(config.model_name.model, epoch):  # of any number of ranks
                    _remove(path)
        self._write_log(progress.rows)
        if self.scalars:
            self.scalars.append(progress.rows)
        self._save(progress)

    def _save_last(self, epoch: int) -> None:
        """Write the weights as they are, and their moving average if there is one."""
        save_checkpoint(self.network, self.last, self._metadata(epoch))
        if self.average is not None:
            save_checkpoint(self.average.arrays(), self.ema, self._metadata(epoch))

    def save_state(self, progress: Progress) -> None:
        """Write the training state alone; raises as :meth:`end_epoch` and :meth:`mend`."""
        self._refuse_nan()
        if self.writes:
            self.mend(progress)
            self._save(progress)

    def _save(self, progress: Progress) -> None:
        save_state(self.state, self.step.state_parameters(), progress, self.circumstances)
        self.saved = self.state.stat()

    def diverged(self, what: str) -> RunError:
        """Return the error of a training that has diverged."""
        return RunError(
            f"{what}; try a lower --lr, more --warmup_epochs or --clip_grad."
            f" {self.state} holds the last state that was saved"
        )

    def _refuse_nan(self) -> None:
        name = first_non_finite(self.step.state_parameters())
        if name is not None:
            raise self.diverged(f"{name} became NaN or infinite")

    def _bring_checkpoints(self, progress: Progress, folder: Path) -> None:
        """Copy the best and the last checkpoint of the resumed run."""
        if not (folder / self.best.name).is_file():
            progress.best_top1 = progress.best_epoch = None
        for path in (self.best, self.last) if progress.best_epoch else (self.last,):
            if (folder / path.name).is_file():
                with open(folder / path.name, "rb") as source, atomic_write(path) as target:
                    shutil.copyfileobj(source, target)

    def _metadata(self, epoch: int) -> Metadata:
        return metadata_of(self.config, self.classes, epoch)

    def _numbered(self, epoch: int) -> Path:
        return self.directory.numbered(self.config.model_name.model, epoch, self.circumstances.data.steps_per_epoch)

    def _superseded(self, rows: Sequence[Row]) -> list[int]:
        """The epochs whose numbered checkpoint the policy no longer keeps."""
        if self.config.ckpt_save_policy is None:
            return []
        rows = [row for row in rows if row.epoch % self.config.ckpt_save_interval == 0]
        epochs = [row.epoch for row in rows]
        if self.config.ckpt_save_policy == "top_k":
            top1 = {row.epoch: -1.0 if row.val_top1 is None else row.val_top1 for row in rows}
            epochs.sort(key=lambda epoch: (top1[epoch], epoch))
        return epochs[: -self.config.keep_checkpoint_max]

    def _write_texts(self, progress: Progress) -> None:
        _write(self.directory.options, yaml.safe_dump(self.config.record(), sort_keys=False).encode())
        _write(self.directory.classes, json.dumps(self.classes._asdict(), indent=1).encode())
        if self.held_out:
            _write(self.directory.split, json.dumps(self.held_out._asdict(), indent=1).encode())
        self._write_log(progress.rows)
        if self.scalars:
            self.scalars.restart(progress.rows)

    def _write_log(self, rows: Sequence[Row]) -> None:
        _write(self.directory.log, _log_of(rows))


def _circumstances(path: Path) -> Circumstances | None:
    """Return what a state tells of its run; None if it cannot be read."""
    try:
        return load_state(path).circumstances
    except UserError:
        return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot delete {path}: {error.strerror}; choose another --ckpt_save_dir") from error


def _log_of(rows: Sequence[Row]) -> bytes:
    """The content of ``log.csv``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)
