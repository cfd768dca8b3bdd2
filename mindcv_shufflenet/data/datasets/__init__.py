"""The data sets by name: ``open_split("digits", Request(Path(), "val"))``. Nothing in this folder imports MindSpore."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mindcv_shufflenet.data.datasets import cifar, digits, folder, idx, imagenet, mindrecord, tiny_imagenet
from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.data.listing import told_strangers
from mindcv_shufflenet.errors import UserError, unknown_name
from mindcv_shufflenet.options import names

__all__ = ["DATASETS", "Reader", "Request", "Split", "open_split", "register_dataset"]


@dataclass(frozen=True)
class Reader:
    """How a data set is read, and downloaded where that is possible.

    Attributes:
        read_split: reads one split.
        download: fetches the data set into a folder if it is not there; None: it cannot be downloaded.
    """

    read_split: Callable[[Request], Split]
    download: Callable[[Path], None] | None = None


# The data sets of options/names.py; register_dataset adds to both.
DATASETS: dict[str, Reader] = {
    "digits": Reader(digits.read_split),
    "folder": Reader(folder.read_split),
    "imagenet": Reader(imagenet.read_split),
    "tiny_imagenet": Reader(tiny_imagenet.read_split, tiny_imagenet.download),
    **{
        name: Reader(partial(cifar.read_split, row), partial(cifar.download, row))
        for name, row in (("cifar10", cifar.CIFAR10), ("cifar100", cifar.CIFAR100))
    },
    **{
        name: Reader(partial(idx.read_split, row), partial(idx.download, row))
        for name, row in (("mnist", idx.MNIST), ("fashion_mnist", idx.FASHION_MNIST))
    },
    "mindrecord": Reader(mindrecord.read_split),
}


def register_dataset(name: str, reader: Reader, traits: names.Traits | None = None) -> None:
    """Add a data set, so that ``--dataset NAME`` and every verb can use it; one of the same name is replaced.

    Args:
        name: of the data set.
        reader: how it is read.
        traits: what the options know of it; None: it lies in a folder, and training crops a resized area.

    Raises:
        UserError: these are something else.
    """
    if not isinstance(name, str) or not name or not isinstance(reader, Reader):
        raise UserError(f"register_dataset takes a name and a Reader, not {name!r} and {type(reader).__name__}")
    DATASETS[name] = reader
    names.DATASETS[name] = traits or names.Traits()


def open_split(dataset: str, request: Request, *, download: bool = False, keeps_faults: bool = False) -> Split:
    """Read one split of a data set; image files are listed, not opened.

    Args:
        dataset: a name of ``DATASETS``.
        request: which split.
        download: fetch the data set first if its files are missing.
        keeps_faults: return a split with faults too; otherwise it is refused.

    Raises:
        UserError: an unknown data set, one that cannot be downloaded, or data that are missing or wrong.
    """
    reader = DATASETS.get(dataset)
    if reader is None:
        raise UserError(unknown_name("data set", dataset, DATASETS))
    if download:
        if reader.download is None:
            able = ", ".join(name for name, other in DATASETS.items() if other.download)
            raise UserError(
                f"--dataset_download works for {able} alone: get {dataset} by hand and name it in --data_dir"
            )
        reader.download(request.data_dir)
    try:
        split = reader.read_split(request)
    except OSError as error:
        raise UserError(
            f"cannot read the data set {dataset} in {request.data_dir}: {error}; check its permissions"
        ) from error
    if split.faults and not keeps_faults:
        first, *others = split.faults
        raise UserError(f"{first} (`data check` lists {len(others)} more)" if others else first)
    return replace(split, notes=(*split.notes, *told_strangers(split.strangers)))
