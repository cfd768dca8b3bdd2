"""Compare the classes of a split with those of a network and its weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.names import traits_of
from mindcv_shufflenet.storage.run_directory import CLASSES_FILE, Classes


def match_classes(config: Config, split: Split, outputs: int) -> Split:
    """Return the split with as many classes as the network has outputs.

    Raises:
        UserError: the network has fewer outputs than the data have classes.
    """
    if outputs < split.num_classes:
        there = len(np.unique(split.labels))
        few = (
            f", or --dataset folder for the {counted(there, 'class', 'classes')} with images"
            if traits_of(config.dataset).has_class_folders
            else ""
        )
        raise UserError(
            f"num_classes={outputs} and the data set {config.dataset} in {config.data_dir} has"
            f" {counted(split.num_classes, 'class', 'classes')}; use --num_classes {split.num_classes}{few}"
        )
    known = len(split.class_to_index)
    if outputs == known:
        return split
    names = (*split.class_names, *map(str, range(split.num_classes, outputs)))
    note = (
        f"the network has {counted(outputs, 'class', 'classes')} and the data have {known}: the others are never right"
    )
    return replace(split, class_names=names, notes=(*split.notes, note))


def check_recorded_classes(recorded: Classes | None, split: Split) -> None:
    """Compare the classes of a split with those that the checkpoint was trained on, where they are known.

    Raises:
        UserError: they are as many, but not the same, so that no figure would mean anything.
    """
    if recorded is None:
        return
    indices = recorded.indices
    if len(recorded.names) == split.num_classes and indices != split.class_to_index:
        name = next(name for name, index in split.class_to_index.items() if indices.get(name) != index)
        raise UserError(
            f"class {name} has index {split.class_to_index[name]} in the data and {indices.get(name)} in the"
            " checkpoint; validate with the data set that the checkpoint was trained on"
        )


def check_known_classes(config: Config, split: Split, outputs: int | None, weights: str) -> list[str]:
    """Refuse class folders whose indices cannot be determined; return a note if folder order is assumed.

    Args:
        config: the options.
        split: the images.
        outputs: number of classes of the weights; None: there are no weights.
        weights: their file or name, for messages.

    Raises:
        UserError: there are fewer folders than classes of the weights.
    """
    if not split.is_guess or outputs is None:
        return []
    known = len(split.class_to_index)
    if outputs > known:
        raise UserError(
            f"{weights} tells {counted(outputs, 'class', 'classes')}, {config.data_dir} has"
            f" {counted(known, 'class folder')}, and nothing says which of them these are: put the run's {CLASSES_FILE}"
            f" beside the checkpoint, or the training images into {Path(config.data_dir) / config.train_split}"
        )
    first = ", ".join(f"{name}={index}" for name, index in [*split.class_to_index.items()][:3])
    return [f"classes are the folders in the order of their names ({first} ...): nothing tells those of the weights"]
