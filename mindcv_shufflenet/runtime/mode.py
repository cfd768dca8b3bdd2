"""MindSpore's execution modes: whole graphs, or PyNative mode with and without ``jit``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
from mindspore import nn

from mindcv_shufflenet.options.config import Config


def compiled(config: Config, cell: nn.Cell) -> Callable[..., Any]:
    """Return what to call for a cell: itself in graph mode, compiled in PyNative mode unless ``jit`` is off."""
    if config.mode == 1 and config.jit:
        return ms.jit(cell)
    return cell


@contextmanager
def mode_restored() -> Iterator[None]:
    """Restore on exit what a run sets in its process: MindSpore's mode and random numbers, and numpy's.

    MindSpore cannot forget a seed: where none was set, that of the run stays.
    """
    mode, seed, numpys = ms.get_context("mode"), ms.get_seed(), np.random.get_state()
    generator, pipelines = ms.get_rng_state(), ds.config.get_seed()
    try:
        yield
    finally:
        ms.set_context(mode=mode)
        if seed is not None:
            ms.set_seed(seed)
        ds.config.set_seed(pipelines)
        ms.set_rng_state(generator)
        np.random.set_state(numpys)
