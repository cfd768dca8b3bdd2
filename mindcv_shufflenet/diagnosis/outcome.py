"""What a check of the self-test finds."""

from typing import NamedTuple

PASSED, FAILED, LEFT_OUT = "passed", "failed", "left out"


class Outcome(NamedTuple):
    """The outcome of one check.

    Attributes:
        name: of the check.
        status: ``passed``, ``failed`` or ``left out``.
        detail: what was found, or why it was left out.
        meaning: what a failure means and what to do; empty where it did not fail.
        seconds: how long it took.
    """

    name: str
    status: str
    detail: str
    meaning: str = ""
    seconds: float = 0.0


class CheckFailed(Exception):
    """Something is wrong; the text says what was found."""


class CheckLeftOut(Exception):
    """The check cannot be done on this machine; the text says why."""
