"""The data sets by name: ``open_split("digits", Request(Path(), "val"))``. No MindSpore in this room."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mindcv_shufflenet.data.datasets import cifar10, digits, folder, imagenet, mindrecord, tiny_imagenet
from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.errors import UserError, nearest

__all__ = ["DATASETS", "Reader", "Request", "Split", "open_split"]


@dataclass(frozen=True)
class Reader:
    """How a data set is read, and fetched where that is possible."""

    read_split: Callable[[Request], Split]
    download: Callable[[Path], None] | None = None


DATASETS: dict[str, Reader] = {
    "digits": Reader(digits.read_split),
    "folder": Reader(folder.read_split),
    "imagenet": Reader(imagenet.read_split),
    "tiny_imagenet": Reader(tiny_imagenet.read_split),
    "cifar10": Reader(cifar10.read_split, cifar10.download),
    "mindrecord": Reader(mindrecord.read_split),
}


def open_split(dataset: str, request: Request, *, download: bool = False) -> Split:
    """Read one split of a data set; image files are listed, not opened.

    Args:
        dataset: a name of ``DATASETS``.
        request: which split.
        download: fetch the data set first if its files are missing; for ``cifar10`` alone.

    Raises:
        UserError: an unknown data set, one that cannot be downloaded, or data that are missing or wrong.
    """
    reader = DATASETS.get(dataset)
    if reader is None:
        raise UserError(
            f"unknown data set {dataset}{nearest(dataset.lower(), DATASETS)}; there are {', '.join(DATASETS)}"
        )
    if download:
        if reader.download is None:
            able = ", ".join(name for name, other in DATASETS.items() if other.download)
            raise UserError(
                f"--dataset_download works for {able} alone: get {dataset} by hand and name it in --data_dir"
            )
        reader.download(request.data_dir)
    try:
        return reader.read_split(request)
    except OSError as error:
        raise UserError(
            f"cannot read the data set {dataset} in {request.data_dir}: {error}; check its permissions"
        ) from error
