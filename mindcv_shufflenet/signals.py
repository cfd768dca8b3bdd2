"""Ctrl-C, SIGTERM and SIGUSR1 held back, so that a training can look for them where its state is whole.

While MindSpore runs a graph it takes SIGINT itself and sends the process a SIGTERM instead. Blocked signals stay
pending and reach no handler, provided that every thread blocks them: the command line therefore imports MindSpore,
whose threads inherit the mask, with the signals held.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# SIGUSR1 is what batch systems send as a warning, and what mpirun passes on without killing afterwards.
HELD = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}


@contextmanager
def held() -> Iterator[None]:
    """Keep the signals pending for this thread and for those that it starts; afterwards they act as before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take() -> signal.Signals | None:
    """Return a signal that is pending, and take all that are; None if there is none."""
    taken = None
    while pending := signal.sigpending() & HELD:
        taken = signal.Signals(signal.sigwait(pending))
    return taken


def ignore() -> None:
    """Let the signals do nothing any more, also those that are pending."""
    for number in HELD:
        signal.signal(number, signal.SIG_IGN)
