"""Image files looked at before MindSpore's decoder sees them, since a damaged one can end the whole process.

What MindSpore 2.8's C++ ``vision.Decode`` and ``RandomCropDecodeResize`` did on the CPU, each file in a process of its
own, as a single operation and in a pipeline (both the same), compared with Pillow's ``convert("RGB")``:

- Right: JPEG (baseline, progressive, grey, CMYK, MPO, junk after the end); PNG (1 to 8 bits, palette, grey, alpha,
  16-bit RGB); BMP; PPM, PGM, PBM; TIFF of 8 bits (raw, LZW, deflate, PackBits, JPEG, fax). Alpha is dropped and the
  EXIF rotation of JPEG and PNG is left alone, both as in Pillow.
- The process dies (SIGFPE, SIGSEGV or SIGABRT): JPEG that libjpeg refuses to start on, as one cut between its frame
  header and its scan (300 bytes of an ImageNet file), or one with a missing or impossible table.
- RuntimeError, and a dump ``abnormal_image.jpg`` in the current folder: JPEG cut at 600 bytes or at half, with no
  frame, of no size, with two starts, lossless, of 12 bits. GIF and WebP leave a dump ``unsupported_image.*``.
- RuntimeError: PNG, BMP, PPM and TIFF that are cut or damaged; empty files; text; AVIF, ICO, JPEG 2000, TGA; TIFF
  with LZMA or Zstandard, of 32 bits or of floats.
- Decoded, but not by Pillow or not alike: JPEG without its end-of-image marker alone; 16-bit grey PNG and TIFF
  (Pillow clips them to white); TIFF with alpha or in LAB.

MindSpore is given what both decode alike, without TIFF, whose damage is the least predictable; Pillow decodes the rest
(``data/decoding.py``). What is broken is refused by name. ``tests/data/test_headers.py`` cuts and overwrites good files
at random and has the ones that are accepted nevertheless decoded.
"""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

from PIL import Image

from mindcv_shufflenet.data import jpeg
from mindcv_shufflenet.data.decoding import check_regular, explain, is_alike, opened, upright
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.files import atomic_write, cache_home

_Result = TypeVar("_Result")

# How much of the coded data is decoded to see that libjpeg can start.
_START_BYTES = 1024

# More threads than cores, since on a network drive they mostly wait.
_THREADS = min(16, 4 * (os.cpu_count() or 1))
_CHUNK = 256
_LISTED = 10
_BAR_FROM = 2000

# The first line of a memory, before the checksum of the rest. Raise the number when a rule here changes.
_MEMORY_HEAD = b"mindcv_shufflenet checked images 2 "


def check_images(paths: Sequence[Path], root: Path) -> None:
    """Look at every file that was not looked at before, in parallel, and refuse the ones that are not safe to decode.

    A JPEG must have a frame header that libjpeg can start on, a scan and an end-of-image marker; a PNG must have its
    checksums right; other kinds, which are rare, are decoded. Good files are remembered with their size
    and time of change in ``cache_home()/checked``, one memory for each ``root``, so that the next time they are only
    looked up (``stat``).

    Args:
        paths: the image files.
        root: the folder of the data set, which names the memory.

    Raises:
        UserError: with the number of bad files and the first ten in sorted order, after all were looked at.
    """
    memory = cache_home() / "checked" / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()}.txt"
    known = _recall(memory)
    prefix = f"{root}{os.sep}"
    with ThreadPoolExecutor(_THREADS) as pool:
        lines = _each(pool, lambda path: _memory_line(path, prefix), paths)
        fresh = [(path, line) for path, line in zip(paths, lines, strict=True) if line is None or line not in known]
        faults = _find_faults(pool, [path for path, _ in fresh])
    good = [line for (_, line), fault in zip(fresh, faults, strict=True) if fault is None and line is not None]
    if good:
        _remember(memory, known, good)
    bad = sorted((path, fault) for (path, _), fault in zip(fresh, faults, strict=True) if fault is not None)
    if bad:
        (path, fault), *others = bad
        more = ""
        if others:
            listed = ", ".join(f"{path} ({fault})" for path, fault in others[: _LISTED - 1])
            rest = ", ..." if len(bad) > _LISTED else ""
            more = f", and {len(others)} more of the {len(paths)} images are bad: {listed}{rest}"
        raise UserError(f"image {path} cannot be used: {fault}{more}: mend, convert or remove what is bad")


def find_undecodable(paths: Sequence[Path]) -> list[Path]:
    """Decode every file with Pillow, in parallel, and return the ones that fail, in the order given.

    Names the culprit after the pipeline failed on a file whose header is in order. It takes as long as an epoch of
    decoding, so it is not for every run.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        faults = _find_faults(pool, paths, decode=True)
    return [path for path, fault in zip(paths, faults, strict=True) if fault is not None]


def _find_faults(pool: ThreadPoolExecutor, paths: Sequence[Path], decode: bool = False) -> list[str | None]:
    """What is wrong with each file; None where nothing is."""
    if not paths:
        return []
    # All of Pillow's formats are loaded once here, so that the threads do not do it all at the same time.
    Image.init()
    # The threads silence warnings too and may leave that behind; this restores what was.
    with warnings.catch_warnings(), _progress(len(paths)) as advance:
        return _each(pool, lambda path: _fault(path, decode), paths, advance)


def _fault(path: Path, decode: bool) -> str | None:
    """What is wrong with a file, in words; None where nothing is."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            start = file.read(len(jpeg.START))
            if not start:
                return "it is empty"
            fault = _jpeg_fault(file) if start == jpeg.START else _other_fault(file)
        if fault is None and decode:
            with opened(path) as image:
                upright(image)
        return fault
    except Exception as error:
        return explain(error)


def _other_fault(file: IO[bytes]) -> str | None:
    """Look at a file that is no JPEG; raises what Pillow raises on damaged ones."""
    file.seek(0)
    with opened(file) as image:
        if image.format == "PNG" and is_alike(image):
            image.verify()
        else:
            upright(image)
    return None


def _jpeg_fault(file: IO[bytes]) -> str | None:
    """What is wrong with a JPEG file; raises what Pillow raises on damaged ones.

    MindSpore survives errors in the coded data, but not those that libjpeg meets when it is told to start (missing or
    impossible tables, say). So the start is made here, on the header and a little of the data, at an eighth of the
    size. Where there are several scans, as in a progressive file, the start reads them all.
    """
    scan = jpeg.find_scan(file)
    if scan is None:
        return "it is a JPEG that ends before its picture begins, or of a kind that is not decoded (lossless)"
    if not jpeg.has_end(file, scan.offset):
        return "it is a JPEG that is cut short (it has no end-of-image marker)"
    file.seek(0)
    head = file.read(scan.offset + _START_BYTES) + jpeg.END if scan.is_only else file.read()
    with opened(BytesIO(head)) as image:
        image.draft(None, (1, 1))
        image.load()
    return None


def _each(
    pool: ThreadPoolExecutor,
    function: Callable[[Path], _Result],
    paths: Sequence[Path],
    advance: Callable[[int], object] = lambda _: None,
) -> list[_Result]:
    """``[function(path) for path in paths]`` on the pool, in pieces: one task a file would cost more than a look-up."""
    results: list[_Result] = []
    pieces = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    for part in pool.map(lambda piece: [function(path) for path in piece], pieces):
        results += part
        advance(len(part))
    return results


def _memory_line(path: Path, prefix: str) -> str | None:
    """``SIZE MTIME_NS PATH`` of a file, its path relative to the root; None for what cannot be remembered."""
    try:
        status = path.stat()
    except OSError:
        return None
    name = str(path).removeprefix(prefix)
    return None if "\n" in name else f"{status.st_size} {status.st_mtime_ns} {name}"


def _recall(memory: Path) -> set[str]:
    """The lines of a memory; none if it is missing, from other rules, or not whole (two ranks may have written it)."""
    try:
        head, _, body = memory.read_bytes().partition(b"\n")
    except OSError:
        return set()
    if head != _MEMORY_HEAD + hashlib.sha256(body).hexdigest().encode():
        return set()
    return set(body.decode("utf-8", "surrogateescape").split("\n"))


def _remember(memory: Path, known: set[str], good: list[str]) -> None:
    """Write a memory anew: the files found good now, and the others that were known."""
    now = {line.split(" ", 2)[2] for line in good}
    kept = [line for line in known if line and line.split(" ", 2)[2] not in now]
    body = "\n".join(sorted(kept + good)).encode("utf-8", "surrogateescape")
    try:
        with atomic_write(memory) as file:
            file.write(_MEMORY_HEAD + hashlib.sha256(body).hexdigest().encode() + b"\n")
            file.write(body)
    except UserError:
        pass  # A cache folder that cannot be written costs time, not correctness.


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], object]]:
    """A progress bar where it is worth one; yields a function that takes the number of files done."""
    if count <= _BAR_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("looking at image headers", total=count)
        yield lambda done: progress.advance(task, done)
