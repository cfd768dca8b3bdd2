"""Open the splits that a run's options name: read them, check their images, match classes with the network's."""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.classes import match_classes
from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.names import traits_of
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.storage.run_directory import Classes, HeldOut


def open_data(
    config: Config,
    split_name: str,
    classes: Classes | None = None,
    held_out: HeldOut | None = None,
    num_samples: int | None = None,
) -> Split:
    """Read one split and check its images.

    The first rank of a host does so before the others, which find the downloads and the checks done.

    Args:
        config: the options.
        split_name: of the split.
        classes: of the run whose weights are used on it; None: not known.
        held_out: the validation images that this run has drawn; None: none.
        num_samples: use this many images, evenly spaced; None: all.

    Raises:
        UserError: the data are missing or damaged, have more classes than the network, or fewer images than
            ``num_samples``.
    """
    group = current()
    if group.world.local_rank > 0:
        group.barrier()
    split = _read(config, split_name, classes, held_out)
    split.images.check(Path(config.data_dir))
    if group.world.local_rank == 0:
        group.barrier()
    outputs = config.num_classes
    if outputs is None and classes and classes.indices == split.class_to_index:
        outputs = len(classes.names)
    if outputs is not None:
        split = match_classes(config, split, outputs)
    return split if num_samples is None else evenly_spaced(split, num_samples)


def check_folder(config: Config) -> None:
    """Refuse a folder that is not there, at once.

    Raises:
        UserError: as the reader of the data set says it.
    """
    if traits_of(config.dataset).needs_folder and not config.dataset_download and not Path(config.data_dir).is_dir():
        _read(config, config.train_split)


def read_splits(config: Config) -> dict[str, Split]:
    """Read the training and the validation split with their faults, without a look at their images.

    Raises:
        UserError: the data are missing, or packed, so that the images cannot be looked at one by one.
    """
    if traits_of(config.dataset).is_packed:
        raise UserError(f"dataset={config.dataset} has packed images; name the data set that they were packed from")
    return {name: _read(config, name, keeps_faults=True) for name in (config.train_split, config.val_split)}


def _read(
    config: Config,
    split_name: str,
    classes: Classes | None = None,
    held_out: HeldOut | None = None,
    keeps_faults: bool = False,
) -> Split:
    request = Request(
        data_dir=Path(config.data_dir),
        split=split_name,
        train_split=config.train_split,
        val_split=config.val_split,
        val_ratio=config.val_ratio,
        seed=config.seed,
        classes=classes,
        held_out=held_out,
    )
    return open_split(config.dataset, request, download=config.dataset_download, keeps_faults=keeps_faults)


def evenly_spaced(split: Split, images: int) -> Split:
    """Return a split of that many images, spread evenly over the given one, so that all classes stay.

    Raises:
        UserError: the split has fewer images.
    """
    if images > len(split):
        raise UserError(f"num_samples={images} and the split has only {counted(len(split), 'image')}; use fewer")
    return split.take(np.linspace(0, len(split), images, endpoint=False).astype(int))
