"""Atomic file writes, locks on files and folders, and the cache folder."""

import csv
import fcntl
import functools
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mindcv_shufflenet.errors import UserError

_TEMPORARY = ".tmp-"
# Seconds after which a temporary file is nobody's, whoever wrote it.
_ABANDONED = 24 * 3600.0


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; the file written there gets the name ``path`` when it is complete and on the disk.

    The temporary file lies beside ``path`` under a hidden name that no other process uses. Temporary files that killed
    processes have left in that folder are removed.

    Raises:
        UserError: the file cannot be written; a file that was there before is untouched.
    """
    path = Path(path)
    with _temporary_beside(path) as temporary:
        yield temporary
        publish(temporary, path)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new temporary folder; it gets the name ``path`` when its files are complete and on the disk.

    A folder that was there before is removed then, with all that is in it.

    Raises:
        UserError: the folder cannot be written; one that was there before is untouched.
    """
    path = Path(path)
    with _temporary_beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        # Not a temporary name: if this process is killed now, nobody removes what was there before.
        before = path.with_name(f".before-{os.getpid()}-{path.name}")
        if path.exists():
            path.rename(before)
        try:
            temporary.rename(path)
        except OSError:
            if before.exists():
                before.rename(path)
            raise
        _sync(path.parent)
        shutil.rmtree(before, ignore_errors=True)


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a free path beside another; what is there at the end is removed.

    Raises:
        UserError: what is written there cannot be written, or would replace a device or a pipe.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"cannot write {path}: it is a device or a pipe; give a file")
    temporary = path.with_name(f"{_TEMPORARY}{pid_namespace()}-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        yield temporary
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; make room or choose another folder") from error
    finally:
        with suppress(OSError):
            _remove(temporary)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Give a complete file its name, once it is on the disk."""
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def begins_with(path: Path, marker: bytes, within: int = 0) -> bool:
    """Return whether a file is empty, or its marker begins within the first ``within`` bytes or right after them.

    It tells an earlier result, which a new one may replace, from a file of somebody else.
    """
    with suppress(OSError), open(path, "rb") as file:
        start = file.read(within + len(marker))
        return not start or marker in start
    return False


def is_writable(folder: Path) -> bool:
    """Return whether a folder is there and takes a new file; a try leaves nothing behind."""
    try:
        tempfile.TemporaryFile(dir=folder, prefix=_TEMPORARY).close()
    except OSError:
        return False
    return True


@functools.cache
def pid_namespace() -> str:
    """Return a word that identifies the namespace of process IDs: a boot of a machine, or a container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # no Linux: nobody else's ID is known
        return secrets.token_hex(4)
    return f"{zlib.crc32(f'{boot} {namespace}'.encode()):08x}"


# Temporary names of this version and of those before, which did not name the namespace.
_OWN_NAME = re.compile(rf"{re.escape(_TEMPORARY)}([0-9a-f]{{8}}-)?\d{{1,9}}-.")


def _sweep(folder: Path) -> None:
    """Remove old temporary files, and those of dead processes of this namespace."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _OWN_NAME.match(entry.name)]
    for name in names:
        with suppress(OSError):
            if _is_dead(name) or time.time() - (folder / name).stat().st_mtime > _ABANDONED:
                _remove(folder / name)


def _is_dead(name: str) -> bool:
    """Whether a temporary file belongs to a dead process of this namespace."""
    match = re.match(rf"{re.escape(_TEMPORARY)}{pid_namespace()}-(\d{{1,9}})-", name)
    if not match:
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        pass
    return False


def atomic_write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all; bytes of file names that are no UTF-8 stay what they were."""
    with atomic_write(path) as file:
        file.write(text.encode(errors="surrogateescape"))


def atomic_write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    atomic_write_text(path, text.getvalue())


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    """Make a folder if it is missing, and lock it against other processes that do the same.

    The lock's descriptor is yielded: a process that inherits it keeps the lock as long as it lives.

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
            raise UserError(
                f"another process is at work in {folder}{_holder(descriptor)}: wait for it, or choose another folder"
            ) from None
        except OSError:
            pass  # a file system without locks
        yield descriptor
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Return `` (ID N)`` of the first other process of this machine that has a folder open; empty: none is seen."""
    folder, found = os.fstat(descriptor), []
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.path.samestat(folder, opened.stat()):
                found.append(int(opened.parts[2]))
    others = {*found} - {os.getpid()}
    return f" (ID {min(others)})" if others else ""


def is_same(before: os.stat_result, path: Path) -> bool:
    """Whether a file, or a folder, is still the one that it was; what a folder holds does not matter."""
    try:
        now = path.stat()
    except OSError:
        return False
    if stat.S_ISDIR(now.st_mode):
        return os.path.samestat(before, now)
    return (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock of a file and hold it; the folder is made if it is missing.

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
        # The previous holder may have removed the lock file: then this descriptor locks out no other process.
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
    """Open a file for writing bytes; it gets its name as in :func:`atomic_path`."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        yield file


def _sync(path: Path) -> None:
    """Make the content of a file, or the renames in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_home() -> Path:
    """Return the cache folder: ``MINDCV_SHUFFLENET_HOME``, or ``mindcv_shufflenet`` in the user's cache folder."""
    home = os.environ.get("MINDCV_SHUFFLENET_HOME")
    if home:
        return Path(os.path.abspath(home))
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.path.abspath(os.environ["XDG_CACHE_HOME"]), "mindcv_shufflenet")
    try:
        return Path.home() / ".cache" / "mindcv_shufflenet"
    except RuntimeError:  # a container's user without a home
        return Path(tempfile.gettempdir()) / "mindcv_shufflenet"
