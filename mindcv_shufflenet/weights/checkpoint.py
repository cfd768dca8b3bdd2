"""Checkpoints: the weights of a network, in MindSpore's format."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, nn

from mindcv_shufflenet.storage.files import atomic_path
from mindcv_shufflenet.weights import sets
from mindcv_shufflenet.weights.metadata import ENTRY, Metadata
from mindcv_shufflenet.weights.names import Arrays
from mindcv_shufflenet.weights.protobuf import check_entries
from mindcv_shufflenet.weights.sets import Content


def save_checkpoint(weights: nn.Cell | Arrays, path: str | os.PathLike[str], metadata: Metadata | None = None) -> None:
    """Write parameters and BatchNorm statistics so that a reader never finds half a file.

    Args:
        weights: a network, or arrays by their names.
        path: of the file.
        metadata: what the file says of its network; None: nothing.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        write_checkpoint(weights, temporary, metadata.dump() if metadata else None)


def change_metadata(path: Path, metadata: Metadata) -> None:
    """Write a checkpoint of ours again with other metadata; its parameters stay, bit for bit.

    Raises:
        UserError: the file cannot be written.
    """
    with _silence():
        entries = ms.load_checkpoint(str(path), crc_check=True)
    arrays = {name: value.asnumpy() for name, value in entries.items() if isinstance(value, Parameter)}
    with atomic_path(path) as temporary:
        write_checkpoint(arrays, temporary, metadata.dump())


def write_checkpoint(weights: nn.Cell | Arrays, path: Path, metadata: str | None) -> None:
    """Write parameters as a checkpoint under the names that they have."""
    content: nn.Cell | list[dict[str, Any]]
    if isinstance(weights, nn.Cell):
        content = weights
    else:
        content = [{"name": name, "data": Tensor(value)} for name, value in weights.items()]
    # MindSpore puts its own suffix behind any other name.
    own = path.with_name(f"{path.name}.ckpt") if path.suffix != ".ckpt" else path
    try:
        with _silence():
            ms.save_checkpoint(content, str(own), crc_check=True, append_dict={ENTRY: metadata} if metadata else None)
    finally:
        own.with_suffix(".tmp").unlink(missing_ok=True)  # where MindSpore itself writes at first
    own.chmod(0o644)  # MindSpore leaves it readable by its owner alone
    own.replace(path)


def read_checkpoint(path: Path) -> Content:
    """Read the parameters of a checkpoint by name; an optimizer's own parameters are left out.

    On a file that is empty, damaged or no checkpoint it raises what MindSpore raises (``formats.py`` tells it).
    """
    check_entries(path)
    # MindSpore refuses a name that does not end in .ckpt; a link has one
    with _silence(), _named_ckpt(path) as named:
        entries = ms.load_checkpoint(str(named), crc_check=True)  # where the file has a checksum
    metadata = entries.get(ENTRY)
    arrays = {name: value.asnumpy() for name, value in entries.items() if isinstance(value, Parameter)}
    weights = {name: value for name, value in arrays.items() if not _is_of_optimizer(name, arrays)}
    return Content(sets.by_prefix(weights), metadata if isinstance(metadata, str) else None)


def _is_of_optimizer(name: str, arrays: Arrays) -> bool:
    """Whether a parameter is an optimizer's: a counter, or ``KIND.NAME`` beside the parameter ``NAME``.

    MindSpore's and mindcv's optimizers clone each parameter under a prefix of their own (``moments.``, ``adam_m.``,
    ``lamb_v.``); the experimental NAdam has ``mu_product_`` in front of its name.
    """
    kind, _, rest = name.partition(".")
    is_product = name.startswith("mu_product_") and name.removeprefix("mu_product_") in arrays
    return not rest or is_product or (rest in arrays and kind != "ema")


@contextmanager
def _named_ckpt(path: Path) -> Iterator[Path]:
    """Give a path to the same file whose suffix is MindSpore's."""
    if path.suffix == ".ckpt":
        yield path
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        link = Path(folder) / "link.ckpt"
        link.symlink_to(path.absolute())
        yield link


@contextmanager
def _silence() -> Iterator[None]:
    """Keep MindSpore from logging a failure, with advice of its own, that is raised anyway."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
