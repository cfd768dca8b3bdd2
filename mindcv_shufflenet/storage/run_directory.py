"""The files of a run directory: their names, and what they tell of the run.

Other programs have files of the same names. They are told from ours by their content, passed over, and named.
"""

import glob
import json
import os
import re
import unicodedata
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import load_yaml, parse_config

OPTIONS_FILE = "config.yaml"
CLASSES_FILE = "classes.json"
SPLIT_FILE = "split.json"
LOG_FILE = "log.csv"
# What follows the model in the name of its training state.
STATE_ENDING = "-last.state"
# A checkpoint's name, which may be read from anywhere.
CHECKPOINT = re.compile(r"(?P<model>.+)-(?:(?P<word>best|last)|(?P<epoch>\d{1,6})_(?P<steps>\d{1,12}))\.ckpt")

_TEXTS = (OPTIONS_FILE, CLASSES_FILE, SPLIT_FILE, LOG_FILE)

# Options that every run writes, and that no other program's file has all of.
_OWN = {"model", "stem", "resize_backend", "ckpt_save_dir"}


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


class RunPaths(NamedTuple):
    """Where a run directory keeps what a training ends with, whether it is there or not."""

    best: Path
    last: Path
    state: Path
    log: Path


def run_paths(folder: Path, model: str) -> RunPaths:
    """Return the paths of a run of a model."""
    names = (f"{model}-best.ckpt", f"{model}-last.ckpt", f"{model}{STATE_ENDING}", LOG_FILE)
    return RunPaths(*(folder / name for name in names))


def numbered_name(model: str, epoch: int | str, steps: int | str) -> str:
    """Return the name of the checkpoint of an epoch of so many steps, as in mindcv."""
    return f"{model}-{epoch}_{steps}.ckpt"


def run_files(folder: Path, model: str) -> list[Path]:
    """Return the files of a run of a model that are there."""
    paths = run_paths(folder, model)
    own = [paths.state, paths.last, paths.best]
    numbers = sorted(folder.glob(numbered_name(glob.escape(model), "[0-9]*", "[0-9]*")))
    return [path for path in (*(folder / name for name in _TEXTS), *own) if os.path.lexists(path)] + numbers


def is_run_file(name: str) -> bool:
    """Whether a file of this name may belong to a run of some model."""
    return any(fnmatch(name, pattern) for pattern in (*_TEXTS, "*.ckpt", "*.state"))


def is_run(folder: Path) -> bool:
    """Whether a folder is a run directory."""
    return all((folder / name).is_file() for name in (OPTIONS_FILE, CLASSES_FILE, LOG_FILE))


def read_run(folder: Path) -> RunRecord:
    """Read what lies in a folder; nothing that lies there is an error."""
    classes, held_out = _read_classes(folder / CLASSES_FILE), _read_held_out(folder / SPLIT_FILE)
    reasons = dict.fromkeys((OPTIONS_FILE, CLASSES_FILE, SPLIT_FILE), "it is damaged, or another program's")
    options = None
    try:
        options = _read_options(folder / OPTIONS_FILE)
    except UserError as error:
        reasons[OPTIONS_FILE] = str(error)
    found = {OPTIONS_FILE: options, CLASSES_FILE: classes, SPLIT_FILE: held_out}
    notes = [
        f"{folder / name} is not read: {reasons[name]}"
        for name, content in found.items()
        if content is None and (folder / name).is_file()
    ]
    return RunRecord(folder, options, classes, notes, held_out)


def read_run_of(ckpt_path: str) -> RunRecord:
    """Read what lies beside a checkpoint; an empty path has nothing beside it."""
    return read_run(Path(ckpt_path).parent) if ckpt_path else RunRecord(Path(), None, None, [])


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
    if not options.keys() >= _OWN:
        return None
    parse_config(options)
    return options


def read_json(path: Path) -> dict[str, Any]:
    """The table in a JSON file; an empty one where the file is missing, damaged, or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


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


def normal(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), since macOS writes an accent as a letter of its own."""
    return unicodedata.normalize("NFC", name)


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
