"""Lines of text that leave the program: control characters are escaped, no word is broken, or nobody reads them."""

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import IO

from rich.cells import cell_len

from mindcv_shufflenet.errors import RunError

# A word with the spaces before it; what stands in backticks is one word, since it is there to be copied.
_WORD = re.compile(r"\s*(?:`[^`]*`|\S)+")


def printable(text: str) -> str:
    """Return a text with control characters escaped as in Python's texts: a terminal would obey them.

    Characters that turn the direction of writing, and those of no meaning, are escaped as well.
    """
    return "".join(
        letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else repr(letter)[1:-1]
        for letter in text
    )


def wrap(line: str, width: int) -> Iterator[str]:
    """Yield a line in parts of at most ``width`` cells; a longer word has a part by itself and stays whole."""
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
    """Let all that is written to an open descriptor from now on, by whomever, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def output_error(error: OSError) -> RunError:
    """Return what tells that the output could not be written."""
    return RunError(f"cannot write the output: {error.strerror}; make room")
