"""The library of kernels: compiled once for this machine, and kept in the user's cache."""

import ctypes
import functools
import hashlib
import logging
import os
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.kernels.compiler import FLAGS, SOURCE, build, find_compiler, instruction_flags
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.device import NO_KERNELS
from mindcv_shufflenet.runtime.processor import processor
from mindcv_shufflenet.storage.files import atomic_write, cache_home, locked

_logger = logging.getLogger(__name__)

# The environment variable that leaves the kernels out.
SWITCH = "MINDCV_SHUFFLENET_KERNELS"
# A missing library, as where CXX names a C compiler, is an error of the linker. What is loaded stays.
_LINKING = ("-shared", "-Wl,-z,defs", "-Wl,-z,nodelete")
_OFF = ("off", "0", "no", "false")
# Seconds after which a library that nobody has loaded is removed, when another one is compiled.
_FORGOTTEN = 30 * 24 * 3600.0


@functools.cache
def library() -> Path | None:
    """Return the path of the library of kernels, compiled if need be.

    None where there is none: they are switched off, or :func:`load` fails. That is told once.
    """
    if is_off():
        _logger.info("MindSpore's own operators are used: %s is off", SWITCH)
        return None
    try:
        return load()
    except (OSError, UserError) as error:
        _logger.info("MindSpore's own operators are used, since the kernels cannot be: %s", error)
        return None


def is_off() -> bool:
    """Whether the kernels are switched off."""
    return os.environ.get(SWITCH, "").lower() in _OFF


def load() -> Path:
    """Load the library of kernels into this process, compiled if need be, and return its path.

    Raises:
        UserError: the platform is another, there is no compiler or it fails, or the library cannot be written.
        OSError: the library cannot be loaded.
    """
    path = _compiled()
    ctypes.CDLL(str(path)).set_kernel_threads(count_cores())
    return path


def version() -> str:
    """Return the name of the library's version, which depends on sources, compiler, processor and the compiled file.

    ``NO_KERNELS`` where there is none.
    """
    path = library()
    return path.stem.removeprefix("kernels-") if path else NO_KERNELS


def use_bfloat16(is_wanted: bool) -> bool:
    """Let the kernels of this process round to bfloat16 what a product multiplies, or not; return whether they do.

    Returns:
        Whether they do: it is wanted, there is a library, and the processor has AMX.
    """
    path = library()
    return path is not None and bool(ctypes.CDLL(str(path)).use_bfloat16(is_wanted))


def _compiled() -> Path:
    """Return the library for this processor, compiler and source.

    Raises:
        UserError: there is no compiler or it fails, or the library cannot be written.
    """
    compiler = find_compiler()
    options = [*FLAGS, *instruction_flags()]
    compiler_version = subprocess.run([*compiler, "--version"], capture_output=True, check=False).stdout
    sources = sorted(path for path in SOURCE.iterdir() if path.suffix in (".cc", ".h"))
    names = [*compiler, *options, processor().machine, *(path.name for path in sources)]
    contents = (path.read_bytes() for path in sources)
    key = _digest(b"\0".join([compiler_version, *(name.encode() for name in names), *contents]))
    folder = cache_home() / "kernels"
    _check_folder(folder)
    path = _kept(folder, key)
    if path is None:
        with locked(folder / f"kernels-{key}.so"):  # one process compiles, and the others wait for it
            path = _kept(folder, key) or _compile([*compiler, *options], sources, folder, key)
    with suppress(OSError):  # a cache that is only read
        os.utime(path)
    return path


def _check_folder(folder: Path) -> None:
    """Refuse a folder from which MindSpore loads no library.

    Raises:
        UserError: it is such a folder.
    """
    if ":" in str(folder):
        raise UserError(f"MindSpore loads no library from {folder}, since there is a colon in its name")
    allowed = os.environ.get("MS_CUSTOM_AOT_WHITE_LIST")
    if allowed is not None and os.path.realpath(allowed) not in os.path.realpath(folder):
        raise UserError(f"MS_CUSTOM_AOT_WHITE_LIST={allowed} lets MindSpore load no library from {folder}")


def _kept(folder: Path, key: str) -> Path | None:
    """Return the library of a key, if there is one, it is whole, and nobody else has put it there.

    A damaged one would end the process that loads it. Its name ends in the checksum of its content.
    """
    found = (path for path in folder.glob(f"kernels-{key}-*.so") if path.stat().st_uid == os.getuid())
    return next((path for path in found if path.stem.endswith(_digest(path.read_bytes()))), None)


def _compile(command: list[str], sources: list[Path], folder: Path, key: str) -> Path:
    """Compile the library of a key, and remove those that nobody has loaded for long.

    Raises:
        UserError: the compiler fails, or the library cannot be written.
    """
    _logger.info("compiling the kernels for this processor, once; that takes some seconds")
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary, "kernels.so")
        build(command, [path for path in sources if path.suffix == ".cc"], target, *_LINKING)
        content = target.read_bytes()
    path = folder / f"kernels-{key}-{_digest(content)}.so"
    with atomic_write(path) as file:
        file.write(content)
    for other in folder.glob("kernels-*.so"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > _FORGOTTEN:
                other.unlink()
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
