"""The run directory: what a training writes, in an order that a kill at any moment cannot spoil.

The training state is written last and is what counts: whatever else was written before it is written again, with the
same content, when the training is resumed from an older state.
"""

import csv
import glob
import io
import json
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path

import yaml
from mindspore import nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.storage.files import atomic_write, exclusive
from mindcv_shufflenet.storage.run_directory import (
    CLASSES_FILE,
    OPTIONS_FILE,
    SPLIT_FILE,
    Classes,
    numbered_name,
    run_files,
    run_paths,
)
from mindcv_shufflenet.training.state import (
    Circumstances,
    Data,
    Progress,
    Row,
    first_non_finite,
    load_state,
    save_state,
)
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import Metadata, metadata_of

COLUMNS = tuple(column.name for column in fields(Row))


class Recorder:
    """Writes the files of one run, on rank 0; on the others it looks at the weights alone.

    Args:
        config: the resolved options; ``ckpt_save_dir`` is the run directory.
        machine: recorded in the state.
        data: recorded too; its number of steps is part of a numbered checkpoint's name, as in mindcv.
        network: whose weights the checkpoints hold.
        step: holds network and optimizer.
        split: the training images; its classes are written to ``classes.json``, and the validation images that were
            drawn from them to ``split.json``.
        locks: keeps other processes out of the run directory; one that is made anew is locked too.
        tell: shows people a line.
    """

    def __init__(
        self,
        config: Config,
        machine: Machine,
        data: Data,
        network: nn.Cell,
        step: nn.Cell,
        split: Split,
        locks: ExitStack,
        tell: Callable[[str], None],
    ) -> None:
        self.config = config
        self.network = network
        self.step = step
        self.circumstances = Circumstances(config.record(), machine, data)
        self.folder = Path(config.ckpt_save_dir)
        self.best, self.last, self.state, self.log = run_paths(self.folder, config.network)
        self.classes = Classes(split.class_names, split.class_to_index)
        self.held_out = split.held_out
        self.locks = locks
        self.tell = tell
        self.writes = current().is_first
        self.saved: os.stat_result | None = None  # the state's file as it was written

    def lock(self) -> None:
        """Make the run directory, if need be, and keep other processes out of it.

        Raises:
            UserError: another process is in it, or it cannot be made.
        """
        if self.writes:
            self.locks.enter_context(exclusive(self.folder))
            self.locked = self.folder.stat()

    def begin(self, progress: Progress, resumed: Path | None, *, is_rewound: bool = False) -> None:
        """Write what is known before the first step.

        Args:
            progress: where the training begins.
            resumed: the state that the training goes on from. One of another folder brings its checkpoints along;
                None replaces what another run has left here.
            is_rewound: the training goes on from an earlier epoch than that state's, so the last checkpoint is the
                network as it is now.
        """
        if not self.writes:
            return
        if resumed and resumed.parent.resolve() != self.folder.resolve():
            self._bring_checkpoints(progress, resumed.parent)
        self._refuse_nan()
        self._save(progress)
        if is_rewound:
            save_checkpoint(self.network, self.last, self._metadata(progress.epoch))
        if resumed is None:
            for path in run_files(self.folder, self.config.network):
                if path != self.state:
                    _remove(path)
        self._write_texts(progress)

    def mend(self, progress: Progress) -> None:
        """Write anew what another process has deleted since the state was saved last, but for the state, and tell.

        The best checkpoint so far cannot be written again: the best epoch is counted anew in ``progress``.

        Raises:
            RunError: another run has taken the place of this one.
            UserError: the run directory cannot be written, or another process is at work in it.
        """
        if not self.writes or self.saved is None or _is_same(self.saved, self.state):
            return
        if not _is_same(self.locked, self.folder):
            self.lock()
        if self.state.is_file() and (other := _circumstances(self.state)):
            if other != self.circumstances:
                raise RunError(f"{self.folder} holds another run now, which is not written over: choose another folder")
            return  # a copy of this run
        lost = "its files"
        if progress.best_epoch and not self.best.is_file():
            progress.best_top1 = progress.best_epoch = None
            lost += ", the best checkpoint too (the best epoch is counted anew),"
        self.tell(f"note: {self.folder} was deleted or emptied: {lost} are gone; what can be is written anew")
        self._write_texts(progress)
        save_checkpoint(self.network, self.last, self._metadata(progress.epoch))

    def end_epoch(self, progress: Progress, is_best: bool) -> None:
        """Write the checkpoints, the log and the state after an epoch whose row is the last of ``progress.rows``.

        Raises:
            RunError: a weight is not a number; nothing is written.
            UserError: a file cannot be written.
        """
        self._refuse_nan()
        if not self.writes:
            return
        metadata = self._metadata(progress.epoch)
        if is_best:
            save_checkpoint(self.network, self.best, metadata)
        save_checkpoint(self.network, self.last, metadata)
        config = self.config
        if config.keep_checkpoint_max and progress.epoch % config.ckpt_save_interval == 0:
            save_checkpoint(self.network, self._numbered(progress.epoch), metadata)
            model = glob.escape(config.network)
            for epoch in self._superseded(progress.rows):  # of any number of ranks
                for path in self.folder.glob(numbered_name(model, epoch, "*")):
                    _remove(path)
        self._write_log(progress.rows)
        self._save(progress)

    def save_state(self, progress: Progress) -> None:
        """Write the training state alone; raises as :meth:`end_epoch` and :meth:`mend`."""
        self._refuse_nan()
        if self.writes:
            self.mend(progress)
            self._save(progress)

    def _save(self, progress: Progress) -> None:
        save_state(self.state, self.step, progress, self.circumstances)
        self.saved = self.state.stat()

    def diverged(self, what: str) -> RunError:
        """Return the error of a training that went astray."""
        return RunError(
            f"{what}; try a lower --lr, more --warmup_epochs or --clip_grad."
            f" {self.state} holds the last state that was saved"
        )

    def _refuse_nan(self) -> None:
        name = first_non_finite(self.step)
        if name is not None:
            raise self.diverged(f"{name} became NaN or infinite")

    def _bring_checkpoints(self, progress: Progress, folder: Path) -> None:
        """Copy the best and the last checkpoint of the run that is gone on with."""
        if not (folder / self.best.name).is_file():
            progress.best_top1 = progress.best_epoch = None
        for path in (self.best, self.last) if progress.best_epoch else (self.last,):
            if (folder / path.name).is_file():
                with open(folder / path.name, "rb") as source, atomic_write(path) as target:
                    shutil.copyfileobj(source, target)

    def _metadata(self, epoch: int) -> Metadata:
        return metadata_of(self.config, self.classes, epoch)

    def _numbered(self, epoch: int) -> Path:
        return self.folder / numbered_name(self.config.network, epoch, self.circumstances.data.steps_per_epoch)

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
        _write_text(self.folder / OPTIONS_FILE, yaml.safe_dump(self.config.record(), sort_keys=False))
        _write_text(self.folder / CLASSES_FILE, json.dumps(self.classes._asdict(), indent=1))
        if self.held_out:
            _write_text(self.folder / SPLIT_FILE, json.dumps(self.held_out._asdict(), indent=1))
        self._write_log(progress.rows)

    def _write_log(self, rows: Sequence[Row]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))
        _write_text(self.log, text.getvalue())


def check_folder(config: Config) -> None:
    """Refuse to start a new run where another one lies, or where it would delete the checkpoint that it starts from.

    Raises:
        UserError: the folder holds a run and ``overwrite`` is not set, or it is no folder.
    """
    folder = Path(config.ckpt_save_dir)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder; choose another --ckpt_save_dir")
    files = run_files(folder, config.network)
    if files and not config.overwrite:
        raise UserError(
            f"{folder} already holds a run ({files[0].name}): go on with it by --resume_opt,"
            " replace it by --overwrite, or choose another --ckpt_save_dir"
        )
    if config.ckpt_path and Path(config.ckpt_path).resolve() in [path.resolve() for path in files]:
        raise UserError(f"--overwrite would delete {config.ckpt_path}; choose another --ckpt_save_dir")


def _is_same(before: os.stat_result, path: Path) -> bool:
    """Whether a file, or a folder, is still the one that it was; what a folder holds does not matter."""
    try:
        now = path.stat()
    except OSError:
        return False
    if stat.S_ISDIR(now.st_mode):
        return os.path.samestat(before, now)
    return (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


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


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode())
