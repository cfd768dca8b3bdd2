"""What every data-set reader is asked and hands back, and the listing of files that the readers share."""

import codecs
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import Classes, HeldOut, is_run

# The file types that are images of a data set; torchvision's list and a few more names of the same kinds.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

# Files that desktops leave behind unasked; nobody means them to be data.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})
# What a Mac puts into a zip archive beside the files.
_LITTER_FOLDER = "__MACOSX"


@dataclass(frozen=True, eq=False)
class Records:
    """Image files in MindRecord files.

    Attributes:
        files: in the order of their records.
        rows: the records that are meant, counted over all files, ``[N] int64``.
        checksum: of all records in the files, as the manifest tells it.
    """

    files: tuple[str, ...]
    rows: np.ndarray
    checksum: str

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: np.ndarray) -> "Records":
        return Records(self.files, self.rows[chosen], self.checksum)


@dataclass(frozen=True)
class Request:
    """Which split of a data set is wanted, and what decides about it.

    Attributes:
        data_dir: the data set's folder. Without meaning for ``digits``.
        split: the one that is wanted: ``train_split``, ``val_split`` or another that the data set has.
        train_split: the split that fixes the class indices of a ``folder`` data set.
        val_split: the validation split. The name ``val`` stands for whatever the data set has for it.
        val_ratio: share of the images that is held out where a ``folder`` data set has no validation split; None: none.
        seed: of the drawing of these images.
        classes: of the run whose weights are to be used; they decide the class indices of a ``folder`` data set.
        held_out: the images that this run has held out; used in the place of a new drawing.
    """

    data_dir: Path
    split: str
    train_split: str = "train"
    val_split: str = "val"
    val_ratio: float | None = None
    seed: int = 42
    classes: Classes | None = None
    held_out: HeldOut | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a data set, not decoded.

    Attributes:
        images: the files in a fixed order, or the records of packed files, or the pixels ``[N, H, W, 3] uint8`` where
            they are at hand.
        labels: class indices ``[N] int32``, in the order of ``images``.
        class_names: the name of class ``i`` at position ``i``. Names for people: ImageNet has two called ``crane``.
        class_to_index: folder name, wnid or class name -> index. One entry a class that the data set has.
        notes: lines for the user.
        held_out: the validation images, where they were drawn from the training images.
        dataset: the data set that this is read as, where it is another than was asked for.
        is_guess: class indices are positions among the folders of a split that is not the training split, since
            nothing else tells them.
    """

    images: list[Path] | Records | np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    class_to_index: dict[str, int]
    notes: tuple[str, ...] = ()
    held_out: HeldOut | None = None
    is_guess: bool = False
    dataset: str | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """The number of classes of the data set, also of those that this split has no image of."""
        return len(self.class_names)


def split_checksum(split: Split, data_dir: str | os.PathLike[str]) -> str:
    """Return a word that differs where a file of the split is another, has another size or is of another class.

    Args:
        split: whose files are looked up but not opened; of pixels at hand the shape counts, of records the manifest.
        data_dir: the data set's folder. It may be moved: paths count from there.

    Raises:
        UserError: a file is gone.
    """
    images = split.images
    if isinstance(images, Records):
        content: list[object] = [images.checksum, images.rows.tolist()]
    elif isinstance(images, np.ndarray):
        content = [images.shape]
    else:
        try:
            content = [[os.path.relpath(path, data_dir), path.stat().st_size] for path in images]
        except OSError as error:
            raise UserError(f"cannot read {error.filename}: {error.strerror}; look at the data set") from error
    text = json.dumps([content, split.labels.tolist(), split.class_to_index])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class Listing(NamedTuple):
    """The files of a folder, sorted.

    Attributes:
        images: what has an image's suffix.
        strangers: what has not.
    """

    images: list[Path]
    strangers: list[Path]


def told_strangers(strangers: Collection[Path]) -> tuple[str, ...]:
    """A line that counts the files that are passed over; none where there are none."""
    if not strangers:
        return ()
    files = (
        "1 file without an image's suffix is"
        if len(strangers) == 1
        else (f"{len(strangers)} files without an image's suffix are")
    )
    return (f"{files} passed over (first: {min(strangers)})",)


def read_text(path: Path) -> str:
    """The text of a list, as editors of all systems write it: with or without a byte order mark, any line ends.

    Raises:
        UserError: it cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path} as text: {error}; check the file and its permissions") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_folder(data_dir: Path, split: str, layout: str, why: str = "") -> Path:
    """The folder of a split; ``why`` tells what keeps ``data_dir`` from being read without one.

    Raises:
        UserError: ``data_dir`` or the split's folder is not there; the text names the ``layout`` that is expected.
    """
    if not data_dir.is_dir():
        raise UserError(f"no folder {data_dir}: --data_dir must name a folder that holds {layout}")
    folder = data_dir / split
    if not folder.is_dir():
        there = ", ".join(list_folders(data_dir)[:10]) or "none"
        raise UserError(
            f"no folder {folder} (folders in {data_dir}: {there}{why}): give --data_dir a folder that holds {layout};"
            " --train_split and --val_split take other names"
        )
    return folder


def list_folders(folder: Path) -> list[str]:
    """The names of the folders in ``folder``, sorted, but for hidden ones, archives' litter, and run directories."""
    with _scan(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    return sorted(name for name in names if name != _LITTER_FOLDER and not is_run(folder / name))


def holds_images(folder: Path, depth: int = 3) -> bool:
    """Whether an image lies in ``folder`` or in the folders below it, as many levels as ``depth`` says."""
    with _scan(folder) as entries:
        if any(_has_suffix(entry.name, IMAGE_SUFFIXES) for entry in entries if not entry.name.startswith(".")):
            return True
    return depth > 0 and any(holds_images(folder / name, depth - 1) for name in list_folders(folder))


def list_images(folder: Path, recursive: bool = True, suffixes: Collection[str] = IMAGE_SUFFIXES) -> Listing:
    """The files in ``folder``, and in the folders below it if ``recursive``, images and others.

    Hidden files and folders, ``Thumbs.db`` and ``desktop.ini`` are left out. No file is opened, and none is looked up
    on its own, so a million files take a few seconds.

    Raises:
        UserError: a folder cannot be read, or a link leads back to a folder above it.
    """
    images: list[str] = []
    strangers: list[str] = []
    folders = [str(folder)]
    while folders:
        _list_one(folders.pop(), images, strangers, folders if recursive else None, suffixes)
    return Listing([Path(name) for name in sorted(images)], [Path(name) for name in sorted(strangers)])


def _list_one(
    folder: str, images: list[str], strangers: list[str], folders: list[str] | None, suffixes: Collection[str]
) -> None:
    """Sort the entries of one folder into the three lists."""
    with _scan(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            is_image = _has_suffix(name, suffixes)
            # A link with an image's name is taken for a file: to follow it would cost a look-up a file.
            if entry.is_dir(follow_symlinks=not is_image):
                if folders is not None:
                    folders.append(_not_above(entry))
            elif is_image:
                images.append(entry.path)
            elif name.lower() not in _LITTER:
                strangers.append(entry.path)


def _has_suffix(name: str, suffixes: Collection[str]) -> bool:
    return name[name.rfind(".") :].lower() in suffixes


def _not_above(entry: os.DirEntry[str]) -> str:
    """The path of a folder to go down into, unless it is a link that leads back up and so would never end."""
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        parent = Path(entry.path).parent.resolve()
        if target in (parent, *parent.parents):
            raise UserError(f"{entry.path} is a link to a folder above itself ({target}): remove the link")
    return entry.path


def _scan(folder: str | Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """``os.scandir`` over names as text, with its failure told to the user."""
    try:
        return os.scandir(os.fspath(folder))
    except OSError as error:
        raise UserError(f"cannot list the folder {folder}: {error.strerror}; check its permissions") from error
