"""Files of PyTorch: read without running any code that they name.

Training scripts put more into a checkpoint than weights: arguments, numpy numbers, counters. Objects of classes that
PyTorch does not hold for safe are replaced by empty ones, so that the weights beside them can be read.
"""

import hashlib
import io
import json
import pickle
import pickletools
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.files import atomic_write
from mindcv_shufflenet.storage.text import read_json
from mindcv_shufflenet.weights.metadata import ENTRY
from mindcv_shufflenet.weights.names import Arrays
from mindcv_shufflenet.weights.sets import Content, by_prefix


class _Placeholder:
    """Stands for an object whose class is not loaded; each class has a subclass of its own, under its name."""

    def __new__(cls, *_arguments: Any) -> "_Placeholder":
        return super().__new__(cls)

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass

    def append(self, _value: Any) -> None:
        """Take no part of a container either."""

    def extend(self, _values: Any) -> None:
        """Take no part of a container either."""


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
    placeholders = [(type(name, (_Placeholder,), {}), name) for name in _named_classes(path)]
    with warnings.catch_warnings(), torch.serialization.safe_globals(placeholders):
        warnings.simplefilter("ignore")  # of an older pickle protocol
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UserError(
                f"{path} is damaged, holds objects that need code to be read, or was saved with another pickle_protocol"
                " than 2; save model.state_dict() alone, with torch.save's defaults"
            ) from error
    sets = _find_sets(content, torch.Tensor)
    if not sets and (whole := _whole_object(content)):
        raise UserError(
            f"{path} holds a whole pickled object ({type(whole).__name__}): to read it would run code of its author;"
            " load it where it was written and save model.state_dict()"
        )
    if not sets:
        raise UserError(f"{path} holds no state dict ({type(content).__name__}); save model.state_dict()")
    metadata = read_json(_sidecar(path))
    if ENTRY not in metadata:
        return Content(sets)
    if metadata.get("sha256") != _sha256(path):
        return Content(sets, notes=(f"{_sidecar(path)} is not read: it was written for another {path.name}",))
    return Content(sets, json.dumps(metadata[ENTRY]))


def _named_classes(path: Path) -> set[str]:
    """The classes and functions that a file names; PyTorch keeps to its own where it knows a name."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            return _globals_of(io.BytesIO(archive.read(names[0])))
    with path.open("rb") as file:  # before PyTorch 1.6: magic number, version, system, then the object
        return set().union(*(_globals_of(file) for _ in range(4)))


def _globals_of(file: IO[bytes]) -> set[str]:
    """What the next pickle in a file names as ``module.name``."""
    operations = pickletools.genops(file)
    return {str(name).replace(" ", ".") for code, name, _ in operations if code.name == "GLOBAL"}


def _find_sets(content: Any, kind: Any, name: str = "") -> dict[str, Arrays]:
    """The state dicts in a dict of dicts, by the path of their keys."""
    if not isinstance(content, dict):
        return {}
    tensors = _tensors(content, kind)
    sets = {".".join(filter(None, (name, of))): part for of, part in by_prefix(tensors).items() if part}
    for key, value in content.items():
        if isinstance(key, str):  # an optimizer's state is numbered
            sets |= _find_sets(value, kind, f"{name}.{key}" if name else key)
    return sets


def _whole_object(content: Any) -> Any:
    """An object that is not loaded, itself or as a value of a dict."""
    values = [content, *(content.values() if isinstance(content, dict) else ())]
    return next((value for value in values if isinstance(value, _Placeholder)), None)


def _tensors(values: dict[Any, Any], kind: Any) -> Arrays:
    """The tensors of a dict as arrays, floats as float32; nothing where there is no matrix among them."""
    tensors = {str(name): value.detach() for name, value in values.items() if isinstance(value, kind)}
    if all(value.ndim < 2 for value in tensors.values()):  # counters, the state of a random generator
        return {}
    return {name: (value.float() if value.is_floating_point() else value).numpy() for name, value in tensors.items()}


def write_torch(arrays: Arrays, path: Path, _metadata: str | None) -> None:
    """Write a plain state dict; its metadata go beside it (:func:`write_sidecar`)."""
    torch = _torch()
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}, content)
    path.write_bytes(content.getbuffer())


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def write_sidecar(path: Path, text: str | None) -> None:
    """Write the metadata of a PyTorch file beside it, or remove those of the file that it has replaced.

    Raises:
        UserError: another program's file lies there, or it cannot be written.
    """
    if _sidecar(path).exists() and ENTRY not in read_json(_sidecar(path)):
        raise UserError(
            f"{_sidecar(path)} is another program's and stays, so {path} does not tell how its network was trained;"
            " give another name"
        )
    if text is None:
        _sidecar(path).unlink(missing_ok=True)
        return
    content = {ENTRY: json.loads(text), "sha256": _sha256(path)}
    with atomic_write(_sidecar(path)) as file:
        file.write(json.dumps(content).encode())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
