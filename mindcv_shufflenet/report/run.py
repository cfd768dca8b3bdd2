"""A run as a report sees it: what its run directory tells, read while the training goes on or after it."""

import csv
import io
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.models.registry import network_class
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.tables import names_of, options_of, read_by
from mindcv_shufflenet.storage.files import exclusive
from mindcv_shufflenet.storage.run_directory import RunDirectory

_logger = logging.getLogger(__name__)

# Options that differ from their defaults on every run, and say nothing of its recipe.
_NO_RECIPE = {*names_of("machine", "command"), "model", "num_classes", "ckpt_save_dir"}
# Options that say whose weights the training started from. A report evaluates those that it has saved.
_FIRST_WEIGHTS = {"pretrained", "ckpt_path", "ckpt_key"}


class Epoch(NamedTuple):
    """A line of ``log.csv``; None where a column is empty, missing or no finite number.

    Attributes:
        epoch: its number, from 1 on.
        lr: learning rate of its last step.
        train_loss: mean loss.
        train_top1: percent.
        val_loss: mean cross entropy in nats.
        val_top1: percent.
        val_top5: percent.
        ema_top1: of the average of the weights, percent.
        images_per_second: of the training.
        seconds: that it took.
    """

    epoch: int
    lr: float | None = None
    train_loss: float | None = None
    train_top1: float | None = None
    val_loss: float | None = None
    val_top1: float | None = None
    val_top5: float | None = None
    ema_top1: float | None = None
    images_per_second: float | None = None
    seconds: float | None = None

    @property
    def is_average_better(self) -> bool:
        """Whether the average of the weights has the higher top-1, so that the best checkpoint would hold it."""
        return self.ema_top1 is not None and self.ema_top1 > (self.val_top1 or 0.0)

    @property
    def score(self) -> float | None:
        """The higher one of the validated top-1 of the weights and of their average, in percent."""
        scores = [score for score in (self.val_top1, self.ema_top1) if score is not None]
        return max(scores, default=None)


@dataclass(frozen=True)
class Run:
    """A run directory that was read.

    Attributes:
        directory: its files.
        options: of ``config.yaml``.
        config: the same, checked.
        epochs: of ``log.csv``, in their order.
        is_running: whether another process is at work in the directory.
    """

    directory: RunDirectory
    options: dict[str, Any]
    config: Config
    epochs: list[Epoch]
    is_running: bool

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.directory.folder.resolve().name

    @property
    def best(self) -> Epoch | None:
        """The first epoch with the highest score; None if none was validated."""
        scored = [epoch for epoch in self.epochs if epoch.score is not None]
        return max(scored, key=lambda epoch: epoch.score or 0.0, default=None)

    @property
    def has_stopped_early(self) -> bool:
        """Whether ``early_stopping`` has ended the run: it is validated, and its best epoch is so far back."""
        best, last, patience = self.best, self.epochs[-1], self.config.early_stopping
        return bool(patience and best and last.score is not None and last.epoch - best.epoch >= patience)

    @property
    def checkpoint(self) -> Path | None:
        """The weights that are evaluated: the best ones, else the last ones; None if there are none yet."""
        model = self.config.model_name.model
        paths = (self.directory.best(model), self.directory.last(model))
        return next((path for path in paths if path.is_file()), None)

    @property
    def seconds(self) -> float:
        """Time of all epochs."""
        return sum(epoch.seconds or 0.0 for epoch in self.epochs)

    @property
    def images_per_second(self) -> float | None:
        """The median of the epochs. The first one compiles; a mean would follow it."""
        speeds = sorted(epoch.images_per_second for epoch in self.epochs if epoch.images_per_second is not None)
        return speeds[len(speeds) // 2] if speeds else None

    def values(self, read: Callable[[Epoch], float | None]) -> list[tuple[float, float]]:
        """Return ``(epoch, value)`` of the epochs that have a value."""
        pairs = [(epoch.epoch, read(epoch)) for epoch in self.epochs]
        return [(number, value) for number, value in pairs if value is not None]

    def recipe(self) -> dict[str, tuple[Any, Any]]:
        """Return the options of the recipe that differ from their defaults: value and default, by name.

        The default of a network option is that of the model.
        """
        model = self.config.model_name.model
        defaults = {name: field.default for name, field in Config.model_fields.items()}
        defaults |= find_family(model).resolve(model, {}) | {"drop_rate": network_class(model).default_drop_rate}
        values = {name: getattr(self.config, name) for name in options_of() if name not in _NO_RECIPE}
        return {name: (value, defaults[name]) for name, value in values.items() if value != defaults[name]}

    def evaluation_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that evaluate the checkpoint as the training validates it.

        ONNX Runtime computes, unless the options name another engine: it needs no compilation.

        Args:
            options: that go before those of the run, by name.
        """
        own = {name: self.options[name] for name in read_by("validate") if name in self.options}
        own = {name: value for name, value in own.items() if name not in _FIRST_WEIGHTS}
        weights = {"ckpt_path": str(self.checkpoint), "engine": "onnxruntime", "eval_shuffle": False}
        return {**own, **weights, "num_samples": None, **options}

    def changed_by(self, options: Mapping[str, Any]) -> list[str]:
        """Return the names of those options that make the validation images others than the training has validated."""
        given = parse_config({**self.options, **options}, is_recorded=True)
        names = names_of("data", "preprocessing")
        return [name for name in names if getattr(given, name) != getattr(self.config, name)]


def read_run(folder: Path) -> Run:
    """Read a run directory; what lies there and is not the run's is logged.

    Raises:
        UserError: it is no run directory, or holds no finished epoch.
    """
    directory = RunDirectory(folder)
    if not directory.log.is_file():
        raise UserError(f"{folder} has no {directory.log.name}: give the folder of a run, its --ckpt_save_dir")
    record = directory.read()
    if record.options is None:
        raise UserError(f"{folder} has no {directory.options.name} of a run here: {'; '.join(record.notes) or 'none'}")
    epochs = read_log(directory.log)
    if not epochs:
        raise UserError(f"{directory.log} has no finished epoch yet: wait for the first one")
    for note in record.notes:
        _logger.info(note)
    config = parse_config(record.options, is_recorded=True)
    return Run(directory, record.options, config, epochs, is_locked(folder))


def read_log(path: Path) -> list[Epoch]:
    """Read the epochs of a ``log.csv``; columns that are not known are left out.

    Raises:
        UserError: it cannot be read, or a part of it is missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            raise ValueError("its last line is cut off")
        return [_epoch(row) for row in csv.DictReader(io.StringIO(text))]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}; copy the run again, or give another") from error


def _epoch(row: dict[str | None, str | None]) -> Epoch:
    """The figures of a line; columns that are empty or not known are left out, and so is what is not finite.

    Raises:
        ValueError: a figure is no number, a part of the line is missing, or the epoch has none.
    """
    if None in row or None in row.values():
        raise ValueError("a line has not as many columns as the head")
    filled = {name: text for name, text in row.items() if text}
    if "epoch" not in filled:
        raise ValueError("a line has no epoch")
    figures = {name: float(filled[name]) for name in Epoch._fields if name in filled and name != "epoch"}
    return Epoch(int(filled["epoch"]), **{name: value for name, value in figures.items() if math.isfinite(value)})


def is_locked(folder: Path) -> bool:
    """Return whether another process is at work in a run directory."""
    try:
        with exclusive(folder):
            return False
    except UserError:
        return True
