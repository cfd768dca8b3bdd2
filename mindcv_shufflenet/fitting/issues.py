"""What is unusual about photos: told, in words for a photographer, and never a reason to stop."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.fitting.photos import Photos, PhotoStats
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.report.texts import TEXTS

# Pixels of the short side, grey levels of the brightest places, and the Laplacian of the sharpest ones, below which a
# photo is tiny, dark or blurry.
_TINY, _DARK, _BLURRY = 32, 50.0, 20.0
# Below this size any photo looks blurry or not by chance.
_MEASURABLE = 64
# A class with one photo is rare, and so is one with fewer than this and than a tenth of the usual class.
_FEW = 20
# Suffixes of photos that are not read.
_FOREIGN = {".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF", ".gif": "GIF"}
_FOREIGN |= dict.fromkeys((".arw", ".cr2", ".dng", ".nef"), "raw")


class Issue(NamedTuple):
    """Something unusual about a photo, a file or a class.

    Attributes:
        kind: one of ``KINDS``.
        subject: the path of the photo, or the name of the class.
        detail: what was measured, or what to do.
        photo: number of the photo; None where it is not about one that can be read.
    """

    kind: str
    subject: str
    detail: str
    photo: int | None = None


# The kinds of issues, the gravest first; templates/texts.yaml says what each one means.
KINDS = (
    "unreadable", "not an image", "folder", "rare class", "alike in two classes", "alike across the split",
    "suspected label", "alike", "tiny", "dark", "blurry",
)  # fmt: skip


def meaning(kind: str) -> str:
    """Return what a kind of issues means."""
    return TEXTS[text_key(kind, "means")].en


def text_key(kind: str, *part: str) -> str:
    """Return the key of a text about a kind of issues."""
    return "_".join(["issue", *kind.split(), *part])


def find_issues(photos: Photos, groups: np.ndarray) -> list[Issue]:
    """Return what is unusual about photos.

    Args:
        photos: that were looked at.
        groups: number of the group of photos that look alike, ``[N]``.
    """
    return [*_of_folders(photos), *_of_classes(photos), *_of_groups(photos, groups), *_of_photos(photos)]


def label_issues(photos: Photos, doubts: np.ndarray, margins: np.ndarray, probabilities: np.ndarray) -> list[Issue]:
    """Return the labels that are suspected to be wrong, the most suspicious first.

    Args:
        photos: that were looked at.
        doubts: whether each label is suspected, ``[N] bool``.
        margins: how sure each label is, ``[N]``.
        probabilities: of each photo's classes, by a classifier that has not seen it, ``[N, classes]``.
    """
    found = []
    order = np.argsort(margins, kind="stable")
    for photo in order[doubts[order]].tolist():
        label, best = int(photos.labels[photo]), int(probabilities[photo].argmax())
        names, shares = photos.class_names, probabilities[photo]
        detail = f"in {names[label]}, and looks like {names[best]} ({shares[best]:.0%} against {shares[label]:.0%})"
        found.append(Issue("suspected label", str(photos.paths[photo]), detail, photo))
    return found


def _of_folders(photos: Photos) -> Iterator[Issue]:
    for fault in photos.faults:
        yield Issue("folder", str(photos.folder), fault)
    for image in photos.unreadable:
        yield Issue("unreadable", image.image, image.reason)
    for path in photos.strangers:
        kind = _FOREIGN.get(path.suffix.lower())
        yield Issue("not an image", str(path), f"{kind} is not read" if kind else "no suffix of an image")


def _of_photos(photos: Photos) -> Iterator[Issue]:
    for number, (path, seen) in enumerate(zip(photos.paths, photos.stats, strict=True)):
        for kind, detail in _oddities(seen):
            yield Issue(kind, str(path), detail, number)


def _oddities(seen: PhotoStats) -> Iterator[tuple[str, str]]:
    short_side = min(seen.width, seen.height)
    if short_side < _TINY:
        yield "tiny", f"{seen.width} x {seen.height} pixels"
    if seen.brightness < _DARK:
        yield "dark", f"its brightest places have {seen.brightness:.0f} of 255"
    elif seen.sharpness < _BLURRY and short_side >= _MEASURABLE:
        yield "blurry", f"its sharpest edges have {seen.sharpness:.0f}, and those of sharp photos a hundred and more"


def _of_groups(photos: Photos, groups: np.ndarray) -> Iterator[Issue]:
    order = np.argsort(groups, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        first = members[0]
        for photo in members[1:].tolist():
            kind = "alike"
            if photos.labels[photo] != photos.labels[first]:
                kind = "alike in two classes"
            elif photos.in_validation is not None and photos.in_validation[photo] != photos.in_validation[first]:
                kind = "alike across the split"
            yield Issue(kind, str(photos.paths[photo]), f"like {photos.paths[first]}", photo)


def _of_classes(photos: Photos) -> Iterator[Issue]:
    usual = float(np.median(photos.counts))
    for name, count in zip(photos.class_names, photos.counts.tolist(), strict=True):
        if count < _FEW and count < max(2.0, usual / 10):
            yield Issue("rare class", name, f"{counted(count, 'photo')}; a class here usually has {usual:.0f}")
