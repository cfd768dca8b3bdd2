"""Tiny ImageNet in its official layout: ``train/WNID/images/*.JPEG``, and ``val/images`` with ``val_annotations.txt``.

The common rearrangement ``val/WNID/*.JPEG`` is read too.

Source: Stanford CS231N, 200 classes of ImageNet at 64 x 64 pixels. A part of the classes is read as well.
"""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split, split_folder
from mindcv_shufflenet.data.datasets.folder import list_classes
from mindcv_shufflenet.data.datasets.published import Archive
from mindcv_shufflenet.data.listing import list_images
from mindcv_shufflenet.data.sources import Files
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

    Raises:
        UserError: a folder or list is missing or empty, or an image or an annotation lacks its counterpart.
    """
    data_dir, split = _find(request.data_dir) or request.data_dir, request.split
    folder = split_folder(data_dir, split, EXPECTED)
    wnids = sorted(line[0] for line in _read_table(data_dir / "wnids.txt"))
    index = {wnid: position for position, wnid in enumerate(wnids)}
    annotations = folder / f"{split}_annotations.txt"
    if annotations.is_file() and not any((folder / wnid).is_dir() for wnid in wnids):
        found = list_images(folder / "images", recursive=False)
        images, strangers, labels = *found, _annotated_labels(found.images, annotations, index)
    else:
        folders = [(folder / wnid / "images", folder / wnid) for wnid in wnids]
        classes = [(inner if inner.is_dir() else outer, index[outer.name]) for inner, outer in folders]
        images, labels, strangers = list_classes(classes)
    words = data_dir / "words.txt"
    names = {line[0]: line[-1] for line in _read_table(words)} if words.is_file() else {}
    class_names = tuple(names.get(wnid, wnid) for wnid in wnids)
    return Split(Files(images), labels, class_names, index, strangers=tuple(strangers))


def download(data_dir: Path) -> None:
    """Fetch and unpack the data set if it is not in ``data_dir``; see :meth:`Archive.get`."""
    ARCHIVE.get(data_dir, _find(data_dir), PARTS)


def _find(data_dir: Path) -> Path | None:
    """The folder with the splits: the one that the archive has, or ``data_dir``; None if neither has any part."""
    for folder in (data_dir / FOLDER, data_dir):
        if any((folder / part).exists() for part in PARTS):
            return folder
    return None


def _annotated_labels(images: list[Path], annotations: Path, index: dict[str, int]) -> np.ndarray:
    """The labels ``[N] int32`` of images without class folders."""
    listed = {line[0]: line[1] for line in _read_table(annotations) if len(line) > 1}
    labels = np.empty(len(images), np.int32)
    for position, image in enumerate(images):
        wnid = listed.pop(image.name, None)
        if wnid not in index:
            raise UserError(
                f"{annotations} has no line for {image.name} with a wnid of wnids.txt; unpack the archive again"
            )
        labels[position] = index[wnid]
    if listed or not images:
        missing = next(iter(listed), "any image")
        raise UserError(
            f"{annotations.with_name('images')} lacks {missing}, which {annotations.name} lists; unpack the archive"
            " again"
        )
    return labels


def _read_table(path: Path) -> list[list[str]]:
    """The lines of a list, split at tabs."""
    if not path.is_file():
        raise UserError(f"cannot read {path}: it is not there; expected is {EXPECTED}")
    return [[part.strip() for part in line.split("\t")] for line in read_text(path).split("\n") if line.strip()]
