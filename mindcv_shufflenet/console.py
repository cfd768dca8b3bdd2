"""The console of a command: escaped control characters, lines and tables that break no word, progress bars, notes."""

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

from mindcv_shufflenet.lines import output_error, printable, silence, wrap

# Columns of a table where there is no terminal: as many as it needs.
_UNBOUNDED = 100_000
# A longer word of a table is folded where it has to be. The names of published weights are shorter.
_LONG_WORD = 40


class SafeConsole(Console):
    """A console that shows control characters escaped, and breaks no line within a word.

    On a terminal lines are wrapped at words; elsewhere they stay whole, and tables are as wide as they need.

    Args:
        survives: whether to go on in silence when the output cannot be written, as a training does; otherwise a
            RunError is raised. Where the reader has left, as ``head`` does, it is silent in any case.
        options: of rich's console.

    Attributes:
        lost: why the output could not be written; None if it could.
    """

    def __init__(self, *, survives: bool = False, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)
        self.survives = survives
        self.lost: OSError | None = None
        if not self.is_terminal:
            self.width = _UNBOUNDED

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts as lines, and other things as rich does."""
        if objects and all(isinstance(thing, str) for thing in objects):
            line = printable(" ".join(objects))
            parts = list(wrap(line, self.width)) if self.is_terminal else [line]
            super().print(Text("\n".join(parts)), soft_wrap=True, **options)
        elif objects and isinstance(objects[0], Table) and not fit(objects[0], self):
            for line in lines_of(objects[0]):
                self.print(line)
        else:
            super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape what stands in the cells of a table as well."""
        return super().render_str(printable(text), **options)

    def on_broken_pipe(self) -> None:
        """Go on in silence."""
        self.lost = self.lost or BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        self.quiet = True
        silence(self.file.fileno())

    def _write_buffer(self) -> None:
        try:
            super()._write_buffer()
        except OSError as error:
            self.lost = error
            self.on_broken_pipe()
            if not self.survives and not isinstance(error, BrokenPipeError):
                raise output_error(error) from error


def fit(table: Table, console: Console) -> bool:
    """Give the columns of a table widths that fold long words alone; return whether the console has room for them."""
    cells = [[printable(str(cell)) for cell in (column.header, *column.cells)] for column in table.columns]
    widest = [max(map(cell_len, column)) for column in cells]
    words = [[cell_len(word) for cell in column for word in cell.split()] for column in cells]
    needed = [min(max(lengths, default=0), _LONG_WORD) for lengths in words]
    unbounded = console.options.update(max_width=_UNBOUNDED)
    spare = console.width - Measurement.get(console, unbounded, table).maximum + sum(widest) - sum(needed)
    for column, least, most in zip(table.columns, needed, widest, strict=True):
        column.width, column.overflow = least + max(0, min(spare, most - least)), "fold"
        spare -= column.width - least
    return spare >= 0


def lines_of(table: Table) -> Iterator[str]:
    """Yield the title, the header and the rows of a table as lines."""
    if table.title:
        yield str(table.title)
    yield "  ".join(str(column.header) for column in table.columns)
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        yield "  ".join(map(str, cells))


@contextmanager
def progress(
    description: str, total: int | None, *columns: ProgressColumn, console: Console | None = None, completed: int = 0
) -> Iterator[Callable[[int], object]]:
    """Show a progress bar on a terminal, and nothing elsewhere; yields a function that counts finished items.

    Args:
        description: of the work.
        total: number of items; None: unknown.
        columns: of the bar; none: those of rich.
        console: shows the bar, and removes it at the end; None: standard error, where it stays.
        completed: items that were finished before.
    """
    shown_on = console or Console(stderr=True, force_terminal=sys.stderr.isatty())
    with Progress(*columns, console=shown_on, transient=console is not None, disable=not shown_on.is_terminal) as bar:
        task = bar.add_task(description, total=total, completed=completed)
        yield lambda items: bar.advance(task, items)


@contextmanager
def notes_on(console: Console) -> Iterator[None]:
    """Show what the package logs as lines ``note: ...`` for a while, each text once, and nowhere else.

    Other packages give the root logger a handler, which would show the same a second time.
    """
    logger = logging.getLogger(__package__)
    handler, level, propagates = _Notes(console), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


@contextmanager
def notes_held_back() -> Iterator[None]:
    """Let the package log nothing but warnings for a while: what a command does in steps needs no notes on each."""
    logger = logging.getLogger(__package__)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Notes(logging.Handler):
    """Prints records as notes."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self.shown:
            self.shown.add(text)
            self.console.print(f"note: {text}")
