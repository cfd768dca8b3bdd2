"""The console: wrapped lines, tables that break no word, escaped characters, and output that cannot be written."""

import io
import os
from typing import Any

import pytest
from rich.table import Table

from mindcv_shufflenet.console import SafeConsole, progress
from mindcv_shufflenet.errors import RunError


def shown(thing: object, width: int | None) -> list[str]:
    """What is printed on a terminal of some columns; None: on something else."""
    stream = io.StringIO()
    terminal: dict[str, Any] = {"force_terminal": True, "width": width, "color_system": None} if width else {}
    SafeConsole(file=stream, legacy_windows=False, **terminal).print(thing)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def table() -> Table:
    made = Table("published weights", "top-1", "input", "licence", title="networks")
    made.add_row("shufflenet_v2_x1_0.mmpretrain_in1k", "69.55", "pillow 256, rgb", "Apache-2.0")
    return made


@pytest.mark.parametrize("width", [40, 60, 72, 80, 200, None])
def test_no_word_of_a_table_is_broken(width: int | None) -> None:
    lines = shown(table(), width)
    text = "\n".join(lines)
    for word in (
        "shufflenet_v2_x1_0.mmpretrain_in1k",
        "69.55",
        "pillow",
        "Apache-2.0",
        "licence",
        "weights",
        "networks",
    ):
        assert word in text
    assert all(len(line) <= (width or 100) for line in lines)
    assert ("pillow 256, rgb" in text) == (width != 72)  # it is wrapped at a space


def test_a_table_in_a_pipe_is_as_wide_as_it_needs() -> None:
    made = Table("image", "class")
    made.add_row("photos/" + "x" * 300 + ".jpg", "tench, Tinca tinca")
    assert any("x" * 300 + ".jpg" in line and "tench, Tinca tinca" in line for line in shown(made, None))


@pytest.mark.parametrize(("width", "lines"), [(80, 3), (60, 4), (40, 0)])
def test_a_word_that_is_too_long_is_folded_in_its_column(width: int, lines: int) -> None:
    """Where its column would get less than 40 cells, the rows are lines."""
    made = Table("class", "train", show_edge=False)
    made.add_row("x" * 200, "17")
    made.add_row("bee", "4")
    text = shown(made, width)
    assert sum(line.count("x") for line in text) == 200
    if lines:
        assert all(len(line) <= width for line in text)
        assert sum("x" in line for line in text) == lines
        assert sum("│" in line for line in text) == lines + 1
    else:
        assert "x" * 200 in text


def test_lines_are_wrapped_on_a_terminal_alone() -> None:
    line = "note: " + "word " * 30 + "end"
    assert shown(line, None) == [line]
    assert [len(part) <= 60 for part in shown(line, 60)] == 3 * [True]


def test_escapes_in_lines_tables_and_titles() -> None:
    made = Table("name", title="\x1b[1mtitle")
    made.add_row("a\x1b]0;owned\x07.jpg\nb")
    for width in (None, 80, 10):
        text = "\n".join([*shown(made, width), *shown("note: \x1b[2J", width)])
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\\x1b[2J" in text
        assert r"a\x1b]0;owned\x07.jpg\nb" in text  # whole


@pytest.mark.parametrize("survives", [True, False])
def test_a_full_disk_ends_all_but_a_training(survives: bool) -> None:
    with open("/dev/full", "w") as full:
        console = SafeConsole(file=full, survives=survives)
        if survives:
            console.print("one")
            console.print("two")
        else:
            with pytest.raises(RunError, match="cannot write the output: No space left on device"):
                console.print("one")
        assert console.lost is not None
        assert console.lost.strerror == "No space left on device"


def test_a_reader_that_leaves_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        console = SafeConsole(file=pipe)
        console.print("one")
        console.print("two")
    assert isinstance(console.lost, BrokenPipeError)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_progress_bar_is_for_terminals_alone(is_terminal: bool) -> None:
    stream = io.StringIO()
    with progress("counting", 4, console=SafeConsole(file=stream, force_terminal=is_terminal)) as advance:
        advance(4)
    assert ("counting" in stream.getvalue() and "100%" in stream.getvalue()) == is_terminal
