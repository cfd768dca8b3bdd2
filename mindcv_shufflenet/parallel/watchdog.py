"""Watchdog: let a rank outlive its launcher for as long as saving takes.

Open MPI 5 sends SIGKILL 0.25 s after SIGTERM; a step of a large network takes longer. The process that ``mpirun``
starts is therefore only a watchdog: the rank is its child, and it passes signals on to the rank. While there is nothing
to save, the rank stays in the process group of its watchdog, which ``mpirun`` kills as a whole; before the first step
the rank starts a session of its own. If the watchdog is killed after a signal, the rank saves and ends; if it is killed
without one, the rank ends at once. The end of ``mpirun`` itself counts as a signal to stop.

The watchdog also reports the end of its rank if no other rank does: one that waits inside MindSpore may be unable to.
"""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from mindcv_shufflenet.parallel.rendezvous import name_ranks
from mindcv_shufflenet.parallel.world import World
from mindcv_shufflenet.signals import STOPPING

# Seconds that a rank has to finish its step and save once its watchdog is gone.
SAVE_SECONDS = 25.0
# Seconds that the other ranks have to report a killed rank before mpirun learns of it and closes their output.
TELL_SECONDS = 5.0
# Seconds between two checks that mpirun still runs.
_LOOK_SECONDS = 2.0


_is_watched = False


def be_watched(world: World) -> None:
    """Continue in a child of this process; the process that the launcher knows becomes its watchdog."""
    global _is_watched  # noqa: PLW0603 - a process has one parent
    launcher = os.getppid()
    told, tell = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING | {signal.SIGCHLD})
    child = os.fork()
    if child:
        os.close(told)
        _watch(child, tell, launcher, world)
    os.close(tell)
    threading.Thread(target=_follow, args=(told,), daemon=True).start()  # takes no signal either
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _is_watched = True


def outlive_launcher() -> None:
    """Leave the process group that the launcher kills, if this process is watched: there is something to save now."""
    if _is_watched:
        os.setsid()


def _watch(child: int, tell: int, launcher: int, world: World) -> NoReturn:
    """Pass signals on to the rank until it ends, then end with its status."""
    while True:
        found = signal.sigtimedwait(STOPPING | {signal.SIGCHLD}, _LOOK_SECONDS)
        if found and found.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                if code < 0:
                    _tell_of_the_end(signal.Signals(-code), world)
                os._exit(code if code >= 0 else 128 - code)
        elif found or os.getppid() != launcher:
            number = found.si_signo if found else signal.SIGTERM
            launcher = os.getppid()
            with suppress(OSError):  # the child has just ended
                os.write(tell, b"!")  # first, since this process may be killed any moment
                os.kill(child, number)


def _tell_of_the_end(reason: signal.Signals, world: World) -> None:
    """Report what killed the rank, unless mpirun ends the job first because another rank has reported it."""
    if world.size > 1 and signal.sigtimedwait(STOPPING, TELL_SECONDS):
        return
    who = name_ranks([world.rank], world.size)
    print(f"error: {who}: it is gone from {socket.gethostname()}: {reason.name}", file=sys.stderr, flush=True)


def _follow(told: int) -> NoReturn:
    """End the rank when its watchdog is gone, after the time to save if a signal told it to stop."""
    is_stopping = False
    while os.read(told, 1):
        is_stopping = True
    if is_stopping:
        time.sleep(SAVE_SECONDS)
    os._exit(128 + signal.SIGTERM if is_stopping else 1)
