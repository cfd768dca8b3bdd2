"""Archives that cannot write outside their folder."""

import gzip
import lzma
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

from mindcv_shufflenet.errors import UserError

_CHUNK = 1 << 18


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar file, compressed or not, into ``folder``.

    It is unpacked into a hidden folder first and moved to its place when it is whole, so a name at the top of the
    archive is there completely or not at all. Files that are in the way are never replaced.

    Raises:
        UserError: a member or a link leads outside, the archive is damaged, a name is taken, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Inside the target, so that moving is a rename and not a copy.
        staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}; choose another folder") from error
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(staging, filter="data")
            # The checksum of a compressed archive lies behind the last member, where tarfile does not look.
            while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
                pass
        for member in sorted(staging.iterdir()):
            _move(member, folder / member.name)
    except tarfile.FilterError as error:
        raise UserError(f"{archive} is not unpacked, since it would write outside its folder: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise UserError(f"{archive} is damaged or no tar file ({error}): remove it and get it again") from error
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive} into {folder}: {error.strerror or error}; mend that and retry"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Give an unpacked file or folder its name, unless something (but an empty folder) has it."""
    if target.is_symlink() or target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise UserError(f"{target} is in the way of what is unpacked: move it elsewhere and retry")
    source.replace(target)
