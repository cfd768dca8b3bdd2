"""The photos of a folder: what is measured of each one, and a small upright copy to train on."""

import hashlib
import itertools
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.folder import has_validation
from mindcv_shufflenet.data.decoding import UnfitError
from mindcv_shufflenet.data.images import check_aspect
from mindcv_shufflenet.data.inspection.survey import Survey, Unreadable, image_names, survey
from mindcv_shufflenet.data.listing import holds_images, list_folders, list_images
from mindcv_shufflenet.errors import UserError

# Pixels of the short side of what is measured, so that sharpness does not depend on the resolution, and of a copy at
# least.
_SHORT_SIDE = 256
# JPEG has no more than 65,535 pixels on a side.
_LONG_SIDE = 60_000
# Quality of the copies as JPEG files.
_QUALITY = 92
# Width of a thumbnail that near-duplicates are confirmed with.
_THUMBNAIL = 16
# Photos that tell how long one takes, and those of a class that are looked at however little time there is.
_PROBED, _LEAST = 16, 20


class PhotoStats(NamedTuple):
    """What is measured of a photo.

    Attributes:
        width: in pixels, upright.
        height: likewise.
        brightness: its 95th percentile, 0..255: a dark photo has no bright place.
        sharpness: the 99.9th percentile of the absolute Laplacian of its grey levels: a blurry photo has no sharp edge.
        digest: of its pixels; equal photos have the same.
        difference_hash: 64 bits, of which few differ between photos that look alike (dHash).
        thumbnail: grey levels ``[16, 16] uint8``.
    """

    width: int
    height: int
    brightness: float
    sharpness: float
    digest: bytes
    difference_hash: int
    thumbnail: np.ndarray


@dataclass(frozen=True, eq=False)
class Photos:
    """The photos of a folder of class folders that can be read.

    Attributes:
        folder: given by the user.
        class_names: of the classes that have a photo, sorted.
        paths: of the photos.
        labels: index of the class of each, ``[N] int64``.
        in_validation: whether each lies in the folder for validation, ``[N] bool``; None where there is no such folder.
        stats: what is measured of each.
        copies: the small copy of each.
        unreadable: what cannot be read.
        faults: what is wrong with the folders.
        strangers: files that are no images.
        passed_over: photos that are left out for want of time.
    """

    folder: Path
    class_names: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray
    in_validation: np.ndarray | None
    stats: tuple[PhotoStats, ...]
    copies: tuple[Path, ...]
    unreadable: tuple[Unreadable, ...]
    faults: tuple[str, ...]
    strangers: tuple[Path, ...]
    passed_over: int

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def counts(self) -> np.ndarray:
        """The number of photos of each class, ``[classes]``."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    @property
    def short_side(self) -> int:
        """Pixels of the short side of a usual photo, the median."""
        return int(np.median([min(one.width, one.height) for one in self.stats]))

    def thinned(self, count: int) -> "Photos":
        """Return so many of the photos, spread evenly over each class, or all if there are no more."""
        if len(self) <= count:
            return self
        is_val = np.zeros(len(self), bool) if self.in_validation is None else self.in_validation
        chosen = _evenly(2 * self.labels + is_val, count)
        paths, stats, copies = (
            tuple(column[place] for place in chosen.tolist()) for column in (self.paths, self.stats, self.copies)
        )
        in_validation = None if self.in_validation is None else self.in_validation[chosen]
        passed_over = self.passed_over + len(self) - len(chosen)
        return replace(
            self, paths=paths, labels=self.labels[chosen], in_validation=in_validation, stats=stats, copies=copies,
            passed_over=passed_over,
        )  # fmt: skip


def scan(
    folder: Path,
    copies: Path,
    seconds: float,
    short_side: int,
    workers: int,
    console: Console | None = None,
) -> Photos:
    """Decode the photos of a folder once each: measure them, and write small copies.

    Args:
        folder: ``CLASS/**/*.jpg``, or ``train/CLASS/**`` and ``val/CLASS/**``; or a folder around that.
        copies: an empty folder for the copies.
        seconds: that it may take. If the photos are too many for that, some of each class are looked at.
        short_side: pixels of the short side of a copy that are needed; 256 at least.
        workers: threads that look at photos.
        console: shows a progress bar.

    Raises:
        UserError: there are no class folders, or fewer than two classes have a photo that can be read.
    """
    numbers = itertools.count()  # next() is atomic

    def see(picture: Image.Image) -> tuple[PhotoStats, Path]:
        check_aspect(picture)
        copy = copies / f"{next(numbers):06}.jpg"
        shrunk(picture, max(short_side, _SHORT_SIDE)).save(copy, quality=_QUALITY)
        return measure(picture), copy

    folder = _innermost(folder)
    has_own = has_validation(folder)
    total = 0

    def thin(split: Split) -> Split:
        nonlocal total
        total += len(split)
        return _thinned(split, workers * seconds / (2 if has_own else 1), see)

    own = {"dataset": "folder", "data_dir": str(folder), "num_parallel_workers": workers}
    if not has_own:
        own["val_split"] = "train"  # which is then all that there is
    found = survey("fit", own, (), see, console, thin)
    return _readable(folder, found, total)


def _innermost(folder: Path) -> Path:
    """Return the folder with the class folders: that of the user, or the only one in it, as archives have.

    Raises:
        UserError: photos do not lie in two folders at least.
    """
    names = list_folders(folder)
    filled = [name for name in names if holds_images(folder / name)]
    if not filled:
        others = list_images(folder).strangers
        told = f"; {others[0].name} is none: convert such files to JPEG" if others else ""
        raise UserError(f"no folder in {folder} has photos{told}: {_advice(folder)}")
    inner = folder / filled[0]
    if names == filled[:1] and list_folders(inner) and not list_images(inner, recursive=False).images:
        return _innermost(inner)
    if len(filled) < 2 and filled[0] != "train":
        raise UserError(f"{folder} has photos in {filled[0]} alone: {_advice(folder)}")
    return folder


def _advice(folder: Path) -> str:
    return f"put the photos of each class into a folder of its own, {folder}/cat/*.jpg and {folder}/dog/*.jpg"


def _thinned(split: Split, seconds: float, see: Callable[[Image.Image], object]) -> Split:
    """Return as many photos as one thread can look at in a time, spread evenly over each class."""
    probe = np.unique(np.linspace(0, len(split) - 1, min(len(split), _PROBED)).astype(int))
    originals = split.images.originals()
    start = time.perf_counter()
    for index in probe.tolist():
        try:
            see(originals[index].picture())
        except UnfitError:
            continue
    possible = seconds * len(probe) / (time.perf_counter() - start)
    if len(split) <= possible:
        return split
    return split.take(_evenly(split.labels, int(possible)))


def _evenly(kinds: np.ndarray, count: int) -> np.ndarray:
    """Return about so many photos, spread evenly over each kind ``[N]``; of a rare kind all."""
    chosen = []
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        own = min(len(members), max(_LEAST, int(count * len(members) / len(kinds))))
        chosen.append(members[np.linspace(0, len(members), own, endpoint=False).astype(int)])
    return np.concatenate(chosen)


def _readable(folder: Path, found: Survey[tuple[PhotoStats, Path]], total: int) -> Photos:
    """Return the photos of a survey that can be read."""
    paths: list[Path] = []
    labels: list[int] = []
    held_out: list[bool] = []
    seen: list[tuple[PhotoStats, Path]] = []
    unreadable: list[Unreadable] = []
    for name, split in found.splits.items():
        for path, label, one in zip(image_names(split, name), split.labels.tolist(), found.seen[name], strict=True):
            if isinstance(one, Unreadable):
                unreadable.append(one)
                continue
            paths.append(Path(path))
            labels.append(label)
            held_out.append(name != found.config.train_split)
            seen.append(one)
    train, held = found.splits[found.config.train_split], np.array(held_out, bool)
    given = np.array(labels, int)
    trained, faults = np.unique(given[~held]), list(found.faults)
    for label in np.setdiff1d(given, trained).tolist():
        faults.append(f"{train.class_names[label]} has no photo to learn from, so those in val are left out")
    class_names = tuple(train.class_names[label] for label in trained.tolist())
    _check_classes(folder, train.class_names, class_names, unreadable, faults)
    kept = np.flatnonzero(np.isin(given, trained))
    return Photos(
        folder=folder,
        class_names=class_names,
        paths=tuple(paths[place] for place in kept.tolist()),
        labels=np.searchsorted(trained, given[kept]),
        in_validation=held[kept] if held[kept].any() else None,
        stats=tuple(seen[place][0] for place in kept.tolist()),
        copies=tuple(seen[place][1] for place in kept.tolist()),
        unreadable=tuple(unreadable),
        faults=tuple(faults),
        strangers=tuple(dict.fromkeys(path for split in found.splits.values() for path in split.strangers)),
        passed_over=total - sum(map(len, found.splits.values())),
    )


def _check_classes(
    folder: Path, named: Sequence[str], trained: Sequence[str], unreadable: Sequence[Unreadable], faults: Sequence[str]
) -> None:
    """Refuse photos of fewer than two classes, and names that cannot be written.

    Args:
        folder: given by the user.
        named: names of all classes.
        trained: of those that have a photo to learn from.
        unreadable: what cannot be read.
        faults: what is wrong with the folders.

    Raises:
        UserError: with what to do.
    """
    for name in named:
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):  # control characters, no UTF-8
            raise UserError(f"the name of the folder {name!r} is no plain text: rename it")
    if not trained and unreadable:
        raise UserError(f"no photo of {folder} can be read, such as {unreadable[0].image}: {unreadable[0].reason}")
    if len(trained) < 2:
        told = f"photos of the class {trained[0]} alone" if trained else "no photo"
        raise UserError(
            f"{folder} has {told} to learn from: {_advice(folder)}" + "".join(f"; {fault}" for fault in faults[:1])
        )


def measure(picture: Image.Image) -> PhotoStats:
    """Return what is measured of a photo, upright and in RGB."""
    image = shrunk(picture, _SHORT_SIDE).convert("L")
    grey = np.asarray(image, np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    laplacian = around - 4 * grey[1:-1, 1:-1]
    tiny = np.asarray(image.resize((9, 8), Image.Resampling.LANCZOS), np.int16)
    return PhotoStats(
        *picture.size,
        float(np.percentile(grey, 95)),
        float(np.percentile(np.abs(laplacian), 99.9)) if laplacian.size else 0.0,
        hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).digest(),
        int.from_bytes(np.packbits(tiny[:, 1:] > tiny[:, :-1]).tobytes()),
        np.asarray(image.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)),
    )


def shrunk(picture: Image.Image, short_side: int) -> Image.Image:
    """Return a photo whose short side has so many pixels at most, and whose long side can be saved as JPEG."""
    share = min(short_side / min(picture.size), _LONG_SIDE / max(picture.size))
    if share >= 1:
        return picture
    width, height = (max(1, round(length * share)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
