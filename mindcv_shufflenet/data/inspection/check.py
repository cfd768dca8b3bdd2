"""``data check``: faults of folders, unreadable images, and equal images in one split, two splits or two classes."""

import hashlib
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image
from rich.console import Console

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.inspection.survey import Unreadable, image_names, survey


@dataclass(frozen=True)
class Copy:
    """One of several equal images.

    Attributes:
        split: the split that it is in.
        label: index of its class.
        class_name: name of its class.
        image: its path, or its place in the split.
    """

    split: str
    label: int
    class_name: str
    image: str


@dataclass(frozen=True)
class Duplicate:
    """Images with the same pixels, in files of any kind."""

    copies: tuple[Copy, ...]

    @property
    def is_leak(self) -> bool:
        """Whether they are in several splits: the network is validated on what it has seen."""
        return len({copy.split for copy in self.copies}) > 1

    @property
    def is_conflict(self) -> bool:
        """Whether they are in several classes: one of the labels is wrong."""
        return len({copy.label for copy in self.copies}) > 1


@dataclass(frozen=True)
class DataFindings:
    """What is wrong with a data set.

    Attributes:
        dataset: its name.
        data_dir: its folder.
        images: number of images of each split.
        faults: what is wrong with folders and lists, such as a class without an image; each says what to do.
        unreadable: images that cannot be decoded.
        strangers: files among the images that are not read, since they have no image's suffix.
        duplicates: equal images.
    """

    dataset: str
    data_dir: str
    images: dict[str, int]
    faults: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    strangers: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.faults or self.unreadable or self.strangers or self.duplicates)


def data_check(
    options: Mapping[str, Any], *, given: Collection[str] | None = None, console: Console | None = None
) -> DataFindings:
    """Decode every image of the training and the validation split and compare them.

    Two images are equal if they have the same size and the same pixels, upright and in RGB. So a copy that was saved
    as another kind of file is found if that kind loses nothing, such as PNG.

    Args:
        options: by name, as a recipe has them (docs/options.md); those that name the data are read.
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: an option is wrong, or the data are missing or packed.
    """
    found = survey("data_check", options, given, _digest, console)
    config, splits, digests = found
    return DataFindings(
        splits[config.train_split].dataset or config.dataset,
        config.data_dir,
        {name: len(split) for name, split in splits.items()},
        found.faults,
        tuple(image for seen in digests.values() for image in seen if isinstance(image, Unreadable)),
        tuple(dict.fromkeys(str(path) for split in splits.values() for path in split.strangers)),
        _duplicates(splits, digests),
    )


def _digest(picture: Image.Image) -> bytes:
    return hashlib.sha256(struct.pack("<II", *picture.size) + picture.tobytes()).digest()


def _duplicates(splits: dict[str, Split], digests: dict[str, list[bytes | Unreadable]]) -> tuple[Duplicate, ...]:
    """The groups of equal images, in the order of the first of each."""
    groups: dict[bytes, list[Copy]] = {}
    for name, split in splits.items():
        for digest, label, image in zip(digests[name], split.labels.tolist(), image_names(split, name), strict=True):
            if isinstance(digest, bytes):
                groups.setdefault(digest, []).append(Copy(name, label, split.class_names[label], image))
    return tuple(Duplicate(tuple(copies)) for copies in groups.values() if len(copies) > 1)
