"""Signals that stop a command: held back, so that it can look for them where what it has done is whole.

While MindSpore runs a graph it takes SIGINT itself and sends the process a SIGTERM instead. Blocked signals stay
pending and reach no handler, provided that every thread blocks them: the command line therefore imports MindSpore,
whose threads inherit the mask, with the signals held.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from mindcv_shufflenet.errors import Interrupted

# SIGHUP comes when a terminal is closed. SIGUSR1 is what batch systems send as a warning, and what mpirun passes on
# without killing afterwards.
_BLOCKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
# Those that stop a command. One that was ignored when the process began, as by nohup, stays ignored.
STOPPING = frozenset(number for number in _BLOCKED if signal.getsignal(number) is not signal.SIG_IGN)


@contextmanager
def held() -> Iterator[None]:
    """Keep the signals pending for this thread and for those that it starts; afterwards they act as before.

    Ignored ones too: MindSpore would make a SIGTERM of an ignored SIGINT.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take() -> signal.Signals | None:
    """Return a signal that is pending, and take all that are; None if there is none."""
    taken = None
    while pending := signal.sigpending() & STOPPING:
        taken = signal.Signals(signal.sigwait(pending))
    return taken


def check() -> None:
    """Look whether a signal has come that is held.

    Raises:
        Interrupted: one has.
    """
    if received := take():
        _interrupt(received)


@contextmanager
def raised() -> Iterator[None]:
    """Let the signals that would end the process without a word raise :class:`Interrupted` in the main thread."""
    silent = [number for number in STOPPING if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        silent = []
    for number in silent:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in silent:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, _frame: object = None) -> NoReturn:
    raise Interrupted(f"{signal.Signals(number).name}, before the work was done", 128 + number)


def ignore() -> None:
    """Let the signals do nothing any more, also those that are pending."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
