"""A folder of images per class: ``data_dir/SPLIT/CLASS/**/*.jpg``, or ``data_dir/CLASS/**/*.jpg`` without splits."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split, split_folder
from mindcv_shufflenet.data.datasets.held_out import hold_out
from mindcv_shufflenet.data.listing import holds_images, list_folders, list_images
from mindcv_shufflenet.data.sources import Files
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.text import normal

EXPECTED = "SPLIT/CLASS/*.jpg (for instance train/cat/001.jpg), or CLASS/*.jpg with images in every folder"

# Default names of the splits, and other folders that are validated if there is no folder ``val``.
_TRAIN, _VAL, _OTHER_VAL, _TEST = "train", "val", ("validation", "valid"), "test"
# Common names of splits, in any case; a folder of such a name is not a class if it holds folders.
_SPLITS = frozenset({_TRAIN, _VAL, *_OTHER_VAL, _TEST, "training", "testing", "eval", "dev"})


class FolderLayout(NamedTuple):
    """Where the class folders of a split are.

    Attributes:
        folder: holds the class folders.
        train: the training split's folder, which determines the class indices; None if it does not exist.
        is_shared: ``folder`` holds training and validation images, and the latter are held out.
        notes: lines for the user.
    """

    folder: Path
    train: Path | None
    is_shared: bool
    notes: tuple[str, ...]


class Listed(NamedTuple):
    """Images, their labels ``[N] int32``, the files that are no images, and what is wrong with the folders."""

    images: list[Path]
    labels: np.ndarray
    strangers: list[Path]
    faults: list[str]

    def split(self, class_names: tuple[str, ...], class_to_index: dict[str, int], **others: Any) -> Split:
        """Return the split of these images; ``others`` are further attributes of it."""
        strangers, faults = tuple(self.strangers), tuple(self.faults)
        return Split(
            Files(self.images), self.labels, class_names, class_to_index, strangers=strangers, faults=faults, **others
        )


def read_split(request: Request) -> Split:
    """List the images of a split. A class is a folder in the split's folder, with images at any depth.

    Class indices are those of the run in the request, if there is one. Otherwise they follow the sorted folder names of
    ``train_split`` if that folder exists, else of the split itself. So a validation split that lacks a class still has
    the indices that the network was trained with.

    If there is no validation split, its images are held out of the training images (:func:`hold_out`).

    Faults of the split are images without a class, a class that training lacks, a class without an image, and images
    of which none can be held out.

    Raises:
        UserError: a folder is missing or has no folders, or the class folders are deeper.
    """
    layout = find_layout(request, EXPECTED)
    folders = _class_folders(layout.folder)
    names, class_to_index, foreign = _classes(layout, folders, request)
    known = [name for name in folders if name in class_to_index]
    listed = list_classes((path, class_to_index[name]) for name in known for path in folders[name])
    listed = listed._replace(faults=[*loose_images(layout.folder), *foreign, *listed.faults])
    split = listed.split(
        names,
        class_to_index,
        notes=(*layout.notes, *_odd_classes(layout.folder, folders, names)),
        is_guess=not request.classes and (layout.train is None or layout.folder == request.data_dir),
    )
    return _part(split, listed.images, layout, request) if layout.is_shared else split


def find_layout(request: Request, expected: str) -> FolderLayout:
    """Find the class folders of a split.

    If both splits have their default names, class folders may be in ``data_dir`` itself, and the validation split may
    be called ``validation`` or ``valid``, or be missing. Class folders in ``data_dir`` are validated as a whole if the
    validation split is the training split.

    Raises:
        UserError: ``data_dir`` or the split's folder does not exist; the text names the ``expected`` layout.
    """
    root, train, val = request.data_dir, request.data_dir / request.train_split, request.data_dir / request.val_split
    may_draw = request.val_ratio is not None and request.split in (request.train_split, request.val_split)
    if may_draw and request.train_split == _TRAIN and _holds_classes(root):
        if request.val_split in (_VAL, request.train_split):
            return FolderLayout(root, root, request.val_split == _VAL, ())
        split_folder(root, request.val_split, expected)
    existing = train if train.is_dir() else None
    if request.val_split == _VAL and not val.is_dir():
        other = next((root / name for name in _OTHER_VAL if (root / name).is_dir()), None)
        if other and request.split == _VAL:
            note = f"there is no folder {val}: {other} is validated in its place"
            return FolderLayout(other, existing, False, (note,))
        if not other and may_draw and existing:
            return FolderLayout(existing, existing, True, ())
    folder = split_folder(root, request.split, expected, _odd_folder(root))
    notes: tuple[str, ...] = ()
    if request.held_out and request.split == request.val_split:
        notes = (f"{folder} is validated, and not the images that the run has held out",)
    return FolderLayout(folder, existing, False, notes)


def has_validation(root: Path) -> bool:
    """Return whether a folder has a validation split of its own."""
    return any((root / name).is_dir() for name in (_VAL, *_OTHER_VAL)) and (root / _TRAIN).is_dir()


def list_classes(folders: Iterable[tuple[Path, int]]) -> Listed:
    """List the images of class folders with their indices, in the given order.

    Faults are a class folder that holds no image, and folders that cannot be listed.
    """
    images: list[Path] = []
    strangers: list[Path] = []
    faults: list[str] = []
    indices, counts = [], []
    for folder, index in folders:
        try:
            found, others, odd = list_images(folder)
        except UserError as error:
            faults.append(str(error))
            continue
        faults += odd
        if not found and not odd:
            others_told = f" ({others[0].name} is none of a known kind)" if others else ""
            faults.append(f"class folder {folder} holds no image{others_told}: fill it or remove it")
        images += found
        strangers += others
        indices.append(index)
        counts.append(len(found))
    return Listed(images, np.repeat(np.array(indices, np.int32), np.array(counts, int)), strangers, faults)


def loose_images(folder: Path) -> list[str]:
    """Return a fault if images lie beside the class folders, since they have no class; other files may stay."""
    loose = list_images(folder, recursive=False).images
    more = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
    told = f"lies beside the class folders of {folder} and so has no class: move it{more} into one or elsewhere"
    return [f"{loose[0]} {told}"] if loose else []


def _part(split: Split, images: list[Path], layout: FolderLayout, request: Request) -> Split:
    """The training or the validation part of images that both splits share."""
    is_train = request.split == request.train_split
    try:
        chosen, held_out, note = hold_out(images, split.labels, request)
    except UserError as error:
        whole = split if is_train else split.take([])
        return replace(whole, faults=(*split.faults, str(error)))
    part = np.flatnonzero(~chosen if is_train else chosen)
    test = f"; the folder {_TEST} is not used" if (request.data_dir / _TEST).is_dir() and layout.train else ""
    return replace(split.take(part), notes=(note + test, *split.notes), held_out=held_out)


def _holds_classes(root: Path) -> bool:
    """Whether the folders in ``root`` are classes: all hold images, or two do, and none is a split.

    A split holds folders. A class called ``train`` holds only images, and all the others hold images too.
    """
    names = list_folders(root) if root.is_dir() else []
    splits = [name for name in names if name.casefold() in _SPLITS]
    if len(splits) == len(names) or any(list_folders(root / name) for name in splits):
        return False
    filled = sum(holds_images(root / name) for name in names)
    return filled == len(names) or (filled > 1 and not splits)


def _odd_folder(root: Path) -> str:
    """Return the reason why the folders in ``root`` are not classes, if some could be."""
    names = list_folders(root) if root.is_dir() else []
    empty = [name for name in names if not holds_images(root / name)]
    return f"; they are no classes, since {empty[0]} holds no images" if 0 < len(empty) < len(names) else ""


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The folders of each class in a split's folder, sorted by class. Names in the same Unicode normal form are one.

    Raises:
        UserError: there is none.
    """
    found = list_folders(folder)
    if not found:
        raise UserError(f"no class folders in {folder}; expected is {EXPECTED}")
    folders: dict[str, list[Path]] = {}
    for name in sorted(found, key=normal):
        folders.setdefault(normal(name), []).append(folder / name)
    return folders


def _refuse_wrapper(folders: dict[str, list[Path]], request: Request) -> None:
    """Refuse a single class folder that holds only folders: these are the classes."""
    (only, *others), *more = folders.values()
    if others or more:
        return
    deepest = only
    while len(inner := _folders_alone(deepest)) == 1:
        deepest /= inner[0]
    if not inner:
        return
    inside = deepest.relative_to(request.data_dir)
    options = [f"--data_dir {deepest}"]
    if inside.parts[0] in (request.train_split, request.val_split):
        within = Path(*inside.parts[1:])
        splits = {"train_split": request.train_split, "val_split": request.val_split}
        options = [
            f"--{name} {split}/{within}"
            for name, split in splits.items()
            if (request.data_dir / split / within).is_dir()
        ]
    raise UserError(
        f"the only folder in {only.parent} holds folders and no images, so the classes lie deeper ({deepest}/{inner[0]}"
        f" ... {inner[-1]}): give {' '.join(options)}"
    )


def _folders_alone(folder: Path) -> list[str]:
    """The folders in a folder that holds no images itself."""
    return [] if list_images(folder, recursive=False).images else list_folders(folder)


def _classes(
    layout: FolderLayout, folders: dict[str, list[Path]], request: Request
) -> tuple[tuple[str, ...], dict[str, int], list[str]]:
    """The names of the classes, their indices, and as faults the classes that the run or the training split lacks.

    Raises:
        UserError: the class folders are deeper.
    """
    if request.classes:
        names, class_to_index = request.classes
        origin, advice = "that the checkpoint was trained on", "validate without it"
    else:
        is_train = layout.train in (None, layout.folder)
        naming = folders if is_train or not layout.train else _class_folders(layout.train)
        _refuse_wrapper(naming, request)
        names = tuple(naming)
        class_to_index = {name: index for index, name in enumerate(names)}
        origin, advice = f"of {layout.train}", "add it there"
    foreign = [name for name in folders if name not in class_to_index]
    if foreign:
        _refuse_wrapper(folders, request)
    among = f"the classes {origin}, {len(class_to_index)} in all"
    faults = [
        f"class {name!r} of {layout.folder} is not among {among}: {advice}, or move it elsewhere" for name in foreign
    ]
    return tuple(names), class_to_index, faults


def _odd_classes(folder: Path, folders: dict[str, list[Path]], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a line for the user if the classes are unusual: a single one, or folders of folders."""
    if len(names) == 1:
        return (f"{folder} has one class alone, {names[0]}: whatever the network answers is right",)
    if all(len(_folders_alone(path)) > 1 for paths in folders.values() for path in paths):
        return (f"the class folders of {folder} hold folders alone: a class is all that lies below one of them",)
    return ()
