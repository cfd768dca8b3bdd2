"""Files that are whole or not there at all, and the folder where things are remembered between runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mindcv_shufflenet.errors import UserError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path; what is written there takes the name ``path`` when it is complete and on the disk.

    The temporary file lies beside ``path`` under a fixed hidden name, so one that a killed process left is replaced.

    Raises:
        UserError: the folder or the disk does not take the file; a file that was there before is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing in bytes that takes its name as :func:`atomic_path` says."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        yield file


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_home() -> Path:
    """The folder for what is remembered between runs: ``MINDCV_SHUFFLENET_HOME``, or the user's cache folder."""
    home = os.environ.get("MINDCV_SHUFFLENET_HOME")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mindcv_shufflenet"
