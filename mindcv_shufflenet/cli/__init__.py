"""The command line: ``shufflenet VERB [options]``; ``train.py``, ``validate.py`` and ``infer.py`` are verbs of it.

A verb's module is imported only when the verb is called, so that ``--help`` and a mistyped option answer at once.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from mindcv_shufflenet import signals
from mindcv_shufflenet.cli.failures import end
from mindcv_shufflenet.cli.verbs import ON_SEVERAL_RANKS, VERBS
from mindcv_shufflenet.cli.words import parse
from mindcv_shufflenet.errors import Interrupted, RunError, UserError, nearest
from mindcv_shufflenet.lines import print_line, silence
from mindcv_shufflenet.parallel import msrun
from mindcv_shufflenet.parallel.group import current, join
from mindcv_shufflenet.parallel.watchdog import be_watched
from mindcv_shufflenet.parallel.world import MPIRUN, find_world, is_scheduler
from mindcv_shufflenet.runtime.cores import own_place, share_cores

PROGRAM = "shufflenet"


def main(arguments: Sequence[str] | None = None, *, verb: str | None = None) -> int:
    """Run one command and return its exit status: 0 done, 2 the user's mistake, 1 a failed run, 128 + N signal N.

    Args:
        arguments: the words after the program's name; None: those of this process.
        verb: what ``train.py``, ``validate.py`` or ``infer.py`` stands for; None: the first word tells.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if sys.stdout is None:  # closed by the shell: the first file to be opened would take its place
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows ASCII alone shows the rest as escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words, verb)
        sys.stdout.flush()
        current().leave()
        return status
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
        return end(error, verb or next(iter(words), None))


def _run(words: list[str], verb: str | None) -> int:
    """Do what the words say and return the exit status."""
    if verb is None:
        if not words or words[0] in ("-h", "--help"):
            print(_overview())
            return 0
        verb, words = words[0], words[1:]
        program = f"{PROGRAM} {verb}"
        if verb not in VERBS:
            raise UserError(f"unknown verb {verb}{nearest(verb, VERBS)}; the verbs are {', '.join(VERBS)}")
    else:
        program = VERBS[verb].script or f"{PROGRAM} {verb}"
    if is_scheduler():
        os.environ.setdefault("GLOG_v", "4")
        msrun.serve(lambda: parse(program, verb, words))
        return 0
    world = find_world()
    if world.size > 1 and verb not in ON_SEVERAL_RANKS:
        raise UserError(f"{program} is the work of one process; start it without {world.launcher}")
    if verb == "train" and world.launcher == MPIRUN:
        be_watched(world)
    with signals.held():  # what starts threads
        share_cores(world.rank, join(world).gather(own_place()))
    if not current().is_first:
        silence(sys.stdout.fileno())
    parsed = parse(program, verb, words)
    os.environ.setdefault("GLOG_v", "4")  # our one line tells what MindSpore would tell in many
    with signals.raised() if world.size == 1 else nullcontext():
        with signals.held():
            module = importlib.import_module(f"mindcv_shufflenet.commands.{verb}")
        module.run(parsed)
    return 0


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


def _overview() -> str:
    verbs = "\n".join(f"  {name:10} {verb.text}" for name, verb in VERBS.items())
    return (
        f"usage: {PROGRAM} VERB [options]\n\n{verbs}\n\n{PROGRAM} VERB --help shows the options that"
        " people use, --help all lists\nevery option."
    )
