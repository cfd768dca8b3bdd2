"""Tiny ImageNet in its official layout: ``train/WNID/images/*.JPEG``, and ``val/images`` with ``val_annotations.txt``.

The common rearrangement ``val/WNID/*.JPEG`` is read too.

Source: Stanford CS231N, 200 classes of ImageNet at 64 x 64 pixels. A part of the classes is read as well.
"""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split, split_folder
from mindcv_shufflenet.data.datasets.folder import Listed, list_classes
from mindcv_shufflenet.data.datasets.published import Archive
from mindcv_shufflenet.data.listing import list_images
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.archive import unpack_zip
from mindcv_shufflenet.storage.text import read_text

ARCHIVE = Archive("http://cs231n.stanford.edu/tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de", unpack_zip)
FOLDER = "tiny-imagenet-200"
PARTS = ("wnids.txt", "train", "val")
EXPECTED = (
    "wnids.txt, train/WNID/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt (--dataset_download fetches"
    " them)"
)


def read_split(request: Request) -> Split:
    """List the images of ``train`` or ``val``; the classes are the wnids of ``wnids.txt``, sorted.

    ``data_dir`` holds ``tiny-imagenet-200`` or is that folder. Images in folders ``WNID`` or ``WNID/images`` need no
    annotations.

    Faults of the split are a class without an image, and an image or an annotation without its counterpart.

    Raises:
        UserError: a folder or list is missing or empty.
    """
    data_dir, split = _find(request.data_dir) or request.data_dir, request.split
    folder = split_folder(data_dir, split, EXPECTED)
    wnids = sorted(line[0] for line in _read_table(data_dir / "wnids.txt"))
    index = {wnid: position for position, wnid in enumerate(wnids)}
    annotations = folder / f"{split}_annotations.txt"
    if annotations.is_file() and not any((folder / wnid).is_dir() for wnid in wnids):
        listed = _read_annotated(folder / "images", annotations, index)
    else:
        folders = [(folder / wnid / "images", folder / wnid) for wnid in wnids]
        classes = [(inner if inner.is_dir() else outer, index[outer.name]) for inner, outer in folders]
        listed = list_classes(classes)
    words = data_dir / "words.txt"
    names = {line[0]: line[-1] for line in _read_table(words)} if words.is_file() else {}
    class_names = tuple(names.get(wnid, wnid) for wnid in wnids)
    return listed.split(class_names, index)


def download(data_dir: Path) -> None:
    """Fetch and unpack the data set if it is not in ``data_dir``; see :meth:`Archive.get`."""
    ARCHIVE.get(data_dir, _find(data_dir), PARTS)


def _find(data_dir: Path) -> Path | None:
    """The folder with the splits: the one that the archive has, or ``data_dir``; None if neither has any part."""
    for folder in (data_dir / FOLDER, data_dir):
        if any((folder / part).exists() for part in PARTS):
            return folder
    return None


def _read_annotated(folder: Path, annotations: Path, index: dict[str, int]) -> Listed:
    """The images of a folder without class folders, with the labels that annotations give them."""
    found, strangers, _ = list_images(folder, recursive=False)
    wnids = {line[0]: line[1] for line in _read_table(annotations) if len(line) > 1}
    images = [image for image in found if wnids.get(image.name) in index]
    labels = np.array([index[wnids[image.name]] for image in images], np.int32)
    lines = sorted({*found} - {*images})
    faults = [f"{annotations} has no line for {image.name} with a wnid of wnids.txt" for image in lines]
    there = {image.name for image in found}
    gone = [name for name in wnids if name not in there] if found else ["any image"]
    faults += [f"{folder} lacks {name}, which {annotations.name} lists" for name in gone]
    return Listed(images, labels, strangers, [f"{fault}; unpack the archive again" for fault in faults])


def _read_table(path: Path) -> list[list[str]]:
    """The lines of a list, split at tabs."""
    if not path.is_file():
        raise UserError(f"cannot read {path}: it is not there; expected is {EXPECTED}")
    return [[part.strip() for part in line.split("\t")] for line in read_text(path).split("\n") if line.strip()]
