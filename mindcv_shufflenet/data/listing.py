"""List folders and image files, without hidden files, desktop litter and run directories. No file is opened."""

import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.storage.run_directory import RunDirectory

# The file types that are images of a data set; torchvision's list and a few more names of the same kinds.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)

# Files that desktops create by themselves.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})
# Folder that macOS adds to a zip archive.
_LITTER_FOLDER = "__MACOSX"


class Listing(NamedTuple):
    """The files of a folder, sorted.

    Attributes:
        images: files with an image's suffix.
        strangers: the other files.
        faults: folders below it that cannot be listed, and links to a folder above them, which would never end.
    """

    images: list[Path]
    strangers: list[Path]
    faults: list[str]


def told_strangers(strangers: Collection[Path]) -> tuple[str, ...]:
    """Return a line with the number of files that are not read, or nothing if there are none."""
    if not strangers:
        return ()
    files = counted(len(strangers), "file")
    return (f"{files} without an image's suffix passed over (first: {min(strangers)})",)


def list_folders(folder: Path) -> list[str]:
    """Return the sorted names of the folders in ``folder``, without hidden ones, ``__MACOSX`` and run directories."""
    with _scan(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    return sorted(name for name in names if name != _LITTER_FOLDER and not RunDirectory(folder / name).is_run)


def holds_images(folder: Path, depth: int = 3) -> bool:
    """Whether an image is seen in ``folder`` or in the folders up to ``depth`` levels below it."""
    try:
        with _scan(folder) as entries:
            if any(_has_suffix(entry.name, IMAGE_SUFFIXES) for entry in entries if not entry.name.startswith(".")):
                return True
    except UserError:  # :func:`list_images` tells it
        return False
    return depth > 0 and any(holds_images(folder / name, depth - 1) for name in list_folders(folder))


def list_images(folder: Path, recursive: bool = True, suffixes: Collection[str] = IMAGE_SUFFIXES) -> Listing:
    """List the files in ``folder``, and in the folders below it if ``recursive``.

    Hidden files and folders, ``Thumbs.db`` and ``desktop.ini`` are left out. No file is opened and none needs a
    ``stat``, so a million files take a few seconds.

    Raises:
        UserError: ``folder`` cannot be read.
    """
    images, strangers, inner, faults = _list_one(str(folder), suffixes)
    while recursive and inner:
        try:
            found = _list_one(inner.pop(), suffixes)
        except UserError as error:
            faults.append(str(error))
            continue
        for all_of_them, more in zip((images, strangers, inner, faults), found, strict=True):
            all_of_them += more
    return Listing([Path(name) for name in sorted(images)], [Path(name) for name in sorted(strangers)], sorted(faults))


def _list_one(folder: str, suffixes: Collection[str]) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return the images, the other files, the folders and the faults of one folder."""
    images, strangers, inner, faults = [], [], [], []
    with _scan(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            is_image = _has_suffix(name, suffixes)
            # A link with an image's suffix counts as a file: following it would cost a stat a file.
            if entry.is_dir(follow_symlinks=not is_image):
                if loop := _loop(entry):
                    faults.append(loop)
                else:
                    inner.append(entry.path)
            elif is_image:
                images.append(entry.path)
            elif name.lower() not in _LITTER:
                strangers.append(entry.path)
    return images, strangers, inner, faults


def _has_suffix(name: str, suffixes: Collection[str]) -> bool:
    return name[name.rfind(".") :].lower() in suffixes


def _loop(entry: os.DirEntry[str]) -> str | None:
    """Return what is wrong with a link to a folder above itself."""
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        parent = Path(entry.path).parent.resolve()
        if target in (parent, *parent.parents):
            return f"{entry.path} is a link to a folder above itself ({target}): remove the link"
    return None


def _scan(folder: str | Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """``os.scandir`` with an error for the user."""
    try:
        return os.scandir(os.fspath(folder))
    except OSError as error:
        raise UserError(f"cannot list the folder {folder}: {error.strerror}; check its permissions") from error
