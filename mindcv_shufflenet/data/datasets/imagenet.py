"""ImageNet-1K: ``data_dir/SPLIT/WNID/*.JPEG``, or a flat ``data_dir/SPLIT/*.JPEG`` with a list of labels beside it."""

import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets import folder as folder_reader
from mindcv_shufflenet.data.datasets.base import Request, Split, split_folder
from mindcv_shufflenet.data.datasets.folder import Listed, list_classes, loose_images
from mindcv_shufflenet.data.listing import IMAGE_SUFFIXES, list_folders, list_images
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.storage.text import normal, read_text

EXPECTED = "SPLIT/WNID/*.JPEG (for instance val/n01440764/ILSVRC2012_val_00000293.JPEG)"

_WNID = re.compile(r"n\d{8}", re.ASCII)

# Files that may list the labels of a flat split, in the order in which they are tried. The last is Kaggle's.
LABEL_LISTS = ("{split}.txt", "{split}_labels.txt", "LOC_{split}_solution.csv")


def read_split(request: Request) -> Split:
    """List the images of ``data_dir/split`` with their ImageNet class indices, also if only some classes are there.

    The index of a wnid is its line in ``data_dir/synsets.txt`` if that file exists, else its place among the 1000 of
    ImageNet-1K. The classes do not depend on the training split. Class folders of which none is a wnid are read as a
    ``folder`` data set.

    Faults of the split are images without a class, a folder that is no wnid, a class without an image, and images and
    lines of a list of labels without their counterpart.

    Raises:
        UserError: a folder is missing or empty, or a flat split's list of labels is missing or has a wrong line.
    """
    data_dir, split = request.data_dir, request.split
    if not (data_dir / "synsets.txt").is_file() and _has_own_classes(request):
        read = folder_reader.read_split(request)
        note = f"{data_dir} has classes of its own, not ImageNet's: it is read as with --dataset folder"
        return replace(read, notes=(note, *read.notes), dataset="folder")
    folder = split_folder(data_dir, split, EXPECTED)
    wnids, class_names, source = read_classes(data_dir)
    class_to_index = {wnid: index for index, wnid in enumerate(wnids)}
    names = list_folders(folder)
    if names:
        listed = list_classes((folder / name, class_to_index[name]) for name in names if name in class_to_index)
        faults = [
            f"folder {folder / name} is not among the wnids of {source}, {len(wnids)} in all: remove or rename it, or"
            " use --dataset=folder for classes of your own"
            for name in names
            if name not in class_to_index
        ]
        listed = listed._replace(faults=[*loose_images(folder), *faults, *listed.faults])
    else:
        listed = _read_flat(data_dir, split, class_to_index)
    return listed.split(class_names, class_to_index)


def _has_own_classes(request: Request) -> bool:
    """Whether there are class folders and none is named after a wnid."""
    names = list_folders(folder_reader.find_layout(request, EXPECTED).folder)
    return bool(names) and not any(_WNID.fullmatch(name) for name in names)


def read_classes(data_dir: Path) -> tuple[list[str], tuple[str, ...], str]:
    """Return the wnids in index order, a name for each, and their source.

    The name is the rest of the wnid's line in ``synsets.txt``, else the English name if it is known, else the wnid.

    Raises:
        UserError: ``synsets.txt`` is empty, or has an empty line or the same wnid twice.
    """
    bundled = _bundled_classes()
    path = data_dir / "synsets.txt"
    if not path.is_file():
        return list(bundled), tuple(bundled.values()), "ImageNet-1K"
    wnids: dict[str, str] = {}
    for number, line in enumerate(read_text(path).rstrip().split("\n"), start=1):
        wnid, _, name = line.strip().partition(" ")
        # The line number is the class index, so skipping a line would shift every class after it.
        if not wnid:
            raise UserError(f"{path}, line {number}, is empty: every line must begin with a wnid")
        if wnid in wnids:
            raise UserError(f"{path}, line {number}: {wnid} is there a second time; every wnid must have one line")
        wnids[wnid] = name.strip() or bundled.get(wnid, wnid)
    return list(wnids), tuple(wnids.values()), str(path)


def bundled_class_names() -> tuple[str, ...]:
    """The English names of ImageNet-1K's classes, in index order."""
    return tuple(_bundled_classes().values())


def _bundled_classes() -> dict[str, str]:
    """Wnid -> English name of the 1000 classes, in index order."""
    text = resources.files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    lines = (line.partition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {wnid: name for wnid, _, name in lines}


def _read_flat(data_dir: Path, split: str, class_to_index: dict[str, int]) -> Listed:
    """The images of a split without class folders, and their labels from the list beside it."""
    images, strangers, _ = list_images(data_dir / split, recursive=False)
    if not images:
        raise UserError(f"no images in {data_dir / split}; expected is {EXPECTED}")
    candidates = [data_dir / name.format(split=split) for name in LABEL_LISTS]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UserError(
            f"{data_dir / split} has no WNID folders, and there is no list of labels beside it: write "
            f"{candidates[0]} with lines like '{images[0].name} n01440764' or '{images[0].name} 0' (class index from "
            f"0), or put Kaggle's {candidates[-1].name} there"
        )
    listed = _read_labels(path, class_to_index)
    stems = [normal(image.stem) for image in images]
    faults = [
        f"{path} has no line for the image {image}: add its label, or move the image elsewhere"
        for image, stem in zip(images, stems, strict=True)
        if stem not in listed
    ]
    seen = {*stems}
    if len(seen) < len(images):
        faults.append(f"{data_dir / split} has images that differ in nothing but their suffix: rename or remove them")
    faults += [
        f"{path}, line {number}: no image {stem!r} in {data_dir / split} ({counted(len(listed), 'label')},"
        f" {counted(len(images), 'image')}): add the missing images, or remove their lines"
        for stem, (_, number) in listed.items()
        if stem not in seen
    ]
    labelled = [(image, listed[stem][0]) for image, stem in zip(images, stems, strict=True) if stem in listed]
    labels = np.array([label for _, label in labelled], np.int32)
    return Listed([image for image, _ in labelled], labels, strangers, faults)


def _read_labels(path: Path, class_to_index: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Read a list of labels: image name without suffix -> (class index, line number)."""
    listed: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        # Kaggle's lines have boxes after the wnid: 'ILSVRC2012_val_00048981,n03995372 85 1 499 272 '.
        name, label, *_ = [*re.split(r"[\s,]+", line.strip()), ""]
        if not name or (number == 1 and name == "ImageId"):
            continue
        stem = normal(_stem(name))
        index = _class_index(label, class_to_index, f"{path}, line {number}")
        if listed.setdefault(stem, (index, number))[0] != index:
            raise UserError(f"{path}, line {number}: {name} has another label in line {listed[stem][1]}; keep one")
    return listed


def _stem(name: str) -> str:
    """The file name without folder and image suffix; any other suffix belongs to the name."""
    path = Path(name)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def _class_index(label: str, class_to_index: dict[str, int], where: str) -> int:
    """The class index of a label that is a wnid or a number."""
    if label in class_to_index:
        return class_to_index[label]
    if not re.fullmatch(r"\d+", label, re.ASCII):
        raise UserError(f"{where}: {label!r} is neither a known wnid nor a class index; lines look like 'NAME LABEL'")
    if int(label) >= len(class_to_index):
        raise UserError(f"{where}: class index {label} is out of range, it must be 0 to {len(class_to_index) - 1}")
    return int(label)
