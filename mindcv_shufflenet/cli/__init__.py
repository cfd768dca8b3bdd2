"""The command line: ``shufflenet VERB [options]``; ``train.py``, ``validate.py`` and ``infer.py`` are verbs of it.

A verb's module is imported only when the verb is called, so that ``--help`` and a mistyped option answer at once.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from functools import partial

from mindcv_shufflenet import signals
from mindcv_shufflenet.cli import job
from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.cli.words import parse
from mindcv_shufflenet.errors import UserError, nearest

PROGRAM = "shufflenet"


def main(arguments: Sequence[str] | None = None, *, verb: str | None = None) -> int:
    """Run one command and return its exit status: 0 done, 2 the user's mistake, 1 a failed run, 128 + N signal N.

    Args:
        arguments: the words after the program's name; None: those of this process.
        verb: what ``train.py``, ``validate.py`` or ``infer.py`` stands for; None: the first word tells.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if verb is not None:
        return job.run(partial(_run, VERBS[verb].script or f"{PROGRAM} {verb}", verb, words), verb)
    if not words or words[0] in ("-h", "--help"):
        return job.run(_print_overview, None)
    return job.run(partial(_run, f"{PROGRAM} {words[0]}", words[0], words[1:]), words[0])


def _run(program: str, verb: str, words: list[str]) -> None:
    """Join the ranks, parse the words, and let the verb do its work.

    Raises:
        UserError: there is no such verb, or its words are wrong.
    """
    if verb not in VERBS:
        raise UserError(f"unknown verb {verb}{nearest(verb, VERBS)}; the verbs are {', '.join(VERBS)}")
    os.environ.setdefault("GLOG_v", "4")  # our one line tells what MindSpore would tell in many
    read = partial(parse, program, verb, words)
    if job.serves_as_scheduler(read):
        return
    job.join_ranks(program, verb)
    arguments = read()
    with job.interruptible():
        with signals.held():  # MindSpore's threads inherit the mask
            module = importlib.import_module(VERBS[verb].module or f"mindcv_shufflenet.commands.{verb}")
        module.run(arguments)


def _print_overview() -> None:
    verbs = "\n".join(f"  {name:10} {verb.text}" for name, verb in VERBS.items())
    print(
        f"usage: {PROGRAM} VERB [options]\n\n{verbs}\n\n{PROGRAM} VERB --help shows the options that"
        " people use, --help all lists\nevery option."
    )
