"""Batches of a split, in an order and with an augmentation that depend on the seed and the epoch alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mindspore.dataset as ds
import numpy as np

from mindcv_shufflenet.config import Config
from mindcv_shufflenet.data.datasets.base import Split
from mindcv_shufflenet.data.erasing import Erasing
from mindcv_shufflenet.data.headers import find_undecodable
from mindcv_shufflenet.data.seeds import Stream, generator, pipeline_seed
from mindcv_shufflenet.data.transforms import Operation, eval_operations, train_operations
from mindcv_shufflenet.errors import UserError


class Batch(NamedTuple):
    """``image [N, C, H, W] float32``, ``label [N] int32``, ``valid [N] bool`` (False: padding)."""

    image: np.ndarray
    label: np.ndarray
    valid: np.ndarray


class Loader:
    """The batches of one split.

    Args:
        split: the images.
        operations: what makes an input of an image.
        batch_size: images a batch.
        workers: threads that prepare images.
        seed: of order and augmentation.
        shuffle: whether each epoch has its own order.
        drop_remainder: leave out the last batch if it is not full; otherwise it is shorter.
        pad_remainder: fill up the last batch with zeros, marked in ``valid``.
        erasing: erases rectangles of the finished images.
    """

    def __init__(
        self,
        split: Split,
        operations: list[Operation],
        *,
        batch_size: int,
        workers: int,
        seed: int = 0,
        shuffle: bool = False,
        drop_remainder: bool = False,
        pad_remainder: bool = False,
        erasing: Erasing | None = None,
    ) -> None:
        self.split = split
        self.operations = operations
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.shuffle = shuffle
        self.drop_remainder = drop_remainder
        self.pad_remainder = pad_remainder
        self.erasing = erasing

    def __len__(self) -> int:
        """Batches an epoch."""
        full, rest = divmod(len(self.split), self.batch_size)
        return full + (rest > 0 and not self.drop_remainder)

    def order(self, epoch: int) -> np.ndarray:
        """Return the indices of an epoch's images in the order in which they are read."""
        if not self.shuffle:
            return np.arange(len(self.split))
        return generator(self.seed, Stream.ORDER, epoch).permutation(len(self.split))

    def batches(self, epoch: int = 0, first: int = 0) -> Iterator[Batch]:
        """Give the batches of an epoch from batch ``first`` on.

        Raises:
            UserError: an image cannot be decoded; its path is named.
        """
        ds.config.set_seed(pipeline_seed(self.seed, epoch))
        pipeline = ds.GeneratorDataset(
            _Source(self.split),
            ["image", "label", "index"],
            sampler=self.order(epoch).tolist(),
            num_parallel_workers=1,
            python_multiprocessing=False,
        )
        pipeline = pipeline.map(self.operations, "image", num_parallel_workers=self.workers)
        pipeline = pipeline.batch(self.batch_size, drop_remainder=self.drop_remainder)
        rows = pipeline.create_tuple_iterator(num_epochs=1, output_numpy=True)
        try:
            for position, (image, label, index) in enumerate(rows):
                if position < first:
                    continue
                if self.erasing:
                    self.erasing(image, index, self.seed, epoch)
                yield self._finish(image, label)
        except RuntimeError as error:
            raise self._explain(error) from error
        finally:
            rows.stop()  # ends the pipeline's threads when the reader leaves early

    def _finish(self, image: np.ndarray, label: np.ndarray) -> Batch:
        missing = self.batch_size - len(label) if self.pad_remainder else 0
        valid = np.arange(len(label) + missing) < len(label)
        if missing:
            image = np.pad(image, [(0, missing)] + [(0, 0)] * (image.ndim - 1))
            label = np.pad(label, (0, missing))
        return Batch(image, label, valid)

    def _explain(self, error: RuntimeError) -> Exception:
        """Name the image that stopped the pipeline, if it is an image."""
        bad = find_undecodable(self.split.images) if isinstance(self.split.images, list) else []
        if not bad:
            return error
        return UserError(f"cannot decode the image {bad[0]} ({len(bad)} such); mend it or take it out of the data set")


class _Source:
    """The undecoded rows of a split, as MindSpore's generator reads them."""

    def __init__(self, split: Split) -> None:
        self.images = split.images
        self.labels = split.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32, np.int64]:
        image = self.images[index]
        pixels = np.fromfile(image, np.uint8) if isinstance(image, Path) else image
        return pixels, self.labels[index], np.int64(index)


def train_loader(config: Config, split: Split, workers: int) -> Loader:
    """Return the loader of training: shuffled, augmented, full batches.

    Raises:
        UserError: there are fewer images than a batch holds.
    """
    if config.drop_remainder and len(split) < config.batch_size:
        raise UserError(
            f"batch_size={config.batch_size} and only {len(split)} training images: no batch is full;"
            f" use --batch_size {len(split)} or less"
        )
    erasing = Erasing(config.re_prob, config.re_scale, config.re_ratio, config.re_value, config.re_max_attempts)
    return Loader(
        split,
        train_operations(config, encoded=isinstance(split.images, list)),
        batch_size=config.batch_size,
        workers=workers,
        seed=config.seed,
        shuffle=config.shuffle,
        drop_remainder=config.drop_remainder,
        erasing=erasing if config.re_prob else None,
    )


def eval_loader(config: Config, split: Split, workers: int) -> Loader:
    """Return the loader of validation: every image once, the last batch padded."""
    return Loader(
        split,
        eval_operations(config, encoded=isinstance(split.images, list)),
        batch_size=min(config.batch_size, len(split)),
        workers=workers,
        seed=config.seed,
        shuffle=config.eval_shuffle,
        pad_remainder=True,
    )
