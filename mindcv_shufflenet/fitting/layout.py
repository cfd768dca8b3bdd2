"""The folder that fitting leaves: its files, and the small copies of the photos by split and class."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mindcv_shufflenet.fitting.photos import Photos
from mindcv_shufflenet.storage.files import atomic_write_csv, atomic_write_text
from mindcv_shufflenet.storage.run_directory import RunDirectory

# The folders of the copies of either split.
_TRAIN, _VAL = "train", "val"
# What the name of the folder begins with in which the copies lie at first.
COPIES = ".shufflenet-photos-"
# The folder in which an earlier fit waits for its successor, and the one through which it goes there and back.
_EARLIER, _MOVING = ".shufflenet-earlier", ".shufflenet-moving"
# The file that tells that the others are a fit's; it names the model.
_MARKER = ".shufflenet-fit"
# The head of the table of the photos.
_HEAD = ("photo", "class", "split", "group", "margin", "copy")


@dataclass(frozen=True)
class FitFolder:
    """A folder of a fit, and the paths of its files, whether they are there or not.

    Attributes:
        folder: the folder.
        model: name of the network.
    """

    folder: Path
    model: str

    @property
    def photos(self) -> Path:
        """The small copies, a data set of class folders."""
        return self.folder / "photos"

    @property
    def train_photos(self) -> Path:
        """Those of them that are trained on."""
        return self.photos / _TRAIN

    @property
    def training(self) -> Path:
        """The run directory of the training."""
        return self.folder / "training"

    @property
    def head(self) -> Path:
        """The weights with the first classifier, on features that were not trained."""
        return self.folder / "first" / f"{self.model}.ckpt"

    @property
    def checkpoint(self) -> Path:
        """The weights that are kept."""
        return self.folder / f"{self.model}.ckpt"

    @property
    def onnx(self) -> Path:
        """The network for ONNX Runtime."""
        return self.folder / f"{self.model}.onnx"

    @property
    def int8(self) -> Path:
        """The same in int8."""
        return self.folder / f"{self.model}-int8.onnx"

    @property
    def weights(self) -> tuple[Path, ...]:
        """The weights that are kept, and the exported files."""
        return self.checkpoint, self.onnx, self.int8

    @property
    def labels(self) -> Path:
        """The names of the classes, one a line."""
        return self.folder / "labels.txt"

    @property
    def script(self) -> Path:
        """The program that classifies photos with the ONNX files."""
        return self.folder / "classify.py"

    @property
    def issues(self) -> Path:
        """What is unusual about the photos, CSV."""
        return self.folder / "issues.csv"

    @property
    def sheet(self) -> Path:
        """The unusual photos as a picture."""
        return self.folder / "issues.png"

    @property
    def table(self) -> Path:
        """Each photo with its split and class, CSV."""
        return self.folder / "photos.csv"

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def is_fit(self) -> bool:
        """Whether the folder holds a fit, with the weights that it has kept."""
        fit = self._marked()
        return bool(fit and fit.checkpoint.is_file())

    @property
    def is_free(self) -> bool:
        """Whether a fit may write here: there is an earlier one, what a killed one has left, or nothing."""
        names = [path.name for path in self.folder.iterdir()]
        return any(name in (_MARKER, _EARLIER, _MOVING) for name in names) or all(
            name.startswith(COPIES) for name in names
        )

    def mark(self) -> None:
        """Tell that the folder holds this fit, before anything else of it is written."""
        atomic_write_text(self.folder / _MARKER, f"{self.model}\n")

    def _marked(self) -> "FitFolder | None":
        """The fit that the marker tells of, of this model or of another."""
        marker = self.folder / _MARKER
        return FitFolder(self.folder, marker.read_text().strip()) if marker.is_file() else None

    def recover(self) -> None:
        """Remove copies that a killed fit has left; a fit that it had put aside is dropped or there again."""
        for path in self.folder.glob(f"{COPIES}*"):
            shutil.rmtree(path)
        self._settle()

    @contextmanager
    def successor(self) -> Iterator[None]:
        """Put an earlier fit aside, while another one is made: it is dropped if that leaves weights, and else restored.

        Nothing but what a fit has written is touched. It may be killed at any time: :meth:`recover` goes on.
        """
        try:
            self._put_aside()
            yield
        finally:
            self._settle()

    def _put_aside(self) -> None:
        paths, moving = self._files(), self.folder / _MOVING
        if not paths:
            return
        moving.mkdir()
        for path in paths:
            path.rename(moving / path.name)
        moving.rename(self.folder / _EARLIER)  # from now on it is complete

    def _settle(self) -> None:
        earlier, moving = self.folder / _EARLIER, self.folder / _MOVING
        if earlier.is_dir():
            if self.is_fit:
                shutil.rmtree(earlier)
                return
            for path in self._files():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            earlier.rename(moving)
        if moving.is_dir():  # some of it may be in its place already
            for path in moving.iterdir():
                path.rename(self.folder / path.name)
            moving.rmdir()

    def _files(self) -> list[Path]:
        """What a fit has left here, of this model or of another; the marker is the last."""
        fit = self._marked()
        if fit is None:
            return []
        paths = [*RunDirectory(self.folder).report_files(), *fit.weights, fit.photos, fit.training, fit.head.parent]
        paths += [fit.labels, fit.script, fit.issues, fit.sheet, fit.table, self.folder / _MARKER]
        return [path for path in dict.fromkeys(paths) if path.exists() or path.is_symlink()]


def sort_copies(files: FitFolder, photos: Photos, groups: np.ndarray, is_val: np.ndarray) -> list[Path]:
    """Move the copies to ``photos/SPLIT/CLASS``, list the photos and the classes, and return the new places.

    Args:
        files: of the fit.
        photos: whose copies they are.
        groups: number of the group of photos that look alike, ``[N]``.
        is_val: whether each is for validation, ``[N] bool``.
    """
    places = [
        files.photos / (_VAL if held else _TRAIN) / photos.class_names[label] / f"{number:06}.jpg"
        for number, (label, held) in enumerate(zip(photos.labels.tolist(), is_val.tolist(), strict=True))
    ]
    files.mark()
    write_photos(files, photos, groups, places, None)
    for copy, place in zip(photos.copies, places, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        copy.rename(place)
    atomic_write_text(files.labels, "".join(f"{name}\n" for name in photos.class_names))
    return places


def write_photos(
    files: FitFolder, photos: Photos, groups: np.ndarray, copies: Sequence[Path], margins: np.ndarray | None
) -> None:
    """Write the table of the photos.

    Args:
        files: of the fit.
        photos: all of them.
        groups: number of the group of photos that look alike, ``[N]``.
        copies: the small copy of each, in its place.
        margins: how sure each label is, ``[N]`` in -1..1; None: not known.
    """
    sure = [""] * len(photos) if margins is None else [f"{margin:.4f}" for margin in margins]
    rows = zip(photos.paths, photos.labels.tolist(), groups.tolist(), sure, copies, strict=True)
    atomic_write_csv(
        files.table,
        _HEAD,
        (
            (path, photos.class_names[label], copy.parent.parent.name, group, margin, copy.relative_to(files.folder))
            for path, label, group, margin, copy in rows
        ),
    )
