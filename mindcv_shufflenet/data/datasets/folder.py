"""A folder of images per class: ``data_dir/SPLIT/CLASS/**/*.jpg``."""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Split, list_folders, list_images, split_folder
from mindcv_shufflenet.errors import UserError

LAYOUT = "SPLIT/CLASS/*.jpg (for instance train/cat/001.jpg)"


def read_split(data_dir: Path, split: str, train_split: str = "train") -> Split:
    """List the images of ``data_dir/split``; a class is a folder in it, at any depth below.

    Class indices follow the sorted folder names of ``train_split`` where that is there, else of ``split`` itself. So a
    validation split that lacks a class still has the indices that the network was trained with.

    Raises:
        UserError: a folder is missing or empty, holds files that are no images, or is a class that training lacks.
    """
    folder = split_folder(data_dir, split, LAYOUT)
    names = _class_folders(folder)
    class_names = names
    if split != train_split and (data_dir / train_split).is_dir():
        class_names = _class_folders(data_dir / train_split)
    class_to_index = {name: index for index, name in enumerate(class_names)}
    for name in names:
        if name not in class_to_index:
            raise UserError(
                f"class {name!r} of {folder} is not among the {len(class_names)} classes of {data_dir / train_split}: "
                "add it there, or move it elsewhere"
            )
    images, labels = list_classes(folder, {name: class_to_index[name] for name in names})
    return Split(images, labels, tuple(class_names), class_to_index)


def list_classes(folder: Path, classes: dict[str, int]) -> tuple[list[Path], np.ndarray]:
    """List the images of the class folders ``classes`` (name -> index) in ``folder``.

    Returns:
        The files, class by class in the order given, and their labels ``[N] int32``.

    Raises:
        UserError: a class folder holds no image.
    """
    images: list[Path] = []
    counts = []
    for name in classes:
        found = list_images(folder / name)
        if not found:
            raise UserError(f"class folder {folder / name} holds no image: fill it or remove it")
        images += found
        counts.append(len(found))
    return images, np.repeat(np.array(list(classes.values()), np.int32), counts)


def refuse_loose_images(folder: Path) -> None:
    """Refuse images that lie beside the class folders, since they have no class.

    Other loose files (a licence, a list) are nobody's image and may stay.

    Raises:
        UserError: naming the first such image.
    """
    loose = loose_images(folder)
    if loose:
        raise UserError(
            f"{loose[0]} lies beside the class folders of {folder} and so has no class: "
            f"move it (and {len(loose) - 1} more) into a class folder or elsewhere"
        )


def loose_images(folder: Path) -> list[Path]:
    """The images that lie in ``folder`` itself, sorted; other files do not matter."""
    return list_images(folder, recursive=False, strict=False)


def _class_folders(folder: Path) -> list[str]:
    """The class names of a split's folder, sorted; there is at least one."""
    names = list_folders(folder)
    if not names:
        raise UserError(f"no class folders in {folder}; expected is {LAYOUT}")
    refuse_loose_images(folder)
    return names
