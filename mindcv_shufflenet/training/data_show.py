"""``data show``: what a training will see, before it begins: augmented images and the learning rate."""

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import Batch, eval_loader, train_loader
from mindcv_shufflenet.data.open import evenly_spaced, open_data
from mindcv_shufflenet.data.transforms import denormalise
from mindcv_shufflenet.errors import UserError, check_counts
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.report.contact_sheet import Cell, Row, draw
from mindcv_shufflenet.runtime.cores import count_workers
from mindcv_shufflenet.training.checks.before_start import schedule_notes
from mindcv_shufflenet.training.schedules import learning_rates
from mindcv_shufflenet.weights.provenance import settle

# What still can be looked at.
MOST_IMAGES, MOST_VIEWS = 100, 50

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataShown:
    """A picture of what a training will see.

    Attributes:
        file: the picture.
        dataset: the data set.
        images: how many of its training images are shown.
        views: augmented views of each.
        epochs: of the training.
        steps_per_epoch: of one rank alone.
        highest_lr: the highest learning rate.
    """

    file: str
    dataset: str
    images: int
    views: int
    epochs: int
    steps_per_epoch: int
    highest_lr: float


def data_show(
    options: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    images: int = 8,
    views: int = 6,
    given: Collection[str] | None = None,
) -> DataShown:
    """Draw augmented training images as the network will see them, and the learning rate over the epochs.

    The images are evenly spaced over the classes and go through the loader of the training, in one batch, once
    for each view; so mixing is among themselves. The first column has them as they are validated.

    Args:
        options: by name, as ``train`` takes them.
        path: the PNG or SVG file to write.
        images: how many to show; fewer if there are fewer.
        views: augmented views of each.
        given: names of the options that the log names where they have no effect; None: all of ``options``.

    Raises:
        UserError: an option is wrong, or data or weights are missing, as ``train`` would tell; or the picture cannot be
            written.
    """
    check_counts(images=images, views=views)
    if images > MOST_IMAGES or views > MOST_VIEWS:
        raise UserError(f"a picture has at most {MOST_IMAGES} images in {MOST_VIEWS} views; give a smaller number")
    settled = settle(options)
    config = settled.config
    workers, adapted = count_workers(config.num_parallel_workers)
    split = open_data(config, config.train_split, num_samples=config.num_samples)
    loader = train_loader(config, split, workers)
    unused = notes_on_options("train", config, options if given is None else given)
    for note in (*settled.notes, *unused, *adapted, *split.notes, *schedule_notes(config)):
        _logger.info(note)
    rates = learning_rates(config, len(loader))
    by_class = split.take(np.argsort(split.labels, kind="stable"))
    shown = evenly_spaced(by_class, min(images, len(split)))
    name = split.dataset or config.dataset
    rows = rows_of(config, shown, views, workers)
    columns = len(rows[0].cells) - 1
    title = f"{name}, {config.train_split}: first as validated, then in {counted(columns, 'augmented view')}"
    steps = counted(len(loader), "step")
    curve = f"{config.scheduler}, batch size {config.batch_size}, {steps} an epoch on one rank"
    draw(Path(path), rows, np.asarray(rates), len(loader), (title, curve))
    return DataShown(os.fspath(path), name, len(shown), columns, config.epoch_size, len(loader), float(np.max(rates)))


def rows_of(config: Config, shown: Split, views: int, workers: int) -> list[Row]:
    """Return a row for each image of a split: as it is validated, then its augmented views.

    Args:
        config: the options of the training.
        shown: the images.
        views: how many epochs' augmentation is shown, each with its augmentation splits.
        workers: threads that prepare images.
    """
    # one batch that has all of them in their order, whatever the training has
    same = config.replace(batch_size=len(shown), num_samples=None, shuffle=False, eval_shuffle=False, aug_repeats=0)
    plain = next(eval_loader(same, shown, workers).batches())
    loader = train_loader(same, shown, workers)
    batches = [plain, *(next(loader.batches(epoch)) for epoch in range(views))]
    cells = [list(_cells(config, batch, shown.class_names)) for batch in batches]
    # a batch with augmentation splits has all images in one view, then all in the next
    columns = [part[start : start + len(shown)] for part in cells for start in range(0, len(part), len(shown))]
    names = [shown.class_names[label] for label in shown.labels]
    return [Row(name, tuple(cells)) for name, *cells in zip(names, *columns, strict=True)]


def _cells(config: Config, batch: Batch, class_names: tuple[str, ...]) -> Iterator[Cell]:
    """The pictures of a batch, each with the shares of its classes where it is mixed."""
    for image, label in zip(batch.image, batch.label, strict=True):
        shares = {} if label.ndim == 0 else {class_names[index]: float(label[index]) for index in np.flatnonzero(label)}
        mixed = sorted(shares.items(), key=lambda item: -item[1]) if len(shares) > 1 else []
        yield Cell(denormalise(image, Preprocessing.of(config)), tuple(mixed))
