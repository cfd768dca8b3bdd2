"""Lines that leave the program: escaped, and wrapped between words."""

import io
import os
import pty
from pathlib import Path

import pytest

from mindcv_shufflenet.lines import counted, print_line, printable, silence, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc\x07", "a\\nb\\r\\tc\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff", "\\udcff"),
        ("运行 一　二 é ü 'a' \\", "运行 一　二 é ü 'a' \\"),
    ],
)
def test_control_characters_are_escaped_and_nothing_else(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_nouns_follow_their_number() -> None:
    assert [counted(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert [counted(number, "class", "classes") for number in (1, 3)] == ["1 class", "3 classes"]


@pytest.mark.parametrize("width", [10, 20, 60, 80, 200])
def test_no_word_is_broken(width: int) -> None:
    line = "note: from /a/long/path/to/some/run: model=x,  two spaces and 一个 很长 的 句子 of several words"
    parts = list(wrap(line, width))
    assert "".join(parts).replace(" ", "") == line.replace(" ", "")
    assert " ".join(parts).split() == line.split()
    assert all(len(part) <= width or " " not in part for part in parts)


def test_a_command_stays_together() -> None:
    line = "error: train.py needs data; for example: `python train.py --dataset folder --data_dir photos`"
    assert list(wrap(line, 60)) == [
        "error: train.py needs data; for example:",
        "`python train.py --dataset folder --data_dir photos`",
    ]


def test_lines_stay_whole_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    print_line("word " * 100, stream)
    assert stream.getvalue() == "word " * 100 + "\n"


def test_lines_are_wrapped_on_a_terminal() -> None:
    reader, writer = pty.openpty()
    os.system(f"stty cols 40 < {os.ttyname(writer)}")
    with open(writer, "w") as terminal:
        print_line("error: " + "word " * 20, terminal)
        text = os.read(reader, 1000).decode()
    os.close(reader)
    assert [len(line) <= 40 for line in text.splitlines()] == 3 * [True]
    assert text.split() == ["error:", *20 * ["word"]]


def test_silence_leaves_no_descriptor_open(tmp_path: Path) -> None:
    with open(tmp_path / "out.txt", "w") as file:
        before = len(os.listdir("/proc/self/fd"))
        for text in ("heard", "unheard"):
            print(text, file=file, flush=True)
            silence(file.fileno())
        assert len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "out.txt").read_text() == "heard\n"
