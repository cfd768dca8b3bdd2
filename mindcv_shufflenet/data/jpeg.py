"""The markers of a JPEG file (ITU T.81, annex B), read without decoding."""

import os
from typing import IO, NamedTuple

START = b"\xff\xd8\xff"
END = b"\xff\xd9"

# Frame headers of the processes that MindSpore decodes: baseline, extended and progressive, the latter two also with
# arithmetic coding. The others are lossless or hierarchical.
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_PROGRESSIVE_FRAMES = {0xC2, 0xCA}


class Scan(NamedTuple):
    """Where a JPEG's first scan begins, and whether it is the only one."""

    offset: int
    is_only: bool


def find_scan(file: IO[bytes]) -> Scan | None:
    """Read the markers up to the first scan; None if the scan or a frame header is missing."""
    file.seek(2)
    frame = b""
    progressive = False
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], int.from_bytes(head[2:], "big")
        if marker == 0xFF:  # A fill byte: the marker is one byte further on.
            file.seek(-3, os.SEEK_CUR)
        elif length < 2:
            return None
        elif marker == 0xDA:
            components = file.read(1)
            return Scan(file.tell(), not progressive and components == frame[5:6]) if frame else None
        elif marker in _FRAMES:
            frame, progressive = file.read(length - 2), marker in _PROGRESSIVE_FRAMES
        else:
            file.seek(length - 2, os.SEEK_CUR)
    return None


def has_end(file: IO[bytes], scan: int) -> bool:
    """Whether an end-of-image marker follows the first scan.

    Coded data cannot hold FF D9, since a zero follows every FF in them. The marker is nearly always at the very end.
    Cameras may append data to it; then the whole file is searched.
    """
    size = file.seek(0, os.SEEK_END)
    for start in (max(scan, size - 64), scan):
        file.seek(start)
        if END in file.read():
            return True
    return False
