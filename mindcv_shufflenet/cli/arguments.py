"""An argument of a verb, and the values that arguments take."""

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import unknown_name


class Argument(NamedTuple):
    """An argument of one verb alone.

    Attributes:
        names: as argparse takes them: a plain name is a position, one with dashes an option.
        text: a line for people.
        is_path: whether it is the path of a file or folder, or several.
        companion: the suffix of a second file that is written beside the path; empty: there is none.
        is_earlier: tells whether a file is an earlier result, which the new one may replace; None: the path is not that
            of a result.
        is_common: whether it stands on the first page of ``--help``.
        settings: further settings of ``argparse``'s ``add_argument``.
    """

    names: tuple[str, ...]
    text: str
    is_path: bool
    companion: str
    is_earlier: Callable[[Path], bool] | None
    is_common: bool
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its value after parsing."""
        return self.names[-1].lstrip("-")


def argument(
    *names: str,
    text: str,
    is_path: bool = False,
    companion: str = "",
    is_earlier: Callable[[Path], bool] | None = None,
    is_common: bool = True,
    **settings: Any,
) -> Argument:
    """Return an argument; ``settings`` are those of ``argparse``."""
    return Argument(names, text, is_path, companion, is_earlier, is_common, settings)


RECIPE = argument("-c", "--config", metavar="FILE", text="YAML recipe; the command line goes before it", is_path=True)


def switch(name: str, *, text: str, default: bool = False, is_common: bool = True) -> Argument:
    """Return an argument that is on or off: ``--name``, ``--name=False`` or ``--no-name``."""
    return argument(
        name, nargs="?", const=True, default=default, type=boolean, metavar="True|False", text=text, is_common=is_common
    )


def boolean(text: str) -> bool:
    """Return what ``True`` or ``False`` says, in any case."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text} is neither True nor False")
    return text.lower() == "true"


def count(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0 and at most 1000000")
    return int(text)


def epoch_range(text: str) -> tuple[int, int]:
    """Return the first and the last epoch of ``A-B``."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is no range of epochs, such as 21-30")
    return int(first), int(last)


def seconds(text: str) -> float:
    """Return a time above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0 and at most 3600")
    return number


def duration(text: str) -> float:
    """Return the seconds of a time: ``90s``, ``10m``, ``1.5h``; a number alone is minutes."""
    units = {"s": 1, "m": 60, "h": 3600}
    unit = units.get(text[-1:], 60)
    try:
        return unit * float(text[:-1] if text[-1:] in units else text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no time, such as 90s, 10m or 1h") from None


def name_of(kind: str, names: Collection[str]) -> Callable[[str], str]:
    """Return a function that refuses whatever is none of some names."""

    def check(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(unknown_name(kind, text, names))
        return text

    return check


def picture(text: str) -> str:
    """Return the path of a picture that can be drawn."""
    if Path(text).suffix.lower() not in (".png", ".svg"):
        raise argparse.ArgumentTypeError(f"{text} is no picture: give a name that ends with .png or .svg")
    return text
