"""Image sources: where the undecoded images of a split come from. Files, pixels in memory, or packed records.

Every source is an :class:`ImageSource`. Its user does not ask which one it has. The transforms ask only whether its
rows are encoded, since MindSpore decodes and crops an encoded image in one operation. No module of MindSpore is loaded
before a pipeline is opened, so that data sets are read without it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from mindcv_shufflenet.data.decoding import decodable
from mindcv_shufflenet.data.encoding import FileOriginal, Original, PixelOriginal
from mindcv_shufflenet.data.image_check import check_images, find_undecodable
from mindcv_shufflenet.errors import UserError, first_line

if TYPE_CHECKING:
    import mindspore.dataset as ds

COLUMNS = ["image", "label"]

Indices = Sequence[int] | np.ndarray


class ImageSource(Protocol):
    """The undecoded images of a split, in a fixed order.

    Attributes:
        encoded: rows hold the bytes of an image file (``uint8 [length]``) rather than pixels (``uint8 [H, W, 3]``).
    """

    encoded: ClassVar[bool]

    def __len__(self) -> int:
        """Number of images."""
        ...

    def take(self, indices: Indices) -> "ImageSource":
        """Return a source of the images at these indices, in this order."""
        ...

    def check(self, root: Path) -> None:
        """Check that no image ends the decoder's process.

        Args:
            root: folder of the data set.

        Raises:
            UserError: an image is damaged; it is named.
        """
        ...

    def fingerprint(self, root: Path) -> list[object]:
        """Return values for JSON that differ where the images differ; no image is opened.

        Args:
            root: folder of the data set. File names are relative to it.

        Raises:
            UserError: a file is gone.
        """
        ...

    def image_files(self) -> Sequence[Path]:
        """Return the file of each image, in their order; nothing where they have no files of their own."""
        ...

    def originals(self) -> Sequence[Original]:
        """Return the images one by one, as they are.

        Raises:
            UserError: they are packed already.
        """
        ...

    def open(self, labels: np.ndarray, indices: Indices) -> "ds.Dataset":
        """Return a pipeline of rows ``image, label``.

        Args:
            labels: of all images of this source, ``[N] int32``.
            indices: the images to read, in this order.
        """
        ...

    def explain(self, error: RuntimeError) -> Exception:
        """Return the error that names what stopped the pipeline, or the given one if that is not known."""
        ...


@dataclass(frozen=True)
class Files:
    """Image files.

    Attributes:
        paths: of the files.
    """

    encoded: ClassVar[bool] = True

    paths: list[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: Indices) -> "Files":
        """Return a source of the images at these indices, in this order."""
        return Files([self.paths[index] for index in indices])

    def check(self, root: Path) -> None:
        """Look at the header of every file that was not looked at before; see :func:`check_images`."""
        check_images(self.paths, root)

    def fingerprint(self, root: Path) -> list[object]:
        """Return the relative path and the size of every file."""
        try:
            return [[os.path.relpath(path, root), path.stat().st_size] for path in self.paths]
        except OSError as error:
            raise UserError(f"cannot read {error.filename}: {error.strerror}; look at the data set") from error

    def image_files(self) -> Sequence[Path]:
        """Return the paths."""
        return self.paths

    def originals(self) -> Sequence[Original]:
        """Return the files one by one."""
        return [FileOriginal(path) for path in self.paths]

    def open(self, labels: np.ndarray, indices: Indices) -> "ds.Dataset":
        """Return a pipeline of rows ``image, label``; other kinds of image than MindSpore reads are converted."""
        return _generate(self._read, labels, indices)

    def explain(self, error: RuntimeError) -> Exception:
        """Decode all files to find the ones that fail."""
        bad = find_undecodable(self.paths)
        if not bad:
            return error
        return UserError(f"cannot decode the image {bad[0]} ({len(bad)} such); mend it or take it out of the data set")

    def _read(self, index: int) -> np.ndarray:
        return np.frombuffer(decodable(self.paths[index].read_bytes()), np.uint8)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images in memory.

    Attributes:
        array: ``[N, H, W, 3] uint8``, RGB.
    """

    encoded: ClassVar[bool] = False

    array: np.ndarray

    def __len__(self) -> int:
        return len(self.array)

    def take(self, indices: Indices) -> "Pixels":
        """Return a source of the images at these indices, in this order."""
        return Pixels(self.array[np.asarray(indices, int)])

    def check(self, root: Path) -> None:
        """Do nothing: pixels need no decoder."""

    def fingerprint(self, root: Path) -> list[object]:  # noqa: ARG002 - of the protocol
        """Return the shape."""
        return [self.array.shape]

    def image_files(self) -> Sequence[Path]:
        """Return nothing."""
        return ()

    def originals(self) -> Sequence[Original]:
        """Return the images one by one."""
        return [PixelOriginal(image) for image in self.array]

    def open(self, labels: np.ndarray, indices: Indices) -> "ds.Dataset":
        """Return a pipeline of rows ``image, label``."""
        return _generate(self.array.__getitem__, labels, indices)

    def explain(self, error: RuntimeError) -> Exception:
        """Return the error: no image can be the reason."""
        return error


@dataclass(frozen=True, eq=False)
class Records:
    """Image files in MindRecord files.

    Attributes:
        files: in the order of their records.
        rows: number of each image's record, counted over all files, ``[N] int64``.
        checksum: of all records in the files, from the manifest.
    """

    encoded: ClassVar[bool] = True

    files: tuple[str, ...]
    rows: np.ndarray
    checksum: str

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: Indices) -> "Records":
        """Return a source of the images at these indices, in this order."""
        return Records(self.files, self.rows[np.asarray(indices, int)], self.checksum)

    def check(self, root: Path) -> None:
        """Do nothing: every image was decoded when it was packed."""

    def fingerprint(self, root: Path) -> list[object]:  # noqa: ARG002 - of the protocol
        """Return the checksum of the records and the rows."""
        return [self.checksum, self.rows.tolist()]

    def image_files(self) -> Sequence[Path]:
        """Return nothing."""
        return ()

    def originals(self) -> Sequence[Original]:
        """Refuse to pack again what is packed."""
        raise UserError("these images are packed already")

    def open(self, labels: np.ndarray, indices: Indices) -> "ds.Dataset":  # noqa: ARG002 - of the protocol
        """Return a pipeline of rows ``image, label``; the labels are those of the records."""
        import mindspore.dataset as ds

        rows = ds.SubsetSampler(self.rows[np.asarray(indices, int)].tolist())
        return ds.MindDataset(list(self.files), COLUMNS, num_parallel_workers=1, shuffle=None, sampler=rows)

    def explain(self, error: RuntimeError) -> Exception:
        """Name the folder of the files: they can no longer be read."""
        folder = Path(self.files[0]).parent
        return UserError(
            f"cannot read the MindRecord files in {folder} ({first_line(error)}); copy them there again or pack anew"
        )


class _Rows:
    """Rows ``image, label`` by index, as MindSpore's generator reads them."""

    def __init__(self, read: Callable[[int], np.ndarray], labels: np.ndarray) -> None:
        self.read = read
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
        return self.read(index), self.labels[index]


def _generate(read: Callable[[int], np.ndarray], labels: np.ndarray, indices: Indices) -> "ds.Dataset":
    import mindspore.dataset as ds

    return ds.GeneratorDataset(
        _Rows(read, labels),
        COLUMNS,
        sampler=[int(index) for index in indices],
        num_parallel_workers=1,
        python_multiprocessing=False,
    )
