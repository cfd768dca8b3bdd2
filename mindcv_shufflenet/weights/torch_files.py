"""Files of PyTorch: read without running any code that they name.

Training scripts put more into a checkpoint than weights: arguments, numpy numbers, counters. Objects of classes that
PyTorch does not hold for safe are replaced by empty ones, so that the weights beside them can be read.
"""

import hashlib
import io
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_write
from mindcv_shufflenet.weights.keys import Arrays
from mindcv_shufflenet.weights.metadata import ENTRY
from mindcv_shufflenet.weights.sets import Content


class _Stranger:
    """Stands for an object of a class that is not loaded."""

    def __new__(cls, *_arguments: Any) -> "_Stranger":
        return super().__new__(cls)

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise UserError(
            "PyTorch files need PyTorch: pip install 'mindcv_shufflenet[torch]' (or -e '.[torch]' in the repository)"
        ) from None
    return torch


def read_torch(path: Path) -> Content:
    """Read the state dicts of a file that ``torch.save`` wrote: the file itself, or the values of its dict.

    Raises:
        UserError: it holds a whole model instead of weights, or no tensors at all.
    """
    torch = _torch()
    strangers = _unsafe_names(path)
    with warnings.catch_warnings(), torch.serialization.safe_globals([(_Stranger, name) for name in strangers]):
        warnings.simplefilter("ignore")  # of an older pickle protocol
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UserError(_needs_code(path, strangers)) from error
    if isinstance(content, _Stranger):
        raise UserError(_whole_model(path, strangers))
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__} and no state dict; save model.state_dict()")
    sets = {}
    for name, value in {"": content, **content}.items():
        if isinstance(value, dict) and (tensors := _tensors(value, torch.Tensor)):
            sets[str(name)] = tensors
    if not sets and any(isinstance(value, _Stranger) for value in content.values()):
        raise UserError(_whole_model(path, strangers))
    if not sets:
        raise UserError(f"{path} holds no tensors by name; save model.state_dict()")
    return Content(sets, _read_sidecar(path))


def _unsafe_names(path: Path) -> list[str]:
    """The classes and functions that a file names and that PyTorch does not load by itself."""
    from torch.serialization import get_unsafe_globals_in_checkpoint

    try:
        return sorted(get_unsafe_globals_in_checkpoint(path))
    except ValueError:  # an archive of before PyTorch 1.6, or no archive of weights: torch.load tells
        return []


def _needs_code(path: Path, strangers: list[str]) -> str:
    named = f" ({', '.join(strangers[:3])})" if strangers else ""
    return f"{path} is damaged, or holds objects that need code to be read{named}; save model.state_dict() alone"


def _whole_model(path: Path, strangers: list[str]) -> str:
    return (
        f"{path} holds a whole pickled object ({', '.join(strangers[:3])}): to read it would run code of its author;"
        " load it where it was written and save model.state_dict()"
    )


def _tensors(values: dict[Any, Any], kind: Any) -> Arrays:
    """The tensors of a dict as arrays, floats as float32; nothing where there is no matrix among them."""
    tensors = {str(name): value.detach() for name, value in values.items() if isinstance(value, kind)}
    if all(value.ndim < 2 for value in tensors.values()):  # counters, the state of a random generator
        return {}
    return {name: (value.float() if value.is_floating_point() else value).numpy() for name, value in tensors.items()}


def write_torch(arrays: Arrays, path: Path) -> None:
    """Write a plain state dict."""
    torch = _torch()
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}, content)
    path.write_bytes(content.getbuffer())


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def write_sidecar(path: Path, text: str | None) -> None:
    """Write the metadata of a PyTorch file beside it, or remove those of the file that it has replaced."""
    if text is None:
        _sidecar(path).unlink(missing_ok=True)
        return
    content = {ENTRY: json.loads(text), "sha256": _sha256(path)}
    with atomic_write(_sidecar(path)) as file:
        file.write(json.dumps(content).encode())


def _read_sidecar(path: Path) -> str | None:
    """The metadata beside a PyTorch file, unless they were written for other bytes."""
    try:
        content = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        return json.dumps(content[ENTRY]) if content["sha256"] == _sha256(path) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
