"""Checkpoints: the weights of a network alone, in MindSpore's format."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_path

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
        try:
            with _silence():
                ms.save_checkpoint(network, str(temporary))
        finally:
            temporary.with_suffix(".tmp").unlink(missing_ok=True)  # where MindSpore itself writes at first
        temporary.chmod(0o644)  # MindSpore leaves it readable by its owner alone


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the parameters of a checkpoint by name; an optimizer's own parameters are left out.

    Raises:
        UserError: the file is missing, empty, damaged or not a MindSpore checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}; check --ckpt_path")
    if path.suffix != ".ckpt":
        raise UserError(f"{path} is not a MindSpore checkpoint: its name must end in .ckpt")
    try:
        with _silence():
            parameters = ms.load_checkpoint(str(path))
    except (ValueError, OSError, RuntimeError, TypeError, KeyError) as error:
        raise UserError(
            f"cannot read {path}: it is damaged or not a MindSpore checkpoint; fetch or save it again"
        ) from error
    return {name: value for name, value in parameters.items() if not _OPTIMIZER_STATE.fullmatch(name)}


def load_weights(network: nn.Cell, path: str | os.PathLike[str]) -> None:
    """Fill a network from a checkpoint that has exactly its parameters.

    Raises:
        UserError: as :func:`load_checkpoint`; or a parameter is missing, left over or of another shape. The network is
            untouched then.
    """
    source = load_checkpoint(path)
    target = {parameter.name: parameter for parameter in network.get_parameters()}
    missing = [name for name in target if name not in source]
    left_over = [name for name in source if name not in target]
    reshaped = [name for name in target if name in source and tuple(source[name].shape) != tuple(target[name].shape)]
    if reshaped:
        name = reshaped[0]
        raise UserError(
            f"{path} does not fit the network: {name} is {tuple(source[name].shape)} there and"
            f" {tuple(target[name].shape)} here{_more(reshaped)}; {_advice(name)}"
        )
    if missing:
        raise UserError(f"{path} lacks {missing[0]}{_more(missing)}; is it of another model or layout?")
    if left_over:
        raise UserError(
            f"{path} holds {left_over[0]}{_more(left_over)}, which the network has not; "
            "is it of another model or layout?"
        )
    for name, parameter in target.items():
        parameter.set_data(Tensor(source[name].asnumpy(), parameter.dtype))


def _advice(name: str) -> str:
    if name.startswith("classifier."):
        return "give the checkpoint's number of classes with --num_classes"
    return "give the checkpoint's own --model, --layout and --in_channels"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


@contextmanager
def _silence() -> Iterator[None]:
    """Keep MindSpore from logging a failure, with advice of its own, that is raised anyway."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
