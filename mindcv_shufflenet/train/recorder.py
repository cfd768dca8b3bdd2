"""The run directory: what a training writes, in an order that a kill at any moment cannot spoil.

The training state is written last and is what counts: whatever else was written before it is written again, with the
same content, when the training is resumed from an older state.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from mindspore import nn

from mindcv_shufflenet.config import Config
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_write
from mindcv_shufflenet.parallel import Machine
from mindcv_shufflenet.train.state import Progress, save_state
from mindcv_shufflenet.weights.checkpoint import save_checkpoint

COLUMNS = (
    "epoch", "step", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5", "ema_top1",
    "images_per_second", "seconds",
)  # fmt: skip


class Recorder:
    """Writes the files of one run.

    Args:
        config: the resolved options; ``ckpt_save_dir`` is the run directory.
        machine: recorded in the state.
        network: whose weights the checkpoints hold.
        step: holds network and optimizer.
        steps_per_epoch: part of a numbered checkpoint's name, as in mindcv.
    """

    def __init__(self, config: Config, machine: Machine, network: nn.Cell, step: nn.Cell, steps_per_epoch: int) -> None:
        self.config = config
        self.machine = machine
        self.network = network
        self.step = step
        self.steps_per_epoch = steps_per_epoch
        self.folder = Path(config.ckpt_save_dir)
        self.best = self.folder / f"{config.model}-best.ckpt"
        self.last = self.folder / f"{config.model}-last.ckpt"
        self.state = state_path(self.folder, config.model)
        self.log = self.folder / "log.csv"

    def begin(self, progress: Progress, classes: dict[str, Any]) -> None:
        """Write what is known before the first step; a replaced run's own files go."""
        self.save_state(progress)
        for path in self._old_files(progress):
            path.unlink()
        with atomic_write(self.folder / "config.yaml") as file:
            file.write(yaml.safe_dump(self.config.recipe(), sort_keys=False).encode())
        with atomic_write(self.folder / "classes.json") as file:
            file.write(json.dumps(classes, ensure_ascii=False, indent=1).encode())
        self._write_log(progress.rows)

    def end_epoch(self, progress: Progress, is_best: bool) -> None:
        """Write the checkpoints, the log and the state after an epoch whose row is the last of ``progress.rows``."""
        if is_best:
            save_checkpoint(self.network, self.best)
        save_checkpoint(self.network, self.last)
        config = self.config
        if config.keep_checkpoint_max and progress.epoch % config.ckpt_save_interval == 0:
            save_checkpoint(self.network, self._numbered(progress.epoch))
            for epoch in self._superseded(progress.rows):
                self._numbered(epoch).unlink(missing_ok=True)
        self._write_log(progress.rows)
        self.save_state(progress)

    def save_state(self, progress: Progress) -> None:
        """Write the training state alone."""
        save_state(self.state, self.step, progress, self.config.recipe(), self.machine.as_dict())

    def _numbered(self, epoch: int) -> Path:
        return self.folder / f"{self.config.model}-{epoch}_{self.steps_per_epoch}.ckpt"

    def _superseded(self, rows: Sequence[dict[str, Any]]) -> list[int]:
        """The epochs whose numbered checkpoint the policy no longer keeps."""
        if self.config.ckpt_save_policy is None:
            return []
        rows = [row for row in rows if row["epoch"] % self.config.ckpt_save_interval == 0]
        epochs = [row["epoch"] for row in rows]
        if self.config.ckpt_save_policy == "top_k":
            top1 = {row["epoch"]: -1.0 if row["val_top1"] is None else row["val_top1"] for row in rows}
            epochs.sort(key=lambda epoch: (top1[epoch], epoch))
        return epochs[: -self.config.keep_checkpoint_max]

    def _write_log(self, rows: Sequence[dict[str, Any]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with atomic_write(self.log) as file:
            file.write(text.getvalue().encode())

    def _old_files(self, progress: Progress) -> list[Path]:
        """Files of a run that a new one, which has done nothing yet, replaces."""
        if progress.epoch or progress.step:
            return []
        return [path for path in _run_files(self.folder) if path != self.state]


def state_path(folder: Path, model: str) -> Path:
    """Return where a run directory keeps its training state."""
    return folder / f"{model}-last.state"


def check_folder(config: Config) -> None:
    """Refuse to start a new run where another one lies.

    Raises:
        UserError: the folder holds a run and ``overwrite`` is not set, or it is no folder.
    """
    folder = Path(config.ckpt_save_dir)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder; choose another --ckpt_save_dir")
    if not config.overwrite and (files := _run_files(folder)):
        raise UserError(
            f"{folder} already holds a run ({files[0].name}): go on with it by --resume_opt,"
            " replace it by --overwrite, or choose another --ckpt_save_dir"
        )


def _run_files(folder: Path) -> list[Path]:
    """The files that a run has written into a folder."""
    patterns = (
        "config.yaml",
        "classes.json",
        "log.csv",
        "*-last.state",
        "*-last.ckpt",
        "*-best.ckpt",
        "*-[0-9]*_[0-9]*.ckpt",
    )
    return [path for pattern in patterns for path in sorted(folder.glob(pattern))]
