"""How a training ended."""

from dataclasses import dataclass
from pathlib import Path

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.training.record.state import Progress


@dataclass(frozen=True)
class TrainResult:
    """How a training ended, and which of its files are there.

    Attributes:
        model: its name.
        epochs: how many are done.
        best_top1: the highest validation top-1, in percent; None without validation.
        best_epoch: the epoch that reached it, from 1 on.
        training_time: seconds of all epochs.
        best_checkpoint: the weights of the best epoch.
        last_checkpoint: the weights of the last epoch.
        training_state: everything that is needed to resume.
        log: the table of the epochs, CSV.
        report: the page with curves, confusion matrices and calibration, HTML.
    """

    model: str
    epochs: int
    best_top1: float | None
    best_epoch: int | None
    training_time: float
    best_checkpoint: Path | None
    last_checkpoint: Path | None
    training_state: Path | None
    log: Path | None
    report: Path | None


def result_of(config: Config, folder: Path, progress: Progress) -> TrainResult:
    """Return the result of a run that has come so far, with those of its files that are in a folder."""
    directory, model = RunDirectory(folder), config.model_name.model

    def found(path: Path) -> Path | None:
        return path if path.is_file() else None

    return TrainResult(
        model=config.model,
        epochs=progress.epoch,
        best_top1=progress.best_top1,
        best_epoch=progress.best_epoch,
        training_time=sum(row.seconds for row in progress.rows),
        best_checkpoint=found(directory.best(model)) if progress.best_epoch else None,
        last_checkpoint=found(directory.last(model)),
        training_state=found(directory.state(model)),
        log=found(directory.log),
        report=found(directory.report),
    )
