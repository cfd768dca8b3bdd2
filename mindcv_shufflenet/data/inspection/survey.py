"""Look at every image of a data set, decoded by Pillow, on several threads."""

import logging
import warnings
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from PIL import Image
from rich.console import Console

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.decoding import UnfitError
from mindcv_shufflenet.data.open import read_splits
from mindcv_shufflenet.data.threads import each
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.runtime.cores import count_workers

_logger = logging.getLogger(__name__)
_Seen = TypeVar("_Seen")

# Images a task: few enough that both threads end at about the same time.
_CHUNK = 16


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be decoded.

    Attributes:
        image: its path, or its place in the split.
        reason: what is wrong with it.
    """

    image: str
    reason: str


class Survey(NamedTuple, Generic[_Seen]):
    """What is seen in a data set.

    Attributes:
        config: the options.
        splits: the training and the validation split, by name.
        seen: what is seen in each image of a split, in their order.
    """

    config: Config
    splits: dict[str, Split]
    seen: dict[str, list[_Seen | Unreadable]]

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the folders and lists of the splits."""
        return tuple(dict.fromkeys(fault for split in self.splits.values() for fault in split.faults))


def survey(
    verb: str,
    options: Mapping[str, Any],
    given: Collection[str] | None,
    see: Callable[[Image.Image], _Seen],
    console: Console | None,
    thin: Callable[[Split], Split] = lambda split: split,
) -> Survey[_Seen]:
    """Look at every image of the data set that the options name.

    Args:
        verb: the verb whose options they are.
        options: by name, as a recipe has them.
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        see: called with each image, upright and in RGB.
        console: shows a progress bar; None: nothing is shown.
        thin: returns those images of a split that are looked at.

    Raises:
        UserError: an option is wrong, or the data are missing or packed.
    """
    config = parse_config(options)
    workers, adapted = count_workers(config.num_parallel_workers)
    splits = {name: thin(split) for name, split in read_splits(config).items()}
    notes = [note for split in splits.values() for note in split.notes]
    unused = notes_on_options(verb, config, options if given is None else given)
    for note in dict.fromkeys((*unused, *adapted, *notes)):
        _logger.info(note)
    console = console or Console(quiet=True)
    return Survey(config, splits, {name: _look(split, name, see, workers, console) for name, split in splits.items()})


def image_names(split: Split, name: str) -> list[str]:
    """Return what messages call each image of a split: its path, or its place where it has no file."""
    files = split.images.image_files()
    return [str(path) for path in files] or [f"image {index} of {name}" for index in range(len(split))]


def _look(
    split: Split, name: str, see: Callable[[Image.Image], _Seen], workers: int, console: Console
) -> list[_Seen | Unreadable]:
    originals = split.images.originals()
    names = image_names(split, name)

    def seen(index: int) -> _Seen | Unreadable:
        try:
            return see(originals[index].picture())
        except UnfitError as error:
            return Unreadable(names[index], str(error))

    Image.init()  # all of Pillow's formats, so that the threads do not load them all at the same time
    # The threads silence warnings, and may not restore the filters in the right order; this does.
    bar = progress(f"looking at {name}", len(split), console=console)
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool, bar as advance:
        return each(pool, seen, range(len(split)), advance, chunk=_CHUNK)
