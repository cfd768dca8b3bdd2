"""``data stats``: how many images a data set has, of which sizes, and their mean and standard deviation."""

import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.inspection.survey import Unreadable, survey

_logger = logging.getLogger(__name__)
Size = tuple[int, int]
# The values of a channel, and their squares.
_VALUES = np.arange(256)
_POWERS = np.stack([_VALUES, _VALUES**2], axis=1)


@dataclass(frozen=True)
class Sizes:
    """The sizes of the images of a split, each width and height in pixels, upright.

    Attributes:
        smallest: the one with the fewest pixels.
        median: the one in the middle when they are ordered by their number of pixels.
        largest: the one with the most.
        aspect_ratios: smallest, median and largest width / height.
    """

    smallest: Size
    median: Size
    largest: Size
    aspect_ratios: tuple[float, float, float]


@dataclass(frozen=True)
class SplitStats:
    """One split.

    Attributes:
        images: how many it has, with the unreadable ones.
        per_class: how many of each class, likewise.
        sizes: of the readable ones; None: there is none.
        unreadable: those that cannot be decoded.
    """

    images: int
    per_class: tuple[int, ...]
    sizes: Sizes | None
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True)
class DataStats:
    """A data set.

    Attributes:
        dataset: its name.
        data_dir: its folder.
        train_split: the split whose mean and standard deviation these are.
        class_names: in the order of their indices.
        splits: by name.
        mean: of R, G and B over all pixels of the readable training images as they are, upright and not resized, of
            0..255; None: there is none.
        std: the standard deviation, likewise.
    """

    dataset: str
    data_dir: str
    train_split: str
    class_names: tuple[str, ...]
    splits: dict[str, SplitStats]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None

    @property
    def train(self) -> SplitStats:
        """The training split."""
        return self.splits[self.train_split]

    @property
    def is_grey(self) -> bool:
        """Whether the three channels have the same mean and standard deviation, as those of grey images."""
        return self.mean is not None and self.std is not None and len({*self.mean}) == len({*self.std}) == 1


class _Measured(NamedTuple):
    """What is kept of an image: its size, and ``[3, 2] int64``, the sums of the values of R, G, B and their squares."""

    size: Size
    sums: np.ndarray


def data_stats(
    options: Mapping[str, Any], *, given: Collection[str] | None = None, console: Console | None = None
) -> DataStats:
    """Count the images of the training and the validation split, and measure every one.

    The sums over all pixels are exact: they are added up as integers.

    Args:
        options: by name, as a recipe has them (docs/options.md); those that name the data are read.
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: an option is wrong, or the data are missing or packed.
    """
    found = survey("data_stats", options, given, _measure, console)
    for fault in found.faults:
        _logger.info(fault)
    config, splits, seen = found
    train = splits[config.train_split]
    mean, std = _moments([image for image in seen[config.train_split] if isinstance(image, _Measured)])
    return DataStats(
        train.dataset or config.dataset,
        config.data_dir,
        config.train_split,
        train.class_names,
        {name: _describe(split, seen[name]) for name, split in splits.items()},
        mean,
        std,
    )


def _measure(picture: Image.Image) -> _Measured:
    counts = np.array(picture.histogram()).reshape(3, 256)
    return _Measured(picture.size, counts @ _POWERS)


def _moments(images: list[_Measured]) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """The mean and the standard deviation of each channel over all pixels; None without images."""
    if not images:
        return None, None
    pixels = sum(math.prod(image.size) for image in images)
    # int64 holds the squares of 10^14 pixels, and Python's integers the products below
    sums = np.sum([image.sums for image in images], axis=0).tolist()
    mean = tuple(total / pixels for total, _ in sums)
    std = tuple(math.sqrt(pixels * squares - total**2) / pixels for total, squares in sums)
    return mean, std


def _describe(split: Split, seen: list[_Measured | Unreadable]) -> SplitStats:
    counts = np.bincount(split.labels, minlength=split.num_classes).tolist()
    sizes = [image.size for image in seen if isinstance(image, _Measured)]
    unreadable = tuple(image for image in seen if isinstance(image, Unreadable))
    return SplitStats(len(split), tuple(counts), _sizes(sizes), unreadable)


def _sizes(sizes: list[Size]) -> Sizes | None:
    if not sizes:
        return None
    ordered = sorted(sizes, key=math.prod)
    ratios = sorted(width / height for width, height in sizes)
    middle = len(sizes) // 2
    return Sizes(ordered[0], ordered[middle], ordered[-1], (ratios[0], ratios[middle], ratios[-1]))
