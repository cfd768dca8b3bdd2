"""A rank that outlives its launcher for as long as saving takes.

Open MPI 5 sends SIGKILL a quarter of a second after SIGTERM, less than a step of a large network takes. The process
that ``mpirun`` has started therefore only watches: it passes signals on to the rank itself, which is its child. While
there is nothing to save, the rank is in its watcher's process group, which ``mpirun`` kills as a whole; before the
first step it leaves for a session of its own. If the watcher is killed after a signal, the rank saves and ends; if it
is killed without one, the rank ends at once. If ``mpirun`` itself is killed, that is a signal to stop as well.

The watcher also tells of the end of its rank if no other rank does: one that waits inside MindSpore may be unable to.
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

# Seconds that a rank has, once its watcher is gone, to finish its step and save.
SAVE_SECONDS = 25.0
# Seconds in which the other ranks can tell of one that was killed, before mpirun knows of it and closes their output.
TELL_SECONDS = 5.0
# Seconds between two looks at whether mpirun is still there.
_LOOK_SECONDS = 2.0


_is_watched = False


def be_watched(world: World) -> None:
    """Go on in a child of this process; the process that the launcher knows stays behind as its watcher."""
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
    """Leave what the launcher kills, if this process is watched: from now on there is something to save."""
    if _is_watched:
        os.setsid()


def _watch(child: int, tell: int, launcher: int, world: World) -> NoReturn:
    """Pass signals on to the rank until it ends, and end as it has."""
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
    """Tell what has killed the rank, unless mpirun ends the job meanwhile because another rank has told and ended."""
    if world.size > 1 and signal.sigtimedwait(STOPPING, TELL_SECONDS):
        return
    who = name_ranks([world.rank], world.size)
    print(f"error: {who}: it is gone from {socket.gethostname()}: {reason.name}", file=sys.stderr, flush=True)


def _follow(told: int) -> NoReturn:
    """End the rank when its watcher is gone, but leave it the time to save if a signal has told it to stop."""
    is_stopping = False
    while os.read(told, 1):
        is_stopping = True
    if is_stopping:
        time.sleep(SAVE_SECONDS)
    os._exit(128 + signal.SIGTERM if is_stopping else 1)
