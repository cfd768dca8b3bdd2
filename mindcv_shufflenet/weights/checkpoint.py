"""Checkpoints: the weights of a network alone, in MindSpore's format."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn

from mindcv_shufflenet.files import atomic_path
from mindcv_shufflenet.weights.keys import Arrays

# What mindcv's trainer saves beside the network: the optimizer's own parameters.
_OPTIMIZER_STATE = re.compile(
    r"(moments|moment1|moment2|accum|stat|vhat|mean_square|exp_avg|exp_avg_sq|ema)\..+"
    r"|(global_step|learning_rate|momentum|beta1_power|beta2_power|updates|scale_sense|scale_value|current_iterator_step"
    r"|last_overflow_iterator_step)"
)


def save_checkpoint(network: nn.Cell, path: str | os.PathLike[str]) -> None:
    """Write the network's parameters and BatchNorm statistics so that a reader never finds half a file.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        _save(network, temporary)


def write_checkpoint(arrays: Arrays, path: Path) -> None:
    """Write arrays as a checkpoint under the names that they have."""
    _save([{"name": name, "data": Tensor(value)} for name, value in arrays.items()], path)


def _save(content: nn.Cell | list[dict[str, Any]], path: Path) -> None:
    # MindSpore puts its own suffix behind any other name.
    own = path.with_name(f"{path.name}.ckpt") if path.suffix != ".ckpt" else path
    try:
        with _silence():
            ms.save_checkpoint(content, str(own), crc_check=True)
    finally:
        own.with_suffix(".tmp").unlink(missing_ok=True)  # where MindSpore itself writes at first
    own.chmod(0o644)  # MindSpore leaves it readable by its owner alone
    own.replace(path)


def read_checkpoint(path: Path) -> Arrays:
    """Read the parameters of a checkpoint by name; an optimizer's own parameters are left out.

    On a file that is empty, damaged or no checkpoint it raises what MindSpore raises (``formats.py`` tells it).
    """
    with _silence():
        parameters = ms.load_checkpoint(str(path), crc_check=True)  # where the file has a checksum
    return {name: value.asnumpy() for name, value in parameters.items() if not _OPTIMIZER_STATE.fullmatch(name)}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep MindSpore from logging a failure, with advice of its own, that is raised anyway."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
