"""Lines of text for terminals: escape control characters, count things, wrap at words, silence a stream."""

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import IO

from mindcv_shufflenet.errors import RunError

# A word with the spaces before it; what stands in backticks is one word, since it is there to be copied.
_WORD = re.compile(r"\s*(?:`[^`]*`|\S)+")


def printable(text: str) -> str:
    """Return a text with control characters escaped as in a Python literal, since a terminal would obey them.

    Characters that change the direction of writing, and unassigned ones, are escaped as well.
    """
    return "".join(
        letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else repr(letter)[1:-1]
        for letter in text
    )


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: ``1 class``, ``2 classes``; without ``several`` the plural ends in s."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def wrap(line: str, width: int) -> Iterator[str]:
    """Yield a line in parts of at most ``width`` cells; a longer word has a part by itself and stays whole."""
    from rich.cells import cell_len  # --help need not wait for rich

    part = ""
    for word in _WORD.findall(line):
        if part and cell_len(part + word) > width:
            yield part
            part = word.lstrip()
        else:
            part += word
    yield part


def print_line(line: str, file: IO[str]) -> None:
    """Print a line on a stream, wrapped if that is a terminal."""
    parts = [printable(line)]
    if file.isatty():
        parts = list(wrap(parts[0], os.get_terminal_size(file.fileno()).columns or 80))
    print("\n".join(parts), file=file)


def silence(descriptor: int) -> None:
    """Discard everything that is written to an open descriptor from now on, by any code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def output_error(error: OSError) -> RunError:
    """Return the error of an output that cannot be written."""
    return RunError(f"cannot write the output: {error.strerror}; make room")
