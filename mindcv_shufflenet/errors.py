"""Errors that end a command, and suggestions for misspelt names."""

import functools
import inspect
import numbers
from collections.abc import Callable, Collection, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class UserError(Exception):
    """A mistake in the input. Its text is one line that says what is wrong and what to do.

    The command line prints it as ``error: ...`` and exits with status 2; no traceback.
    """

    status = 2


class RunError(Exception):
    """A run that failed although its input was right (a NaN loss, a lost rank): one line, exit status 1."""

    status = 1


class Interrupted(BaseException):
    """A command that a signal stopped; a training has saved its state. Like KeyboardInterrupt, it is no Exception.

    Attributes:
        status: the exit status, 128 + the signal's number.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def first_line(error: Exception) -> str:
    """Return the first line of the text of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(name: str, names: Iterable[str]) -> str:
    """Return `` (did you mean NAME?)`` for a misspelt name, or nothing if none is near."""
    import difflib  # --help need not wait for it

    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def unknown_name(kind: str, name: str, names: Collection[str]) -> str:
    """Return the message for a name that does not exist, with the nearest right one and all there are."""
    return f"unknown {kind} {name}{nearest(name.lower(), names)}; there are {', '.join(names)}"


def check_keywords(what: str, given: Iterable[str], allowed: Collection[str]) -> None:
    """Refuse a keyword argument that does not exist.

    Raises:
        UserError: naming it and the nearest right one.
    """
    if unknown := sorted(set(given) - set(allowed)):
        raise UserError(
            f"{what} has no argument {unknown[0]}{nearest(unknown[0], allowed)}; it takes {', '.join(sorted(allowed))}"
        )


def check_counts(**values: object) -> None:
    """Refuse anything but whole numbers above 0.

    Raises:
        UserError: naming the first such argument.
    """
    for name, value in values.items():
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
            raise UserError(f"{name}={value!r}: it must be a whole number above 0")


def checked_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Let a public function answer a mistyped keyword with a UserError."""
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check_keywords(function.__name__, kwargs, named)
        return function(*args, **kwargs)

    return checked
