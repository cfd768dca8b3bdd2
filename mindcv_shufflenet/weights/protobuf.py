"""Protobuf files looked at before they are parsed: in Python, each of their messages takes 20 microseconds.

Wire format: a field is a varint ``number << 3 | type``, then a varint (type 0), 8 bytes (1), a length and so many bytes
(2), or 4 bytes (5). A varint has seven bits a byte, the lowest first.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mindcv_shufflenet.errors import UserError

# More entries than any network, or a checkpoint with its optimizer, has.
MAX_ENTRIES = 20_000

# Where ONNX nests messages: the graph (7) of a model, its nodes (1), and their attributes (5). Below lie weights.
_NESTED = ({7}, {1}, {5})


def check_entries(path: Path) -> None:
    """Refuse a checkpoint or an ONNX graph of so many entries that reading it would take minutes.

    Damaged bytes end the count; the parser tells of them.

    Raises:
        UserError: there are too many.
    """
    content = path.read_bytes()
    count = sum(1 for _ in islice(_entries(content, 0, len(content)), MAX_ENTRIES + 1))
    if count > MAX_ENTRIES:
        raise UserError(f"{path} is refused: it has over {MAX_ENTRIES:,} entries, as no network has")


def _entries(content: bytes, start: int, end: int, depth: int = 0) -> Iterator[None]:
    """Give each field of a message, and of the messages that it nests."""
    for number, inner, after in _fields(content, start, end):
        yield
        if depth < len(_NESTED) and number in _NESTED[depth]:
            yield from _entries(content, inner, after, depth + 1)


def _fields(content: bytes, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give the number of each field of a message, and where its content begins and ends."""
    while place < end:
        tag, place = _varint(content, place)
        start = place
        match tag & 7:
            case 0:
                _, place = _varint(content, place)
            case 1:
                place += 8
            case 2:
                length, start = _varint(content, place)
                place = start + length
                if place > end:
                    return
            case 5:
                place += 4
            case _:
                return
        yield tag >> 3, start, place


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Read a number and return it with the place behind it."""
    value = shift = 0
    for byte in content[place : place + 10]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, place + max(shift // 7, 1)
