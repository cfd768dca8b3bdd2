"""Tiny ImageNet in its official layout: ``train/WNID/images/*.JPEG``, and ``val/images`` with ``val_annotations.txt``.

Source: Stanford CS231N, 200 classes of ImageNet at 64 x 64 pixels. Any number of its classes will do.
"""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Split, list_images, split_folder
from mindcv_shufflenet.data.datasets.folder import list_classes
from mindcv_shufflenet.errors import UserError

LAYOUT = "wnids.txt, train/WNID/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt"


def read_split(data_dir: Path, split: str, _train_split: str = "train") -> Split:
    """List the images of ``train`` or ``val``; the classes are the wnids of ``wnids.txt``, sorted.

    Raises:
        UserError: a folder or list is missing or empty, or the annotations and the images do not fit each other.
    """
    folder = split_folder(data_dir, split, LAYOUT)
    wnids = sorted(line[0] for line in _read_table(data_dir / "wnids.txt"))
    index = {wnid: position for position, wnid in enumerate(wnids)}
    if (folder / f"{split}_annotations.txt").is_file():
        images, labels = _read_annotated(folder, f"{split}_annotations.txt", index)
    else:
        classes = {f"{wnid}/images": position for wnid, position in index.items()}
        images, labels = list_classes(folder, classes)
    words = data_dir / "words.txt"
    names = {line[0]: line[-1] for line in _read_table(words)} if words.is_file() else {}
    return Split(images, labels, tuple(names.get(wnid, wnid) for wnid in wnids), index)


def _read_annotated(folder: Path, name: str, index: dict[str, int]) -> tuple[list[Path], np.ndarray]:
    """The images of a split without class folders, and their labels ``[N] int32``."""
    images = list_images(folder / "images", recursive=False)
    listed = {line[0]: line[1] for line in _read_table(folder / name) if len(line) > 1}
    labels = np.empty(len(images), np.int32)
    for position, image in enumerate(images):
        wnid = listed.pop(image.name, None)
        if wnid not in index:
            raise UserError(
                f"{folder / name} has no line for {image.name} with a wnid of wnids.txt; unpack the archive again"
            )
        labels[position] = index[wnid]
    if listed or not images:
        missing = next(iter(listed), "any image")
        raise UserError(f"{folder / 'images'} lacks {missing}, which {name} lists; unpack the archive again")
    return images, labels


def _read_table(path: Path) -> list[list[str]]:
    """The lines of a list, each cut at its tabs."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}; expected is {LAYOUT}") from error
    return [line.split("\t") for line in text.splitlines() if line.strip()]
