"""Batches of a split, in an order and with an augmentation that depend on the seed and the epoch alone.

Several ranks read the same order: a step's images are the next ``batch_size`` times ranks ones, which the ranks deal
out among them one by one.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mindspore.dataset as ds
import numpy as np

from mindcv_shufflenet.data.datasets.base import Records, Split
from mindcv_shufflenet.data.decoding import decodable
from mindcv_shufflenet.data.erasing import Erasing
from mindcv_shufflenet.data.image_check import find_undecodable
from mindcv_shufflenet.data.mixing import Mixing
from mindcv_shufflenet.data.seeds import Stream, generator, pipeline_seed
from mindcv_shufflenet.data.transforms import Operation, eval_operations, train_operations
from mindcv_shufflenet.errors import UserError, first_line
from mindcv_shufflenet.options.config import Config

COLUMNS = ["image", "label"]


class Batch(NamedTuple):
    """``image [N, C, H, W] float32``, ``label [N] int32``, ``valid [N] bool`` (False: padding).

    Where the loader mixes images, the label is ``[N, num_classes] float32``, the share of each class.
    """

    image: np.ndarray
    label: np.ndarray
    valid: np.ndarray


class Loader:
    """The batches of one split.

    Args:
        split: the images.
        operations: what makes an input of an image.
        batch_size: images a batch of one rank.
        workers: threads that prepare images.
        seed: of order and augmentation.
        shuffle: whether each epoch has its own order.
        drop_remainder: leave out the last images of an epoch that do not fill the batches of all ranks; otherwise their
            batches are shorter, and where they do not share out evenly the epoch's first images fill them up.
        pad_remainder: share out each image once, which may give a rank a batch less, and fill up the last batch with
            zeros, marked in ``valid``.
        repeats: an epoch shows one in so many images, each that often in a row and augmented anew (Hoffer et al. 2019,
            arXiv:1901.09335), so it is as long whatever this is. Several ranks share out the repetitions.
        erasing: erases rectangles of the finished images.
        mixing: mixes the images of a batch after that.
        rank: whose batches these are.
        ranks: how many ranks share the images.
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
        repeats: int = 1,
        erasing: Erasing | None = None,
        mixing: Mixing | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.split = split
        self.operations = operations
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.shuffle = shuffle
        self.drop_remainder = drop_remainder
        self.pad_remainder = pad_remainder
        self.repeats = repeats
        self.erasing = erasing
        self.mixing = mixing
        self.rank = rank
        self.ranks = ranks

    def __len__(self) -> int:
        """Batches of this rank an epoch."""
        return math.ceil(len(self.places()) / self.batch_size)

    @property
    def smallest_batch(self) -> int:
        """How many images the epoch's last batch of this rank has, without padding."""
        return (len(self.places()) - 1) % self.batch_size + 1

    @property
    def filled_up(self) -> int:
        """How many images an epoch reads once more, so that its last batches are equally long on all ranks."""
        return 0 if self.drop_remainder or self.pad_remainder else -len(self.split) % self.ranks

    def order(self, epoch: int) -> np.ndarray:
        """Return the indices of an epoch's images in the order in which all ranks together read them."""
        images = np.arange(len(self.split))
        if self.shuffle:
            images = generator(self.seed, Stream.ORDER, epoch).permutation(len(self.split))
        return images[np.arange(len(images)) // self.repeats]

    def places(self) -> range:
        """Return the places in an epoch's order that this rank reads; what fills up the end counts on behind it."""
        count = len(self.split)
        if self.pad_remainder:
            return range(*(math.ceil(rank * count / self.ranks) for rank in (self.rank, self.rank + 1)))
        count += self.filled_up
        if self.drop_remainder:
            count -= count % (self.batch_size * self.ranks)
        return range(self.rank, count, self.ranks)

    def batches(self, epoch: int = 0, first: int = 0) -> Iterator[Batch]:
        """Give the batches of an epoch from batch ``first`` on.

        Raises:
            UserError: an image cannot be decoded; its path is named.
        """
        places = self.places()
        if not places:
            return
        ds.config.set_seed(pipeline_seed(self.seed, epoch, self.rank))
        pipeline = self._open(self.order(epoch)[np.array(places) % len(self.split)].tolist())
        pipeline = pipeline.map(self.operations, "image", num_parallel_workers=self.workers)
        pipeline = pipeline.batch(self.batch_size)
        rows = None
        try:
            rows = pipeline.create_tuple_iterator(num_epochs=1, output_numpy=True)
            for number, (image, label) in enumerate(rows):
                if number < first:
                    continue
                if self.erasing:
                    start = number * self.batch_size
                    self.erasing(image, places[start : start + len(image)], self.seed, epoch)
                if self.mixing:
                    label = self.mixing(image, label, self.seed, epoch, number)
                yield self._finish(image, label)
        except RuntimeError as error:
            raise self._explain(error) from error
        finally:
            if rows:
                rows.stop()  # ends the pipeline's threads when the reader leaves early

    def _open(self, indices: list[int]) -> ds.Dataset:
        """Return the undecoded rows ``image, label`` of some images of the split."""
        images = self.split.images
        if isinstance(images, Records):
            rows = images.rows[indices].tolist()
            return ds.MindDataset(
                list(images.files), COLUMNS, num_parallel_workers=1, shuffle=None, sampler=ds.SubsetSampler(rows)
            )
        return ds.GeneratorDataset(
            _Source(images, self.split.labels),
            COLUMNS,
            sampler=indices,
            num_parallel_workers=1,
            python_multiprocessing=False,
        )

    def _finish(self, image: np.ndarray, label: np.ndarray) -> Batch:
        missing = self.batch_size - len(label) if self.pad_remainder else 0
        valid = np.arange(len(label) + missing) < len(label)
        if missing:
            image = np.pad(image, [(0, missing)] + [(0, 0)] * (image.ndim - 1))
            label = np.pad(label, (0, missing))
        return Batch(image, label, valid)

    def _explain(self, error: RuntimeError) -> Exception:
        """Name what stopped the pipeline, if it is an image or a file of records."""
        if isinstance(self.split.images, Records):
            folder = Path(self.split.images.files[0]).parent
            return UserError(
                f"cannot read the MindRecord files in {folder} ({first_line(error)});"
                " copy them there again or pack anew"
            )
        bad = find_undecodable(self.split.images) if isinstance(self.split.images, list) else []
        if not bad:
            return error
        return UserError(f"cannot decode the image {bad[0]} ({len(bad)} such); mend it or take it out of the data set")


class _Source:
    """The undecoded rows of a split, as MindSpore's generator reads them."""

    def __init__(self, images: list[Path] | np.ndarray, labels: np.ndarray) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
        image = self.images[index]
        if isinstance(image, Path):
            image = np.frombuffer(decodable(image.read_bytes()), np.uint8)
        return image, self.labels[index]


def train_loader(config: Config, split: Split, workers: int, rank: int = 0, ranks: int = 1) -> Loader:
    """Return the loader of training: shuffled, augmented, full batches.

    Raises:
        UserError: there are fewer images than the batches of all ranks hold.
    """
    if len(split) < ranks:
        raise UserError(f"{ranks} ranks and only {len(split)} training images; start {len(split)} ranks at most")
    if config.aug_repeats > len(split):
        raise UserError(f"aug_repeats={config.aug_repeats} and only {len(split)} training images; use a smaller one")
    if config.drop_remainder and len(split) < config.batch_size * ranks:
        on_ranks = f" on {ranks} ranks" if ranks > 1 else ""
        raise UserError(
            f"batch_size={config.batch_size}{on_ranks} and only {len(split)} training images: no batch is full;"
            f" use --batch_size {len(split) // ranks} or less"
        )
    erasing = Erasing(config.re_prob, config.re_scale, config.re_ratio, config.re_value, config.re_max_attempts)
    mixing = Mixing(config.mixup, config.cutmix, config.cutmix_prob, split.num_classes)
    return Loader(
        split,
        train_operations(config, encoded=not isinstance(split.images, np.ndarray)),
        batch_size=config.batch_size,
        workers=workers,
        seed=config.seed,
        shuffle=config.shuffle,
        drop_remainder=config.drop_remainder,
        repeats=max(config.aug_repeats, 1),
        erasing=erasing if config.re_prob else None,
        mixing=mixing if config.mixup or config.cutmix else None,
        rank=rank,
        ranks=ranks,
    )


def eval_loader(config: Config, split: Split, workers: int, rank: int = 0, ranks: int = 1) -> Loader:
    """Return the loader of validation: every image once, on one of the ranks, the last batch padded."""
    return Loader(
        split,
        eval_operations(config, encoded=not isinstance(split.images, np.ndarray)),
        batch_size=min(config.batch_size, math.ceil(len(split) / ranks)),
        workers=workers,
        seed=config.seed,
        shuffle=config.eval_shuffle,
        pad_remainder=True,
        rank=rank,
        ranks=ranks,
    )
