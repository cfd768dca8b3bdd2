"""Batches of a split. Order and augmentation depend on the seed and the epoch alone.

All ranks use the same order. The images of a step are the next ``batch_size * ranks`` ones; rank ``r`` reads every
``ranks``-th of them, from the ``r``-th on.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import mindspore.dataset as ds
import numpy as np

from mindcv_shufflenet.data.augmentation.batch import BatchAugmentation
from mindcv_shufflenet.data.augmentation.erasing import Erasing
from mindcv_shufflenet.data.augmentation.mixing import Mixing
from mindcv_shufflenet.data.augmentation.views import Views
from mindcv_shufflenet.data.datasets.base import Split
from mindcv_shufflenet.data.seeds import Stream, generator, pipeline_seed
from mindcv_shufflenet.data.transforms import Operations, eval_operations, train_operations, train_policy
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.augmentation import Augmentation
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.size_schedule import size_at


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
        operations: from an image to the network's input, by the epoch.
        batch_size: images a batch of one rank.
        workers: threads that prepare images.
        seed: of order and augmentation.
        shuffle: whether each epoch has its own order.
        drop_remainder: leave out the last images of an epoch that do not fill the batches of all ranks. Otherwise the
            last batches are shorter; if they differ between ranks, the epoch's first images fill them up.
        pad_remainder: read each image once over all ranks, and fill up the last batch with zeros, marked in ``valid``.
            A rank may have one batch less than another.
        augmentation: of batches; None: there is none.
        rank: of these batches.
        ranks: number of ranks that share the images.
    """

    def __init__(
        self,
        split: Split,
        operations: Callable[[int], Operations],
        *,
        batch_size: int,
        workers: int,
        seed: int = 0,
        shuffle: bool = False,
        drop_remainder: bool = False,
        pad_remainder: bool = False,
        augmentation: BatchAugmentation | None = None,
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
        self.augmentation = augmentation or BatchAugmentation()
        self.rank = rank
        self.ranks = ranks

    def __len__(self) -> int:
        """Batches of this rank an epoch."""
        return math.ceil(len(self.places()) / self.batch_size)

    @property
    def views(self) -> int:
        """Number of views that a batch has of each image."""
        return len(self.augmentation.columns)

    @property
    def smallest_batch(self) -> int:
        """Number of inputs in the epoch's last batch of this rank, without padding."""
        return ((len(self.places()) - 1) % self.batch_size + 1) * self.views

    @property
    def filled_up(self) -> int:
        """Number of images that an epoch reads twice, so that the last batches of all ranks are equally long."""
        return 0 if self.drop_remainder or self.pad_remainder else -len(self.split) % self.ranks

    def order(self, epoch: int) -> np.ndarray:
        """Return the indices of an epoch's images, ``[N] int64``, in the order in which all ranks together read."""
        images = np.arange(len(self.split))
        if self.shuffle:
            images = generator(self.seed, Stream.ORDER, epoch).permutation(len(self.split))
        return images[np.arange(len(images)) // self.augmentation.repeats]

    def places(self) -> range:
        """Return the places in an epoch's order that this rank reads; those past its end begin at 0 again."""
        count = len(self.split)
        if self.pad_remainder:
            return range(*(math.ceil(rank * count / self.ranks) for rank in (self.rank, self.rank + 1)))
        count += self.filled_up
        if self.drop_remainder:
            count -= count % (self.batch_size * self.ranks)
        return range(self.rank, count, self.ranks)

    def batches(self, epoch: int = 0, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``first`` on.

        Raises:
            UserError: an image cannot be decoded; its path is named.
        """
        places = self.places()
        if not places:
            return
        augmentation, operations = self.augmentation, self.operations(epoch)
        ds.config.set_seed(pipeline_seed(self.seed, epoch, self.rank))
        rows = None
        try:
            rows = self._pipeline(operations, epoch, places).create_tuple_iterator(
                [*augmentation.columns, "label"], num_epochs=1, output_numpy=True
            )
            for number, (*views, label) in enumerate(rows):
                if number < first:
                    continue
                image = operations.normalise(np.concatenate(views) if len(views) > 1 else views[0])
                if augmentation.erasing:
                    start = number * self.batch_size
                    keys = self._keys(places[start : start + len(label)])
                    augmentation.erasing(image, keys, self.seed, epoch)
                if augmentation.mixing:
                    label = augmentation.mixing(image, label, self.seed, epoch, number)
                yield self._finish(image, np.concatenate([label] * len(views)))
        except RuntimeError as error:
            raise self.split.images.explain(error) from error
        finally:
            if rows:
                rows.stop()  # end the pipeline's threads, also when the reader leaves early

    def _pipeline(self, operations: Operations, epoch: int, places: range) -> ds.Dataset:
        """Return batches of the columns ``image``, those of further views (``uint8 [N, C, H, W]``), and ``label``."""
        indices = self.order(epoch)[np.array(places) % len(self.split)]
        pipeline = self.split.images.open(self.split.labels, indices)
        if self.augmentation.views is None:
            whole = [*operations.view, *operations.planes]
            pipeline = pipeline.map(whole, "image", num_parallel_workers=self.workers)
        else:
            pipeline = pipeline.map(operations.view, "image", num_parallel_workers=self.workers)
            pipeline = self.augmentation.views.map(pipeline, places, epoch, self.workers)
            for column in self.augmentation.columns:
                pipeline = pipeline.map(operations.planes, column, num_parallel_workers=self.workers)
        return pipeline.batch(self.batch_size)

    def _keys(self, places: range) -> list[int]:
        """Return a number for each input of a batch that no other input of the epoch has: of first views the place."""
        count = len(self.split) + self.filled_up
        return [view * count + place for view in range(self.views) for place in places]

    def _finish(self, image: np.ndarray, label: np.ndarray) -> Batch:
        missing = self.batch_size - len(label) if self.pad_remainder else 0
        valid = np.arange(len(label) + missing) < len(label)
        if missing:
            image = np.pad(image, [(0, missing)] + [(0, 0)] * (image.ndim - 1))
            label = np.pad(label, (0, missing))
        return Batch(image, label, valid)


def train_loader(config: Config, split: Split, workers: int, rank: int = 0, ranks: int = 1) -> Loader:
    """Return the loader of training: shuffled, augmented, full batches.

    Raises:
        UserError: there are too few images for the ranks, ``aug_repeats`` or a full batch.
    """
    if len(split) < ranks:
        raise UserError(
            f"{ranks} ranks and only {counted(len(split), 'training image')}; start as many as images at most"
        )
    if config.aug_repeats > len(split):
        raise UserError(
            f"aug_repeats={config.aug_repeats} and only {counted(len(split), 'training image')}; use a smaller one"
        )
    if config.drop_remainder and len(split) < config.batch_size * ranks:
        on_ranks = f" on {ranks} ranks" if ranks > 1 else ""
        raise UserError(
            f"batch_size={config.batch_size}{on_ranks} and only {counted(len(split), 'training image')}: no batch is"
            f" full; use --batch_size {len(split) // ranks} or less"
        )
    augmentation, preprocessing = Augmentation.of(config), Preprocessing.of(config)

    def operations(epoch: int) -> Operations:
        sized = replace(preprocessing, image_resize=size_at(config.stages, epoch))
        return train_operations(augmentation, sized, encoded=split.images.encoded)

    policy = train_policy(augmentation, preprocessing)
    erasing = Erasing(config.re_prob, config.re_scale, config.re_ratio, config.re_value, config.re_max_attempts)
    mixing = Mixing(config.mixup, config.cutmix, config.cutmix_prob, split.num_classes, config.mixup_off_epoch)
    return Loader(
        split,
        operations,
        batch_size=config.batch_size,
        workers=workers,
        seed=config.seed,
        shuffle=config.shuffle,
        drop_remainder=config.drop_remainder,
        augmentation=BatchAugmentation(
            max(config.aug_repeats, 1),
            Views(policy, config.seed, config.aug_splits) if policy else None,
            erasing if config.re_prob else None,
            mixing if config.mixup or config.cutmix else None,
        ),
        rank=rank,
        ranks=ranks,
    )


def eval_loader(config: Config, split: Split, workers: int, rank: int = 0, ranks: int = 1) -> Loader:
    """Return the loader of validation: every image once, on one of the ranks, the last batch padded."""
    operations = eval_operations(Preprocessing.of(config), encoded=split.images.encoded)
    return Loader(
        split,
        lambda _: operations,
        batch_size=min(config.batch_size, math.ceil(len(split) / ranks)),
        workers=workers,
        seed=config.seed,
        shuffle=config.eval_shuffle,
        pad_remainder=True,
        rank=rank,
        ranks=ranks,
    )
