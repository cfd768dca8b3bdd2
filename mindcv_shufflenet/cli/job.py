"""The life of a command's process: its streams, its ranks, its signals and its exit status."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from mindcv_shufflenet import signals
from mindcv_shufflenet.cli.failures import end
from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.errors import Interrupted, RunError, UserError
from mindcv_shufflenet.lines import print_line, silence
from mindcv_shufflenet.parallel.group import current, join
from mindcv_shufflenet.parallel.world import MPIRUN, find_world, is_scheduler
from mindcv_shufflenet.runtime.cores import own_place, share_cores


def run(work: Callable[[], object], verb: str | None) -> int:
    """Do some work and return the exit status; an error becomes a line on standard error.

    Args:
        work: what the command does.
        verb: the verb, or None; its options may be named in advice.
    """
    _open_streams()
    try:
        work()
        sys.stdout.flush()
        current().leave()
        return 0
    except UserError as error:
        return error.status if _is_told_by_the_first() else current().fail(str(error), error.status)
    except RunError as error:
        return current().fail(str(error), error.status)
    except Interrupted as error:
        if current().is_first:
            _say_stopped(f"stopped: {error}")
        current().leave()
        return error.status
    except SystemExit:  # after --help
        current().leave()
        raise
    except KeyboardInterrupt:
        if current().world.size > 1:
            return current().fail("stopped by Ctrl-C", 130)
        _say_stopped("stopped by Ctrl-C")
        return 130
    except Exception as error:
        return end(error, verb)


def serves_as_scheduler(check: Callable[[], object]) -> bool:
    """Serve if this process is ``msrun``'s scheduler, until the workers have ended; return whether it was.

    Args:
        check: looks at the words of the command, as the workers will.
    """
    if is_scheduler():
        from mindcv_shufflenet.parallel import msrun  # one process need not wait for sockets

        msrun.serve(check)
        return True
    return False


def join_ranks(program: str, verb: str) -> None:
    """Meet the other ranks of the launch, take this rank's share of the cores, and silence all ranks but the first.

    Raises:
        UserError: the verb is the work of one process.
        RunError: the ranks do not find each other.
    """
    world = find_world()
    if world.size > 1 and not VERBS[verb].runs_on_ranks:
        raise UserError(f"{program} is the work of one process; start it without {world.launcher}")
    if VERBS[verb].saves_state and world.launcher == MPIRUN:
        from mindcv_shufflenet.parallel.watchdog import be_watched  # one process need not wait for sockets

        be_watched(world)
    with signals.held():  # the threads of the connections inherit the mask
        share_cores(world.rank, join(world).gather(own_place()))
    if not current().is_first:
        silence(sys.stdout.fileno())


def interruptible() -> AbstractContextManager[None]:
    """Let signals that stop a command raise Interrupted; ranks, which must agree first, keep the signals' default."""
    return signals.raised() if current().world.size == 1 else nullcontext()


def _open_streams() -> None:
    """Make sure that text can be written to standard output, whatever the shell and the terminal are."""
    if sys.stdout is None:  # closed by the shell: the first file to be opened would take its place
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows ASCII alone shows the rest as escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say_stopped(line: str) -> None:
    """Tell that a signal has stopped the command, if anybody still reads: the terminal or mpirun may be gone."""
    try:
        print_line(line, sys.stderr)
    except OSError:
        for stream in (sys.stdout, sys.stderr):  # or Python would change the exit status when it flushes them
            silence(stream.fileno())


def _is_told_by_the_first() -> bool:
    """Whether this is another rank than the first of its host and they have not met: all there make the mistake."""
    try:
        return current().world.size == 1 and find_world().local_rank > 0
    except UserError:
        return False
