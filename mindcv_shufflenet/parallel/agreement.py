"""Agreement of the ranks: all have the same options, images and weights."""

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.tables import names_of, neutral
from mindcv_shufflenet.parallel.group import current


def compare_ranks(config: Config, images: Any, weights: Any) -> None:
    """Wait for all ranks, and see that they are about to do the same.

    Args:
        config: the options.
        images: identifies the images that are read, as a value that JSON holds.
        weights: identifies the weights that are used, as a value that JSON holds.

    Raises:
        UserError: the options, images or weights of a rank are not those of rank 0.
    """
    group = current()
    own_choice = {*names_of("machine")} & {*neutral()}  # of each rank
    options = {name: value for name, value in config.recipe().items() if name not in own_choice}
    own = {"images": images, "weights": weights}
    first, everyone = f"rank 0 on {group.hosts[0]}", group.gather([options, own])
    for rank, (their_options, theirs) in enumerate(everyone if group.is_first else []):
        other = f"rank {rank} on {group.hosts[rank]}"
        for name, value in options.items():
            if their_options[name] != value:
                raise UserError(
                    f"--{name} of {other} is {their_options[name]} and that of {first} {value}; give all ranks the same"
                )
        for name, value in own.items():
            if theirs[name] != value:
                raise UserError(f"the {name} of {other} are not those of {first}; give all hosts the same files")
    group.barrier()


def checksum(arrays: Iterable[np.ndarray]) -> int:
    """Return a number that differs where a bit of the arrays does."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array).data, value)
    return value
