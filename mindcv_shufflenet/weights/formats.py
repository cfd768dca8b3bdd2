"""Files of weights: read into arrays by name, and written from them. No file that is read can run code.

A file is known by its content, whatever its name: ``.pth.tar`` and ``.bin`` are PyTorch's, and people rename files. The
suffix of a file that is written tells its kind.
"""

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mindcv_shufflenet.errors import UserError, first_line
from mindcv_shufflenet.options.names import TORCH_SUFFIXES
from mindcv_shufflenet.storage.download import MAX_BYTES, is_web_page
from mindcv_shufflenet.storage.files import atomic_path
from mindcv_shufflenet.weights import sets
from mindcv_shufflenet.weights.metadata import ENTRY
from mindcv_shufflenet.weights.names import COUNTERS, Arrays
from mindcv_shufflenet.weights.sets import Content

if TYPE_CHECKING:
    import onnx


class _Format(NamedTuple):
    """One kind of file.

    Attributes:
        name: for messages.
        read: returns what is in the file.
        write: writes arrays and metadata.
        finish: writes the metadata beside the file once that has its name, where they are not in it.
    """

    name: str
    read: Callable[[Path], Content]
    write: Callable[[Arrays, Path, str | None], None]
    finish: Callable[[Path, str | None], None] | None = None


class File(NamedTuple):
    """What was read from a file.

    Attributes:
        arrays: by name, floats as float32.
        metadata: what the file says of its network, as JSON; None where it says nothing.
        options: what the graph in the file shows of its network.
        notes: a line if the file holds several sets of weights.
    """

    arrays: Arrays
    metadata: str | None
    options: Mapping[str, Any]
    notes: list[str]


def read_file(path: str | os.PathLike[str], key: str | None = None) -> File:
    """Read the weights of a file and what it says of them.

    ``.onnx``: the initialisers; those of quantised convolutions and matrix products are dequantised. PyTorch: a state
    dict, or one inside a checkpoint.

    Args:
        path: the file.
        key: which set of weights, where the file holds several (``state_dict_ema``).

    Raises:
        UserError: the file is missing, of an unknown kind, too large, damaged, or holds something else than arrays.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give one of the checkpoints in it")
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}; check the path")
    with _explained(path) as kind:
        content = kind.read(path)
    arrays, notes = sets.choose(content.sets, key, str(path))
    arrays = {name: _as_float32(name, value, path) for name, value in arrays.items()}
    return File(arrays, content.metadata, content.options, [*content.notes, *notes])


def read_onnx_model(path: str | os.PathLike[str]) -> "onnx.ModelProto":
    """Read a whole ONNX model, its graph included.

    Raises:
        UserError: the file is missing, is no ONNX file, is too large or damaged, or keeps its weights elsewhere.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the ONNX file in it")
    if not path.is_file():
        raise UserError(f"there is no file {path}; check the path")
    with _explained(path) as kind:
        if kind is not _ONNX:
            raise UserError(
                f"{path} is a {kind.name} file of weights and no ONNX model: `shufflenet export --ckpt_path` makes one"
                " of it, and where weights are taken it is --ckpt_path"
            )
        return _late("onnx_weights", "load_model")(path)


def write_arrays(arrays: Arrays, path: str | os.PathLike[str], metadata: str | None = None) -> None:
    """Write arrays to a file whose suffix tells its kind; a reader never finds half a file.

    ``.onnx`` holds initialisers alone, without a graph.

    Args:
        arrays: by name.
        path: the file.
        metadata: what the file says of its network, as JSON.

    Raises:
        UserError: an unknown suffix, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    kind = _SUFFIXES[path.suffix.lower()]
    with atomic_path(path) as temporary:
        kind.write(arrays, temporary, metadata)
    if kind.finish:
        kind.finish(path, metadata)


def _as_float32(name: str, value: np.ndarray, path: Path) -> np.ndarray:
    """A weight as it is computed with; a counter of steps is let through."""
    if name.rpartition(".")[2] in COUNTERS:
        return value
    if value.dtype.kind != "f" and value.dtype.name != "bfloat16":
        raise UserError(f"{path}: {name} is of type {value.dtype}, and weights are floats; give another file")
    value = value.astype(np.float32)
    if not np.isfinite(value).all():
        raise UserError(f"{path}: {name} holds NaN or infinity, so the weights are of no use; give another file")
    return value


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Refuse a path to write whose suffix is not that of a weights file.

    Raises:
        UserError: with the suffixes that are.
    """
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise UserError(f"{path} is not a weights file of a known kind: its name must end in {' '.join(_SUFFIXES)}")


@contextmanager
def _explained(path: Path) -> Iterator[_Format]:
    """Give the kind of a file, and explain what goes wrong while it is read."""
    kind = None
    try:
        kind = _recognise(path)
        yield kind
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(_too_large(path)) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except Exception as error:  # on damaged bytes each library raises what it likes
        raise UserError(_damaged(path, kind, error)) from error


def _recognise(path: Path) -> _Format:
    """Tell the kind of a file by its first bytes, or by its suffix where they tell nothing.

    Raises:
        UserError: neither tells, the file is a web page, or it would take too much memory.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
    if size > MAX_BYTES:
        raise UserError(_too_large(path))
    if size == 0:
        raise UserError(f"{path} is empty; fetch or save it again")
    if head.startswith(b"version https:/"):
        raise UserError(f"{path} is a pointer of Git LFS and not the file itself; fetch it with git lfs pull")
    if is_web_page(path):
        raise UserError(
            f"{path} is a web page and no weights file: the address led to something else; fetch it again by hand"
        )
    if zipfile.is_zipfile(path):
        return _of_archive(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size:
        return _SAFETENSORS
    if head[:1] == b"\x80":  # a pickle: PyTorch before 1.6
        return _TORCH
    if head[:1] == b"\x08":  # field 1 of ONNX's ModelProto is a number
        return _ONNX
    if head[:1] == b"\x0a" and b"\x12\x09Mind" in head:  # its version, and its producer, "MindSpore"
        raise UserError(
            f"{path} is a MindIR file, which MindSpore and MindSpore Lite run and no command here: give the checkpoint"
            " that it was exported from, or that exported with --format onnx"
        )
    if head[:1] == b"\x0a":  # field 1 of MindSpore's Checkpoint is a message
        return _MINDSPORE
    if tarfile.is_tarfile(path):
        raise UserError(f"{path} is an archive of other files: unpack it (tar -xf) and give one of them")
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path} is no weights file of a known kind: those of {', '.join(_names())} are read")
    return kind


def _of_archive(path: Path) -> _Format:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    if sum(member.file_size for member in members) > MAX_BYTES:
        raise UserError(_too_large(path))
    if not all(name.endswith(".npy") for name in names) and not any(name.endswith("data.pkl") for name in names):
        raise UserError(f"{path} is an archive of other files ({', '.join(names[:2])}): unpack it and give one of them")
    if any("/code/" in name for name in names):
        raise UserError(f"{path} is a TorchScript program and no weights file; save model.state_dict()")
    return _TORCH if any(name.endswith("data.pkl") for name in names) else _NUMPY


def _names() -> list[str]:
    return list(dict.fromkeys(kind.name for kind in _SUFFIXES.values()))


def _too_large(path: Path) -> str:
    return f"{path} is refused: it would take more than {MAX_BYTES >> 20:,} MiB, as no weights do"


def _damaged(path: Path, kind: _Format | None, error: Exception) -> str:
    wanted = f"{kind.name} file" if kind else "weights file"
    return f"cannot read {path}: it is damaged or no {wanted} ({first_line(error)[:120]}); fetch or save it again"


def _read_npz(path: Path) -> Content:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if path.suffix == ".state" or "meta" in arrays:
        raise UserError(f"{path} is a training state: --resume_opt goes on from it; give a checkpoint, MODEL-last.ckpt")
    metadata = arrays.pop(ENTRY, None)
    return Content(sets.by_prefix(arrays), None if metadata is None else str(metadata))


def _write_npz(arrays: Arrays, path: Path, metadata: str | None) -> None:
    entries = {} if metadata is None else {ENTRY: np.array(metadata)}
    with path.open("wb") as file:
        np.savez(file, **arrays, **entries)


def _read_safetensors(path: Path) -> Content:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    with safe_open(path, framework="numpy") as file:
        metadata = (file.metadata() or {}).get(ENTRY)
    return Content(sets.by_prefix(load_file(path)), metadata)


def _write_safetensors(arrays: Arrays, path: Path, metadata: str | None) -> None:
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    path.write_bytes(save(contiguous, None if metadata is None else {ENTRY: metadata}))


def _late(module: str, function: str) -> Callable[..., Any]:
    """A function of a module of this room that is slow to import, or needs a package that may be absent."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"mindcv_shufflenet.weights.{module}"), function)(*arguments)

    return call


_MINDSPORE = _Format("MindSpore", _late("checkpoint", "read_checkpoint"), _late("checkpoint", "write_checkpoint"))
_SAFETENSORS = _Format("safetensors", _read_safetensors, _write_safetensors)
_NUMPY = _Format("numpy", _read_npz, _write_npz)
_ONNX = _Format("ONNX", _late("onnx_weights", "read_onnx"), _late("onnx_weights", "write_onnx"))
_TORCH = _Format(
    "PyTorch",
    _late("torch_files", "read_torch"),
    _late("torch_files", "write_torch"),
    _late("torch_files", "write_sidecar"),
)
_SUFFIXES = {
    ".ckpt": _MINDSPORE,
    ".safetensors": _SAFETENSORS,
    ".npz": _NUMPY,
    ".onnx": _ONNX,
    **dict.fromkeys(TORCH_SUFFIXES, _TORCH),
}
