"""Where the output of a verb goes: text for people, and the result as JSON."""

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mindcv_shufflenet.console import SafeConsole, notes_on
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.storage.files import atomic_write

_logger = logging.getLogger(__name__)


@contextmanager
def reporting(arguments: argparse.Namespace, *, survives: bool = False) -> Iterator[SafeConsole]:
    """Give the console of a verb. Meanwhile it shows the notes: those of the words, then what the package logs.

    Args:
        arguments: of the verb.
        survives: as for :func:`create_console`.
    """
    console = create_console(arguments.json, survives=survives)
    with notes_on(console):
        for note in arguments.notes:
            _logger.info(note)
        yield console


def create_console(json_path: str | None, *, survives: bool = False) -> SafeConsole:
    """Return where people's text goes: standard output, or standard error if the result goes there as JSON.

    Of several ranks only the first prints. With ``survives`` the work continues when nothing can be written.
    """
    return SafeConsole(
        survives=survives,
        stderr=json_path == "-",
        # mpirun makes any rank believe that it writes to a terminal
        force_terminal=False if current().world.size > 1 else None,
        quiet=not current().is_first,
    )


def write_json(path: str | None, result: Any) -> None:
    """Write a verb's result as one JSON object, paths as text: ``-`` is standard output, None nothing."""
    if path is not None:
        write_text(path, json.dumps(result, default=_plain) + "\n")


def _plain(value: Any) -> str:
    """Return a value that JSON does not hold as text.

    Raises:
        TypeError: it is no path.
    """
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no part of a result")


def write_text(path: str, text: str) -> None:
    """Write a result to a file, atomically, or to standard output (``-``). Of several ranks only the first writes."""
    if not current().is_first:
        return
    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif Path(path).exists() and not Path(path).is_file():  # a device, a pipe
        Path(path).write_text(text)
    else:
        with atomic_write(Path(path).resolve()) as file:
            file.write(text.encode())
