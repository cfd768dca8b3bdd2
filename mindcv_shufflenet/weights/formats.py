"""Files of weights: read into arrays by name, and written from them. No file that is read can run code."""

import io
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mindcv_shufflenet.errors import UserError, first_line
from mindcv_shufflenet.files import atomic_path
from mindcv_shufflenet.weights.download import MAX_BYTES, is_web_page
from mindcv_shufflenet.weights.keys import Arrays

# onnx and MindSpore share one protobuf runtime, and MindSpore's messages need the one in Python (docs/mindspore.md).
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")


class _Format(NamedTuple):
    """One kind of file.

    Attributes:
        read: returns what is in the file.
        write: writes arrays.
        is_zip: the file is a zip archive (or may be).
    """

    read: Callable[[Path], Arrays]
    write: Callable[[Arrays, Path], None]
    is_zip: bool = False


def read_arrays(path: str | os.PathLike[str]) -> Arrays:
    """Read every array of a weights file, floats as float32, under the names that the file has.

    ``.onnx``: the initialisers; those of quantised convolutions and matrix products are dequantised. ``.pth``: a state
    dict, or one under the key ``state_dict`` or ``model``.

    Raises:
        UserError: the file is missing, of an unknown kind, too large, damaged, or holds something else than arrays.
    """
    path = Path(path)
    kind = _find_format(path)
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}; check the path")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(_too_large(path))
        if kind.is_zip and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                    raise UserError(_too_large(path))
        arrays = kind.read(path)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(_too_large(path)) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except Exception as error:  # on damaged bytes each library raises what it likes
        raise UserError(_damaged(path, error)) from error
    return {name: _as_float32(name, value, path) for name, value in arrays.items()}


def write_arrays(arrays: Arrays, path: str | os.PathLike[str]) -> None:
    """Write arrays to a file whose suffix tells its kind; a reader never finds half a file.

    ``.onnx`` holds initialisers alone, without a graph.

    Raises:
        UserError: an unknown suffix, or the file cannot be written.
    """
    kind = _find_format(Path(path))
    with atomic_path(path) as temporary:
        kind.write(arrays, temporary)


def _as_float32(name: str, value: np.ndarray, path: Path) -> np.ndarray:
    """A weight as it is computed with; a counter of BatchNorm's steps is let through."""
    if name.endswith(".num_batches_tracked"):
        return value
    if value.dtype.kind != "f" and value.dtype.name != "bfloat16":
        raise UserError(f"{path}: {name} is of type {value.dtype}, and weights are floats; give another file")
    value = value.astype(np.float32)
    if not np.isfinite(value).all():
        raise UserError(f"{path}: {name} holds NaN or infinity, so the weights are of no use; give another file")
    return value


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Refuse a path whose suffix is not that of a weights file.

    Raises:
        UserError: with the suffixes that are.
    """
    _find_format(Path(path))


def _find_format(path: Path) -> _Format:
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path} is not a weights file of a known kind: its name must end in {' '.join(_FORMATS)}")
    return kind


def _too_large(path: Path) -> str:
    return f"{path} is refused: it would take more than {MAX_BYTES >> 20:,} MiB, as no weights of this family do"


def _damaged(path: Path, error: Exception) -> str:
    if is_web_page(path):
        return f"{path} is a web page and no weights file: the address led to something else; fetch it again by hand"
    reason = first_line(error)
    return f"cannot read {path}: it is damaged or no {path.suffix} file ({reason[:120]}); fetch or save it again"


def _read_mindspore(path: Path) -> Arrays:
    from mindcv_shufflenet.weights.checkpoint import read_checkpoint

    return read_checkpoint(path)


def _write_mindspore(arrays: Arrays, path: Path) -> None:
    from mindcv_shufflenet.weights.checkpoint import write_checkpoint

    write_checkpoint(arrays, path)


def _read_npz(path: Path) -> Arrays:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _write_npz(arrays: Arrays, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _read_safetensors(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    return load_file(path)


def _write_safetensors(arrays: Arrays, path: Path) -> None:
    from safetensors.numpy import save

    path.write_bytes(save({name: np.ascontiguousarray(value) for name, value in arrays.items()}))


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise UserError(
            "PyTorch files need PyTorch: pip install 'mindcv_shufflenet[torch]' (or -e '.[torch]' in the repository)"
        ) from None
    return torch


def _read_torch(path: Path) -> Arrays:
    torch = _torch()
    # weights_only: the pickle inside may build tensors and plain containers, and nothing else.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an older pickle protocol
        content = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__} and no state dict; save model.state_dict()")
    stranger = next((name for name, value in content.items() if not isinstance(value, torch.Tensor)), None)
    if stranger is not None:
        raise UserError(f"{path}: {stranger} is not a tensor; save model.state_dict() alone")
    return {str(name): value.detach().float().numpy() for name, value in content.items()}


def _write_torch(arrays: Arrays, path: Path) -> None:
    torch = _torch()
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}, content)
    path.write_bytes(content.getbuffer())


def _read_onnx(path: Path) -> Arrays:
    from mindcv_shufflenet.weights.onnx_weights import read_onnx

    return read_onnx(path)


def _write_onnx(arrays: Arrays, path: Path) -> None:
    from mindcv_shufflenet.weights.onnx_weights import write_onnx

    write_onnx(arrays, path)


_PICKLE = _Format(_read_torch, _write_torch, is_zip=True)
_FORMATS = {
    ".ckpt": _Format(_read_mindspore, _write_mindspore),
    ".safetensors": _Format(_read_safetensors, _write_safetensors),
    ".npz": _Format(_read_npz, _write_npz, is_zip=True),
    ".onnx": _Format(_read_onnx, _write_onnx),
    ".pth": _PICKLE,
    ".pt": _PICKLE,
}
