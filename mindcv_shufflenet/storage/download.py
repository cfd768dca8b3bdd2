"""Downloads: a file gets its name only when it is complete and its checksum is right."""

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.files import cache_home, locked, publish

# Seconds without a byte after which a server is given up.
TIMEOUT = 30.0
# Larger files are refused; the largest weights have some hundred MB.
MAX_BYTES = 1 << 30
# Attempts to continue a transfer that breaks off, as long as each one brings bytes.
ATTEMPTS = 5

_CHUNK = 1 << 18


class _BrokenOff(Exception):
    """A transfer that ended early; its text says why."""


def fetch(
    url: str,
    target: Path,
    *,
    md5: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
    limit: int | None = None,
) -> Path:
    """Fetch ``url`` into the file ``target``, which appears only when it is whole and its checksum is right.

    A ``target`` that is there with the right checksum, or without a known one, is left as it is and nothing is fetched.
    One with another checksum is refused, since it may have been put there by hand.
    Of several processes that want the same file one fetches it and the others wait. What a transfer that broke off has
    brought is kept beside ``target`` under a hidden name, and the next one goes on from there where a checksum will
    tell whether the pieces fit.

    Args:
        url: https; plain http only with a whole checksum, or to this machine, since anyone on the way could replace the
            file.
        target: the file to write; its folder is made where it is missing.
        md5: the publisher's checksum in hex digits. A file that has another is never kept.
        sha256: the same, of the better kind, or its first 8 digits or more; both may be given.
        size: bytes, where the publisher tells.
        limit: bytes at which a transfer is given up.

    Returns:
        ``target``.

    Raises:
        UserError: the address is not allowed or not reached, the body is cut short, a checksum or the size is wrong, or
            the disk does not take the file. The text names the address and where to put the file by hand.
    """
    expected = {name: value.lower() for name, value in (("md5", md5), ("sha256", sha256)) if value}
    whole = any(
        len(value) == 2 * hashlib.new(name, usedforsecurity=False).digest_size for name, value in expected.items()
    )
    request = _Request(url, bool(expected), whole, limit)
    request.check_scheme(url)
    by_hand = f"try again, or put the file by hand at {target}"
    if _is_there(target, expected, size, url):  # also in a cache that cannot be written
        return target
    with locked(target):
        if _is_there(target, expected, size, url):
            return target
        part = target.with_name(f".{target.name}.part")
        _receive_right(request, part, expected, size, by_hand)
        publish(part, target)
    return target


def _is_there(target: Path, expected: dict[str, str], size: int | None, url: str) -> bool:
    """Whether the file is there already.

    Raises:
        UserError: a file of that name is there and is another one.
    """
    if not target.is_file():
        return False
    if fault := _fault(target, expected, size):
        raise UserError(
            f"{target} is refused: it is not the file of {url} ({fault}); put the right one there, or remove it to have"
            " it fetched"
        )
    return True


def fetch_to_cache(url: str, *, sha256: str | None = None, size: int | None = None) -> Path:
    """Fetch a file of weights into the cache folder ``checkpoints`` and return its path.

    Where no checksum is given, one in the file's name is taken (``NAME-1a2b3c4d.ckpt``: the first digits of its
    sha256, the custom of PyTorch and mindcv). A file without any lies in a folder named after its address.

    Raises:
        UserError: as :func:`fetch`.
    """
    try:
        name = Path(unquote(urlsplit(url).path)).name
    except ValueError as error:
        raise UserError(f"{url} is not an address ({error}); write https://HOST/PATH/FILE") from error
    if name in ("", ".", "..") or "\0" in name:
        raise UserError(f"{url} does not end in the name of a file; write https://HOST/PATH/FILE")
    match = re.search(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.\w+$", name)  # digits alone are a date
    sha256 = sha256 or (match[1] if match else None)
    folder = cache_home() / "checkpoints"
    if sha256 is None:
        folder /= hashlib.sha256(url.encode()).hexdigest()[:8]
    return fetch(url, folder / name, sha256=sha256, size=size, limit=MAX_BYTES)


class _Request(NamedTuple):
    """An address, and how far what comes from it can be trusted.

    Attributes:
        url: the address.
        pinned: a checksum, or the first digits of one, will be looked at.
        whole: a whole checksum will.
        limit: bytes at which the transfer is given up, or None.
    """

    url: str
    pinned: bool
    whole: bool
    limit: int | None

    def check_scheme(self, url: str) -> None:
        """Refuse every address but https, and http whose file is pinned or that does not leave this machine."""
        try:
            parts = urlsplit(url)
            here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        except ValueError as error:
            raise UserError(f"{url} is not an address ({error}); write https://HOST/PATH/FILE") from error
        if parts.scheme != "https" and not (parts.scheme == "http" and (self.whole or (here and self.pinned))):
            raise UserError(
                f"{url} is not fetched: only https is, and http where a whole checksum is known; use an https address"
            )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Holds redirects to the same rule as the first address; on its own, urllib goes from https to http and ftp."""

    def __init__(self, request: _Request) -> None:
        self.request = request

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        self.request.check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _receive_right(request: _Request, part: Path, expected: dict[str, str], size: int | None, by_hand: str) -> None:
    """Fetch a whole file into ``part``, from where an earlier transfer broke off, and check it.

    Raises:
        UserError: as :func:`fetch`.
    """
    if not expected:
        part.unlink(missing_ok=True)
    resumed = part.is_file()
    _receive(request, part, by_hand)
    fault = _fault(part, expected, size)
    if fault and resumed:  # the first piece may have been another file's
        part.unlink()
        _receive(request, part, by_hand)
        fault = _fault(part, expected, size)
    if fault:
        page = " and looks like a web page" if is_web_page(part) else ""
        part.unlink()
        raise UserError(f"{request.url} is not the expected file ({fault}){page}; nothing was kept: {by_hand}")


def _receive(request: _Request, part: Path, by_hand: str) -> None:
    """Fetch a whole file into ``part``; continue a transfer that breaks off if a checksum will be checked."""
    for attempt in range(1, ATTEMPTS + 1):
        before = _size(part)
        try:
            _transfer(request, part, by_hand)
            return
        except _BrokenOff as error:
            if request.pinned and _size(part) > before and attempt < ATTEMPTS:
                continue
            if not request.pinned:
                part.unlink(missing_ok=True)
            raise UserError(f"{error}: {by_hand}") from error


def _transfer(request: _Request, part: Path, by_hand: str) -> None:
    """Request the missing bytes of ``part`` once and append them; a server without ranges sends the whole file."""
    url, offset = request.url, _size(part)
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    opener = urllib.request.build_opener(_Redirects(request))
    try:
        address = quote(url, safe="%/:=&?~#+!$,;'@()*[]")
        with opener.open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT) as response:
            if not re.match(rf"bytes {offset}-", response.headers.get("Content-Range", "")):
                offset = 0
            announced = response.headers.get("Content-Length", "")
            length = offset + int(announced) if announced.isdecimal() else -1
            with _open(part, offset, by_hand) as write, _progress(url, offset, length) as advance:
                received = offset
                while chunk := response.read(_CHUNK):
                    write(chunk)
                    received += len(chunk)
                    if request.limit and received > request.limit:
                        part.unlink()
                        raise UserError(
                            f"{url} sends more than {request.limit >> 20:,} MiB; nothing was kept: {by_hand}"
                        )
                    advance(len(chunk))
            if length not in (-1, received):
                raise _BrokenOff(f"{url} broke off after {received:,} of {length:,} bytes")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:  # nothing lies behind what is there: begin anew
            part.unlink()
            return _transfer(request, part, by_hand)
        raise UserError(f"{url} answered {error.code} {error.reason}: {by_hand}") from error
    except urllib.error.URLError as error:
        raise UserError(f"cannot reach {url} ({error.reason}): {by_hand}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(f"the transfer of {url} broke off ({error or type(error).__name__})") from error
    return None


@contextmanager
def _open(part: Path, offset: int, by_hand: str) -> Iterator[Any]:
    """Yield a function that writes to ``part`` from ``offset`` on, with the disk's failures told as such."""

    def write(chunk: bytes) -> None:
        try:
            file.write(chunk)
        except OSError as error:
            raise UserError(f"cannot write {part}: {error.strerror}; make room, or choose another folder") from error

    try:
        file = part.open("ab" if offset else "wb", buffering=0)
    except OSError as error:
        raise UserError(f"cannot write {part}: {error.strerror}; {by_hand}") from error
    with file:
        yield write


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _progress(url: str, offset: int, length: int) -> AbstractContextManager[Callable[[int], object]]:
    """A progress bar of a transfer on a terminal's standard error; yields a function that takes the bytes that came."""
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return progress(name, length if length >= 0 else None, *columns, completed=offset)


def _fault(path: Path, expected: dict[str, str], size: int | None) -> str:
    """What is wrong with size and checksums of a file, or an empty text."""
    if size is not None and _size(path) != size:
        return f"{_size(path):,} bytes instead of {size:,}"
    # usedforsecurity=False: md5 is what publishers give, and a machine in FIPS mode refuses it otherwise.
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in expected}
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
    found = {name: digest.hexdigest() for name, digest in digests.items()}
    wrong = [
        f"{name} {found[name][: len(value)]} instead of {value}"
        for name, value in expected.items()
        if not found[name].startswith(value)
    ]
    return ", ".join(wrong)


def is_web_page(path: Path) -> bool:
    """Whether a file that should be something else begins like a web page."""
    with path.open("rb") as file:
        return file.read(256).lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml"))
