"""Signals that stop a command: blocked while it works, and looked for where its work is in a consistent state.

While MindSpore runs a graph, it catches SIGINT itself and sends the process a SIGTERM instead. A blocked signal stays
pending and reaches no handler, provided that every thread blocks it. The command line therefore imports MindSpore,
whose threads inherit the mask, with the signals blocked. In a notebook MindSpore's threads have no such mask: a signal
that one of them takes is passed on to the thread that blocks it.
"""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from mindcv_shufflenet.errors import Interrupted

T = TypeVar("T")

# SIGHUP comes when a terminal is closed. SIGUSR1 is what batch systems send as a warning, and what mpirun passes on
# without killing afterwards.
_BLOCKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
# Those that stop a command. One that was ignored when the process began, as by nohup, stays ignored.
STOPPING = frozenset(number for number in _BLOCKED if signal.getsignal(number) is not signal.SIG_IGN)


@contextmanager
def held() -> Iterator[None]:
    """Block the signals for this thread and the threads that it starts; afterwards they act as before.

    Ignored signals are blocked too: MindSpore would turn an ignored SIGINT into a SIGTERM.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    handlers = _pass_on()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is _to_this_thread:  # and not ignored meanwhile
                signal.signal(number, handler)
        for number in signal.sigpending() & set(_BLOCKED) - STOPPING:
            signal.sigtimedwait({number}, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pass_on() -> dict[signal.Signals, Any]:
    """Let signals that another thread takes pend in the main thread; return the handlers of before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    known = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    return {number: signal.signal(number, _to_this_thread) for number in known}


def _to_this_thread(number: int, _frame: object) -> None:
    """Send a signal to the main thread, in which Python runs handlers whichever thread took the signal."""
    signal.raise_signal(number)


def take() -> signal.Signals | None:
    """Return a pending signal and clear all pending ones; None if there is none."""
    taken = None
    while pending := signal.sigpending() & STOPPING:
        # without waiting: a thread that does not block it may have taken it, and its handler passes it on
        if received := signal.sigtimedwait(pending, 0):
            taken = signal.Signals(received.si_signo)
    return taken


def check() -> None:
    """Check for a pending signal.

    Raises:
        Interrupted: there is one.
    """
    if received := take():
        _interrupt(received)


def checked(items: Iterable[T]) -> Iterator[T]:
    """Yield items with the signals blocked, and look for one after each item is computed. To be iterated to the end.

    Raises:
        Interrupted: a signal has come.
    """
    with held():
        for item in items:
            check()
            yield item


@contextmanager
def raised() -> Iterator[None]:
    """Let signals that would end the process silently raise :class:`Interrupted` in the main thread."""
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
    """Ignore the signals from now on, pending ones too."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
