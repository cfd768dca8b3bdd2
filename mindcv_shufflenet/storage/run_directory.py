"""The run directory: the names of its files, and what they tell of the run.

Other programs have files of the same names. Their content shows that they are not ours; a note names them.
"""

import glob
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import load_yaml, parse_config
from mindcv_shufflenet.storage.files import begins_with
from mindcv_shufflenet.storage.text import normal, read_json

OPTIONS_FILE = "config.yaml"
CLASSES_FILE = "classes.json"
SPLIT_FILE = "split.json"
LOG_FILE = "log.csv"
REPORT_FILE = "report.html"
# The tables beside a report: confusion matrices of the validation and of the training images, figures of each class.
CONFUSION_FILE, TRAIN_CONFUSION_FILE, CLASS_SCORES_FILE = "confusion.csv", "confusion_train.csv", "per_class.csv"
_REPORT = (REPORT_FILE, CONFUSION_FILE, TRAIN_CONFUSION_FILE, CLASS_SCORES_FILE)
# What each of these files says within its first bytes. Files of other programs have the same names.
REPORT_MARKER = "mindcv_shufflenet report"
_MARKED_WITHIN = 100
# What follows the model in the name of its training state.
_STATE_ENDING = "-last.state"
_CHECKPOINT = re.compile(r"(?P<model>.+)-(?:(?P<word>best|last|ema)|(?P<epoch>\d{1,6})_(?P<steps>\d{1,12}))\.ckpt")

_TEXTS = (OPTIONS_FILE, CLASSES_FILE, SPLIT_FILE, LOG_FILE)

# The fingerprint of a run's config.yaml: these four options are in every one since the first, and in no other
# program's file. It is fixed: if it followed the schema, a new option would disown the runs that lack it.
_FINGERPRINT = {"model", "stem", "resize_backend", "ckpt_save_dir"}


class Classes(NamedTuple):
    """The classes that a network was trained on.

    Attributes:
        names: for people, the name of class ``i`` at position ``i``.
        indices: folder name, wnid or class name -> index; names are in Unicode's composed form. A network may have more
            classes than its data had.
    """

    names: tuple[str, ...]
    indices: dict[str, int]


class HeldOut(NamedTuple):
    """Validation images that were drawn from the training images.

    Attributes:
        ratio: of the drawing.
        seed: of the drawing.
        files: relative to the folder of the data set.
    """

    ratio: float
    seed: int
    files: tuple[str, ...]


class RunRecord(NamedTuple):
    """What a folder tells of the run in it.

    Attributes:
        folder: the run directory.
        options: of ``config.yaml``; None where there is none of ours.
        classes: of ``classes.json``; None where there is none of ours.
        notes: a line for each file that bears such a name and is not ours.
        held_out: of ``split.json``; None where there is none of ours.
    """

    folder: Path
    options: dict[str, Any] | None
    classes: Classes | None
    notes: list[str]
    held_out: HeldOut | None = None


class CheckpointName(NamedTuple):
    """What the name of a checkpoint tells.

    Attributes:
        model: whose weights it holds.
        word: ``best``, ``last`` or ``ema``; None for a numbered checkpoint.
        epoch: of a numbered checkpoint, else None.
        steps: of one epoch, likewise.
    """

    model: str
    word: str | None
    epoch: int | None
    steps: int | None

    @classmethod
    def parse(cls, name: str) -> "CheckpointName | None":
        """Split the name of a file; None if it is no checkpoint's."""
        found = _CHECKPOINT.fullmatch(name)
        if found is None:
            return None
        epoch, steps = (int(found[part]) if found[part] else None for part in ("epoch", "steps"))
        return cls(found["model"], found["word"], epoch, steps)


@dataclass(frozen=True)
class RunDirectory:
    """A folder in which a run keeps its files, and their paths, whether they are there or not.

    Attributes:
        folder: the folder, which need not be there.
    """

    folder: Path

    @property
    def options(self) -> Path:
        """The run's options."""
        return self.folder / OPTIONS_FILE

    @property
    def classes(self) -> Path:
        """Names and indices of the classes."""
        return self.folder / CLASSES_FILE

    @property
    def split(self) -> Path:
        """The validation images that were drawn from the training images."""
        return self.folder / SPLIT_FILE

    @property
    def log(self) -> Path:
        """The table of the epochs."""
        return self.folder / LOG_FILE

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's files."""
        return self.folder / "tensorboard"

    def events(self, model: str, second: int) -> Path:
        """A file of TensorBoard's scalars, begun at a second."""
        return self.tensorboard / _events_name(model, str(second))

    def event_files(self, model: str) -> list[Path]:
        """Return the files of TensorBoard's scalars that are there."""
        return sorted(self.tensorboard.glob(_events_name(glob.escape(model), "[0-9]*")))

    @property
    def report(self) -> Path:
        """The report, HTML."""
        return self.folder / REPORT_FILE

    def best(self, model: str) -> Path:
        """The weights of the epoch with the highest validation top-1."""
        return self.folder / f"{model}-best.ckpt"

    def last(self, model: str) -> Path:
        """The weights of the last epoch."""
        return self.folder / f"{model}-last.ckpt"

    def ema(self, model: str) -> Path:
        """The moving average of the weights after the last epoch."""
        return self.folder / f"{model}-ema.ckpt"

    def state(self, model: str) -> Path:
        """Everything that is needed to resume."""
        return self.folder / f"{model}{_STATE_ENDING}"

    def numbered(self, model: str, epoch: int, steps: int) -> Path:
        """The weights of an epoch of so many steps."""
        return self.folder / numbered_name(model, str(epoch), str(steps))

    def states(self) -> dict[str, Path]:
        """Return the training states that are there, by model."""
        return {self.model_of(path): path for path in sorted(self.folder.glob(f"*{_STATE_ENDING}"))}

    @staticmethod
    def model_of(state: Path) -> str:
        """Return the model of a training state."""
        return state.name.removesuffix(_STATE_ENDING)

    def numbered_files(self, model: str, epoch: int | None = None) -> list[Path]:
        """Return the numbered checkpoints that are there, of one epoch or of all, whatever their number of steps."""
        pattern = numbered_name(glob.escape(model), "[0-9]*" if epoch is None else str(epoch), "[0-9]*")
        return sorted(self.folder.glob(pattern))

    def files(self, model: str) -> list[Path]:
        """Return the files of a run of a model that are there."""
        paths = (
            self.options,
            self.classes,
            self.split,
            self.log,
            self.state(model),
            self.last(model),
            self.ema(model),
            self.best(model),
        )
        there = [path for path in paths if os.path.lexists(path)]
        return there + self.numbered_files(model) + self.event_files(model)

    def report_files(self) -> list[Path]:
        """Return the files of the run's report that are there; one of another program with such a name is none."""
        return [path for path in (self.folder / name for name in _REPORT) if is_of_report(path)]

    @property
    def is_run(self) -> bool:
        """Whether the folder holds a run."""
        return all(path.is_file() for path in (self.options, self.classes, self.log))

    def writes(self, checkpoint: str) -> bool:
        """Whether the folder holds a run, which writes or deletes checkpoints of this name."""
        return self.is_run and CheckpointName.parse(checkpoint) is not None

    def read(self) -> RunRecord:
        """Read what the files tell of the run; nothing that lies there is an error."""
        classes, held_out = _read_classes(self.classes), _read_held_out(self.split)
        reasons = dict.fromkeys((self.options, self.classes, self.split), "it is damaged, or another program's")
        options = None
        try:
            options = _read_options(self.options)
        except UserError as error:
            reasons[self.options] = str(error)
        found = {self.options: options, self.classes: classes, self.split: held_out}
        notes = [
            f"{path} is not read: {reasons[path]}"
            for path, content in found.items()
            if content is None and path.is_file()
        ]
        return RunRecord(self.folder, options, classes, notes, held_out)


def _events_name(model: str, second: str) -> str:
    """The name of a file of TensorBoard's scalars, which knows it by the first words; or a pattern of such names."""
    return f"events.out.tfevents.{second}.{model}"


def numbered_name(model: str, epoch: str, steps: str) -> str:
    """Return the name of a numbered checkpoint, as mindcv has it; or a pattern of such names."""
    return f"{model}-{epoch}_{steps}.ckpt"


def is_of_report(path: Path) -> bool:
    """Return whether a file is empty, or the page or a table of a report."""
    return path.is_file() and begins_with(path, REPORT_MARKER.encode(), _MARKED_WITHIN)


def is_run_file(name: str) -> bool:
    """Whether a file of this name may belong to a run of some model."""
    return any(fnmatch(name, pattern) for pattern in (*_TEXTS, "*.ckpt", "*.state"))


def read_run_of(ckpt_path: str) -> RunRecord:
    """Read what lies beside a checkpoint; an empty path has nothing beside it."""
    return RunDirectory(Path(ckpt_path).parent).read() if ckpt_path else RunRecord(Path(), None, None, [])


def _read_options(path: Path) -> dict[str, Any] | None:
    """The options of a run; None where there are none of ours.

    Raises:
        UserError: they are ours, and one of them is not what this version takes.
    """
    if not path.is_file():
        return None
    try:
        options = load_yaml(path)
    except UserError:
        return None
    if not options.keys() >= _FINGERPRINT:
        return None
    parse_config(options, is_recorded=True)
    return options


def _read_classes(path: Path) -> Classes | None:
    content = read_json(path)
    try:
        return classes_of(content.get("names"), content.get("indices"))
    except ValueError:
        return None


def _read_held_out(path: Path) -> HeldOut | None:
    content = read_json(path)
    ratio, seed, files = content.get("ratio"), content.get("seed"), content.get("files")
    if not (isinstance(ratio, float) and isinstance(seed, int) and isinstance(files, list)):
        return None
    return HeldOut(ratio, seed, tuple(files)) if all(isinstance(file, str) for file in files) else None


def classes_of(names: Any, indices: Any) -> Classes:
    """Check classes that were read from a file.

    Raises:
        ValueError: they are not a list of names, and a table of indices of those classes.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("names is no list of names")
    if not isinstance(indices, dict) or not all(type(index) is int for index in indices.values()):
        raise ValueError("indices is no table of indices")
    if len({*indices.values()} & {*range(len(names))}) != len(indices):
        raise ValueError("indices are not of those names")
    return Classes(tuple(names), {normal(name): index for name, index in indices.items()})
