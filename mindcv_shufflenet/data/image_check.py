"""Check image files before MindSpore decodes them: a damaged file can end the whole process.

MindSpore 2.8's C++ ``vision.Decode`` and ``RandomCropDecodeResize`` were run on the CPU, each file in a process of its
own, as a single operation and in a pipeline, and compared with Pillow's ``convert("RGB")``. Found were:

- Right: JPEG (baseline, progressive, grey, CMYK, MPO, junk after the end); PNG (1 to 8 bits, palette, grey, alpha,
  16-bit RGB); BMP; PPM, PGM, PBM; TIFF of 8 bits (raw, LZW, deflate, PackBits, JPEG, fax). Alpha is dropped and the
  EXIF rotation of JPEG and PNG is left alone, both as in Pillow.
- The process dies (SIGFPE, SIGSEGV or SIGABRT): JPEG that libjpeg refuses to start on, such as a file that ends between
  its frame header and its scan (300 bytes of an ImageNet file), or one with a missing or impossible table.
- RuntimeError, and a dump ``abnormal_image.jpg`` in the current folder: JPEG cut at 600 bytes or at half, with no
  frame, of no size, with two starts, lossless, of 12 bits. GIF and WebP leave a dump ``unsupported_image.*``.
- RuntimeError: PNG, BMP, PPM and TIFF that are cut or damaged; empty files; text; AVIF, ICO, JPEG 2000, TGA; TIFF
  with LZMA or Zstandard, of 32 bits or of floats.
- Decoded, but not by Pillow, or with other pixels: JPEG that lacks only its end-of-image marker; 16-bit grey PNG and
  TIFF (Pillow clips them to white); TIFF with alpha or in LAB.

MindSpore decodes the kinds that both decode alike, except TIFF, whose damage is the least predictable. Pillow decodes
the rest (``data/decoding.py``). Damaged files are refused by name. ``tests/data/test_image_check.py`` cuts and
overwrites good files at random and decodes those that are still accepted.
"""

import hashlib
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data import jpeg
from mindcv_shufflenet.data.decoding import check_regular, explain, is_alike, opened, upright
from mindcv_shufflenet.data.threads import each
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.files import atomic_write, cache_home

# Bytes of the coded data that are decoded to see that libjpeg can start.
_START_BYTES = 1024

# More threads than cores: on a network drive they mostly wait.
_THREADS = min(16, 4 * (os.cpu_count() or 1))
_LISTED = 10
_BAR_FROM = 2000

# First line of the file of checked images, before the checksum of the rest. Raise the number when a rule here changes.
_RECORD_HEAD = b"mindcv_shufflenet checked images 2 "


def check_images(paths: Sequence[Path], root: Path) -> None:
    """Check every file that is new or changed, in parallel, and refuse those that are not safe to decode.

    A JPEG must have a frame header that libjpeg can start on, a scan and an end-of-image marker. A PNG must have right
    checksums. Other kinds, which are rare, are decoded. Good files are recorded with their size and modification time
    in ``cache_home()/checked``, one record for each ``root``, so that the next check needs one ``stat`` a file.

    Args:
        paths: the image files.
        root: the folder of the data set, which selects the record.

    Raises:
        UserError: files are bad; the text has their number and the first ten in sorted order.
    """
    record = cache_home() / "checked" / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()}.txt"
    known = _read_record(record)
    prefix = f"{root}{os.sep}"
    with ThreadPoolExecutor(_THREADS) as pool:
        lines = each(pool, lambda path: _record_line(path, prefix), paths)
        fresh = [(path, line) for path, line in zip(paths, lines, strict=True) if line is None or line not in known]
        faults = _find_faults(pool, [path for path, _ in fresh])
    good = [line for (_, line), fault in zip(fresh, faults, strict=True) if fault is None and line is not None]
    if good:
        _write_record(record, known, good)
    bad = sorted((path, fault) for (path, _), fault in zip(fresh, faults, strict=True) if fault is not None)
    if bad:
        (path, fault), *others = bad
        more = ""
        if others:
            listed = ", ".join(f"{path} ({fault})" for path, fault in others[: _LISTED - 1])
            rest = ", ... (shufflenet data check names all)" if len(bad) > _LISTED else ""
            more = f", and {len(others)} more of the {len(paths)} images: {listed}{rest}"
        raise UserError(f"image {path} cannot be used: {fault}{more}: mend, convert or remove what is bad")


def find_undecodable(paths: Sequence[Path]) -> list[Path]:
    """Decode every file with Pillow, in parallel, and return the ones that fail, in the order given.

    This finds the file on which a pipeline failed although its header is good. It takes as long as decoding an epoch,
    so it is not done in every run.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        faults = _find_faults(pool, paths, decode=True)
    return [path for path, fault in zip(paths, faults, strict=True) if fault is not None]


def _find_faults(pool: ThreadPoolExecutor, paths: Sequence[Path], decode: bool = False) -> list[str | None]:
    """The fault of each file; None for a good one."""
    if not paths:
        return []
    # Load all of Pillow's formats once, so that the threads do not do it all at the same time.
    Image.init()
    # The threads silence warnings, and may not restore the filters in the right order; this does.
    bar = progress("looking at image headers", len(paths)) if len(paths) > _BAR_FROM else nullcontext(lambda _: None)
    with warnings.catch_warnings(), bar as advance:
        return each(pool, lambda path: find_fault(path, decode), paths, advance)


def find_fault(path: Path, decode: bool = False) -> str | None:
    """Return the fault of a file, in words; None for a good one.

    Args:
        path: the image file.
        decode: decode the picture too, which finds what the header does not tell.
    """
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
    """Check a file that is no JPEG; raises what Pillow raises on damaged ones."""
    file.seek(0)
    with opened(file) as image:
        if image.format == "PNG" and is_alike(image):
            image.verify()
        else:
            upright(image)
    return None


def _jpeg_fault(file: IO[bytes]) -> str | None:
    """The fault of a JPEG file; raises what Pillow raises on damaged ones.

    MindSpore survives errors in the coded data, but not those of libjpeg's start (such as missing or impossible
    tables). So Pillow starts libjpeg here, on the header and a little of the data, at an eighth of the size. If there
    are several scans, as in a progressive file, the start reads them all.
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


def _record_line(path: Path, prefix: str) -> str | None:
    """``SIZE MTIME_NS PATH`` of a file, its path relative to the root; None if the file cannot be recorded."""
    try:
        status = path.stat()
    except OSError:
        return None
    name = str(path).removeprefix(prefix)
    return None if "\n" in name else f"{status.st_size} {status.st_mtime_ns} {name}"


def _read_record(record: Path) -> set[str]:
    """The recorded lines; none if the file is missing, from other rules, or damaged (two ranks may have written it)."""
    try:
        head, _, body = record.read_bytes().partition(b"\n")
    except OSError:
        return set()
    if head != _RECORD_HEAD + hashlib.sha256(body).hexdigest().encode():
        return set()
    return set(body.decode("utf-8", "surrogateescape").split("\n"))


def _write_record(record: Path, known: set[str], good: list[str]) -> None:
    """Record the files that were found good now, and the others that were known."""
    now = {line.split(" ", 2)[2] for line in good}
    kept = [line for line in known if line and line.split(" ", 2)[2] not in now]
    body = "\n".join(sorted(kept + good)).encode("utf-8", "surrogateescape")
    try:
        with atomic_write(record) as file:
            file.write(_RECORD_HEAD + hashlib.sha256(body).hexdigest().encode() + b"\n")
            file.write(body)
    except UserError:
        pass  # A cache folder that cannot be written costs time alone.
