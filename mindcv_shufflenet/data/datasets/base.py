"""What data-set readers have in common: the request, and the split that they return."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.listing import list_folders
from mindcv_shufflenet.data.sources import ImageSource, Indices
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import Classes, HeldOut


@dataclass(frozen=True)
class Request:
    """Which split of a data set is read, and how.

    Attributes:
        data_dir: the data set's folder. ``digits`` does not use it.
        split: the split to read: ``train_split``, ``val_split`` or another that the data set has.
        train_split: the training split, which determines the class indices of a ``folder`` data set.
        val_split: the validation split. The name ``val`` stands for the data set's own name of it.
        val_ratio: share of the images that is held out if a ``folder`` data set has no validation split; None: none.
        seed: of the random choice of these images.
        classes: of the run whose weights are used; they determine the class indices of a ``folder`` data set.
        held_out: the images that this run has held out; they are used instead of a new choice.
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
    """One split of a data set, undecoded.

    Attributes:
        images: in a fixed order; files, pixels in memory, or packed records.
        labels: class indices ``[N] int32``, in the order of ``images``.
        class_names: the name of class ``i`` at position ``i``. Names for people: ImageNet has two called ``crane``.
        class_to_index: folder name, wnid or class name -> index, for every class of the data set.
        notes: lines for the user.
        held_out: the validation images, if they were drawn from the training images.
        is_guess: class indices are positions among the folders of a split that is not the training split, because
            nothing else determines them.
        dataset: the data set that this was read as, if it is another than the requested one.
        strangers: files among the images that are not read, since they have no image's suffix.
        faults: what is wrong with folders and lists, each with what to do. What is faulty is left out of the images.
    """

    images: ImageSource
    labels: np.ndarray
    class_names: tuple[str, ...]
    class_to_index: dict[str, int]
    notes: tuple[str, ...] = ()
    held_out: HeldOut | None = None
    is_guess: bool = False
    dataset: str | None = None
    strangers: tuple[Path, ...] = ()
    faults: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Indices) -> "Split":
        """Return a split of the images at these indices, in this order."""
        return replace(self, images=self.images.take(indices), labels=self.labels[np.asarray(indices, int)])

    @property
    def num_classes(self) -> int:
        """Number of classes of the data set; this split may have no image of some."""
        return len(self.class_names)


def split_checksum(split: Split, data_dir: str | os.PathLike[str]) -> str:
    """Return a sha256 that differs where a file of the split is another, has another size or is of another class.

    Args:
        split: its files are looked up but not opened. Of pixels the shape counts, of records the manifest.
        data_dir: the data set's folder. It may be moved: paths are relative to it.

    Raises:
        UserError: a file is gone.
    """
    text = json.dumps([split.images.fingerprint(Path(data_dir)), split.labels.tolist(), split.class_to_index])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def split_folder(data_dir: Path, split: str, expected: str, why: str = "") -> Path:
    """Return the folder of a split.

    Args:
        data_dir: the data set's folder.
        split: the name of the split.
        expected: the layout of files in ``data_dir``, for the message.
        why: the reason why ``data_dir`` cannot be read without splits, for the message.

    Raises:
        UserError: ``data_dir`` or the split's folder does not exist.
    """
    if not data_dir.is_dir():
        raise UserError(f"no folder {data_dir}: --data_dir must name a folder that holds {expected}")
    folder = data_dir / split
    if not folder.is_dir():
        there = ", ".join(list_folders(data_dir)[:10]) or "none"
        raise UserError(
            f"no folder {folder} (folders in {data_dir}: {there}{why}): give --data_dir a folder that holds {expected};"
            " --train_split and --val_split take other names"
        )
    return folder
