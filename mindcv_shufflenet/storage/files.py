"""Files that are whole or not there at all, and the folder where things are remembered between runs."""

import fcntl
import functools
import os
import re
import secrets
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mindcv_shufflenet.errors import UserError

_TEMPORARY = ".tmp-"
# Seconds after which a temporary file is nobody's, whoever wrote it.
_ABANDONED = 24 * 3600.0


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path; what is written there takes the name ``path`` when it is complete and on the disk.

    The temporary file lies beside ``path`` under a hidden name that no other process uses; what killed processes have
    left in that folder is removed.

    Raises:
        UserError: the folder or the disk does not take the file; a file that was there before is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f"{_TEMPORARY}{_pid_namespace()}-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        yield temporary
        publish(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; make room or choose another folder") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Give a complete file its name, once it is on the disk."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


@functools.cache
def _pid_namespace() -> str:
    """Return a word for the set of processes among which a process ID means one: a boot of a machine, a container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # no Linux: nobody else's ID is known
        return secrets.token_hex(4)
    return f"{zlib.crc32(f'{boot} {namespace}'.encode()):08x}"


# Temporary names of this version and of those before, which did not name the namespace.
_OWN_NAME = re.compile(rf"{re.escape(_TEMPORARY)}([0-9a-f]{{8}}-)?\d{{1,9}}-.")


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that are no more, and old ones.

    Whether a process of another machine or container lives cannot be seen from here.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _OWN_NAME.match(entry.name)]
    for name in names:
        with suppress(OSError):
            if _is_dead(name) or time.time() - (folder / name).stat().st_mtime > _ABANDONED:
                (folder / name).unlink(missing_ok=True)


def _is_dead(name: str) -> bool:
    """Whether a temporary file is of a process of this namespace that is no more."""
    match = re.match(rf"{re.escape(_TEMPORARY)}{_pid_namespace()}-(\d{{1,9}})-", name)
    if not match:
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        pass
    return False


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Make a folder, if need be, and keep other processes that ask the same out of it.

    Raises:
        UserError: another process is in it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}; choose another folder") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is at work in {folder}: wait for it, or choose another folder") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process is at work on a file, and keep others out of it. Its folder is made if need be.

    Raises:
        UserError: the folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Whoever had the lock before has removed its file: then this descriptor locks out nobody.
        if _inode(lock) == os.fstat(descriptor).st_ino:
            break
        os.close(descriptor)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


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
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "mindcv_shufflenet"
    try:
        return Path.home() / ".cache" / "mindcv_shufflenet"
    except RuntimeError:  # a container's user without a home
        return Path(tempfile.gettempdir()) / "mindcv_shufflenet"
