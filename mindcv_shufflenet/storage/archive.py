"""Archives that cannot write outside their folder: tar, compressed or not, and zip."""

import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mindcv_shufflenet.errors import UserError

_CHUNK = 1 << 18

# What the libraries raise on a damaged archive.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)


class _OutsideError(Exception):
    """A member that leads out of the folder; the text says which."""


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar file, compressed or not, into ``folder``.

    It is unpacked into a hidden folder first and moved to its place when it is whole, so a name at the top of the
    archive is there completely or not at all. Files that are in the way are never replaced.

    Raises:
        UserError: a member or a link leads outside, the archive is damaged, a name is taken, or the disk is full.
    """
    _unpack(archive, folder, "tar", _extract_tar)


def unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack a zip file into ``folder``, with the promises of :func:`unpack_tar`. A link becomes a file with its text.

    Raises:
        UserError: as for :func:`unpack_tar`; also where the archive needs a password.
    """
    _unpack(archive, folder, "zip", _extract_zip)


def _unpack(archive: Path, folder: Path, kind: str, extract: Callable[[Path, Path], None]) -> None:
    """Extract an archive into a hidden folder and move what is in it to its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Inside the target, so that moving is a rename and not a copy.
        staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}; choose another folder") from error
    try:
        extract(archive, staging)
        for member in sorted(staging.iterdir()):
            _move(member, folder / member.name)
    except _OutsideError as error:
        raise UserError(f"{archive} is not unpacked, since it would write outside its folder: {error}") from error
    except _DAMAGED as error:
        raise UserError(f"{archive} is damaged or no {kind} file ({error}): remove it and get it again") from error
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive} into {folder}: {error.strerror or error}; mend that and retry"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract_tar(archive: Path, staging: Path) -> None:
    with tarfile.open(archive) as tar:
        try:
            tar.extractall(staging, filter="data")
        except tarfile.FilterError as error:
            raise _OutsideError(str(error)) from error
        # The checksum of a compressed archive lies behind the last member, where tarfile does not look.
        while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
            pass


def _extract_zip(archive: Path, staging: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():  # zipfile would write it inside, under another name
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise _OutsideError(repr(name))
        try:
            members.extractall(staging)  # compares the checksum of each member
        except RuntimeError as error:  # a member that needs a password, or is packed in an unknown way
            raise zipfile.BadZipFile(str(error)) from error


def _move(source: Path, target: Path) -> None:
    """Give an unpacked file or folder its name, unless something (but an empty folder) has it."""
    if target.is_symlink() or target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise UserError(f"{target} is in the way of what is unpacked: move it elsewhere and retry")
    source.replace(target)
