"""Files from the network, checked before they get their name, and archives that cannot write outside their folder."""

import gzip
import hashlib
import http.client
import lzma
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_write

# Seconds without a byte after which a server is given up.
TIMEOUT = 30.0

_CHUNK = 1 << 18


def fetch(url: str, target: Path, *, md5: str | None = None, sha256: str | None = None) -> Path:
    """Fetch ``url`` into the file ``target``, which appears only when it is whole and its checksum is right.

    A ``target`` that is there with the right checksum is left as it is and nothing is fetched.

    Args:
        url: https; plain http only with a checksum, since anyone on the way could replace the file.
        target: the file to write; its folder is made where it is missing.
        md5: the publisher's checksum in hex digits. A file that has another is never kept.
        sha256: the same, of the better kind; both may be given.

    Returns:
        ``target``.

    Raises:
        UserError: the address is not allowed or not reached, the body is cut short, a checksum is wrong, or the disk
            does not take the file. The text names the address and where to put the file by hand.
    """
    expected = {name: value.lower() for name, value in (("md5", md5), ("sha256", sha256)) if value}
    _check_scheme(url, bool(expected))
    if expected and target.is_file() and not _wrong_checksum(_file_digests(target, expected), expected):
        return target
    by_hand = f"try again, or put the file by hand at {target}"
    digests = _new_digests(expected)
    with atomic_write(target) as file:
        for chunk in _body(url, bool(expected), by_hand):
            file.write(chunk)
            for digest in digests.values():
                digest.update(chunk)
        wrong = _wrong_checksum({name: digest.hexdigest() for name, digest in digests.items()}, expected)
        if wrong:
            raise UserError(f"{url} is not the expected file ({wrong}); nothing was kept: {by_hand}")
    return target


def _check_scheme(url: str, pinned: bool) -> None:
    """Refuse every address but https, and http whose file is pinned by a checksum."""
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and pinned):
        raise UserError(
            f"{url} is not fetched: only https is, and http where a checksum is known; use an https address"
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Holds redirects to the same rule as the first address; on its own, urllib goes from https to http and ftp."""

    def __init__(self, pinned: bool) -> None:
        self.pinned = pinned

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_scheme(newurl, self.pinned)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _body(url: str, pinned: bool, by_hand: str) -> Iterator[bytes]:
    """The bytes behind an address, chunk by chunk, with every failure of the network told as a UserError."""
    opener = urllib.request.build_opener(_Redirects(pinned))
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            announced = response.headers.get("Content-Length", "")
            length = int(announced) if announced.isdecimal() else -1
            with _progress(url, length) as advance:
                yield from _chunks(response, url, length, by_hand, advance)
    except urllib.error.HTTPError as error:
        raise UserError(f"{url} answered {error.code} {error.reason}: {by_hand}") from error
    except urllib.error.URLError as error:
        raise UserError(f"cannot reach {url} ({error.reason}): {by_hand}") from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"the transfer of {url} broke off ({error or type(error).__name__}): {by_hand}") from error


def _chunks(response: Any, url: str, length: int, by_hand: str, advance: Any) -> Iterator[bytes]:
    """The chunks of a response, whose number of bytes must be ``length`` (-1: not announced)."""
    received = 0
    while chunk := response.read(_CHUNK):
        received += len(chunk)
        advance(len(chunk))
        yield chunk
    if length not in (-1, received):
        raise UserError(f"{url} broke off after {received:,} of {length:,} bytes: {by_hand}")


@contextmanager
def _progress(url: str, length: int) -> Iterator[Any]:
    """A progress bar on a terminal's standard error; yields a function that takes the bytes that came."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(urlsplit(url).path.rsplit("/", 1)[-1], total=length if length >= 0 else None)
        yield lambda count: progress.advance(task, count)


def _new_digests(names: dict[str, str]) -> dict[str, Any]:
    # usedforsecurity=False: md5 is what publishers give, and a machine in FIPS mode refuses it otherwise.
    return {name: hashlib.new(name, usedforsecurity=False) for name in names}


def _file_digests(path: Path, names: dict[str, str]) -> dict[str, str]:
    """The checksums of a file on the disk."""
    digests = _new_digests(names)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _wrong_checksum(found: dict[str, str], expected: dict[str, str]) -> str:
    """What is wrong with the checksums, or an empty text."""
    wrong = [f"{name} {found[name]} instead of {value}" for name, value in expected.items() if found[name] != value]
    return ", ".join(wrong)


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
