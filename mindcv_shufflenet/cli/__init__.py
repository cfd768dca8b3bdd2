"""The command line: ``shufflenet VERB [options]``; ``train.py``, ``validate.py`` and ``infer.py`` are verbs of it.

A verb's module is imported only when the verb is called, so that ``--help`` and a mistyped option answer at once.
"""

import importlib
import os
import sys
import time
from collections.abc import Collection, Sequence
from functools import partial

from mindcv_shufflenet import signals
from mindcv_shufflenet.cli import job
from mindcv_shufflenet.cli.verb import spell
from mindcv_shufflenet.cli.verbs import VERBS, find_verb
from mindcv_shufflenet.cli.words import parse
from mindcv_shufflenet.errors import UserError, nearest

PROGRAM = "shufflenet"
_HELP = ("-h", "--help")


def main(arguments: Sequence[str] | None = None, *, verb: str | None = None) -> int:
    """Run one command and return its exit status: 0 done, 2 the user's mistake, 1 a failed run, 128 + N signal N.

    Args:
        arguments: the words after the program's name; None: those of this process.
        verb: what ``train.py``, ``validate.py`` or ``infer.py`` stands for; None: the first word tells.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if verb is not None:
        return job.run(partial(_run, VERBS[verb].script or f"{PROGRAM} {spell(verb)}", verb, words), verb)
    if not words or words[0] in _HELP:
        return job.run(partial(_print_overview, VERBS), None)
    verb, words = find_verb(words)
    return job.run(partial(_run, f"{PROGRAM} {spell(verb)}", verb, words), verb)


def _run(program: str, verb: str, words: list[str]) -> None:
    """Join the ranks, parse the words, and let the verb do its work.

    Raises:
        UserError: there is no such verb, or its words are wrong.
    """
    begin = time.perf_counter()
    if verb not in VERBS:
        _explain_unknown(verb, words)
        return
    os.environ.setdefault("GLOG_v", "4")  # our one line tells what MindSpore would tell in many
    read = partial(parse, program, verb, words)
    if job.serves_as_scheduler(read):
        return
    job.join_ranks(program, verb)
    arguments = read()
    arguments.begin = begin  # importing MindSpore takes seconds
    with job.interruptible():
        with signals.held():  # MindSpore's threads inherit the mask
            module = importlib.import_module(VERBS[verb].module or f"mindcv_shufflenet.commands.{verb}")
        module.run(arguments)


def _explain_unknown(verb: str, words: list[str]) -> None:
    """Help with the first word of some verbs alone.

    Raises:
        UserError: no verb begins with it, or it is given without a second word, or with a wrong one.
    """
    family = [name for name in VERBS if name.startswith(f"{verb}_")]
    if family and words and words[0] in _HELP:
        _print_overview(family)
        return
    given = spell("_".join([verb, *words[:1]]) if family else verb)
    known = [spell(name) for name in family or VERBS]
    if family and not words:
        example = f"{PROGRAM} {known[0]} {VERBS[family[0]].examples[0]}"
        raise UserError(f"{PROGRAM} {verb} needs another word: {', '.join(known)}; for example: `{example}`")
    raise UserError(f"unknown verb {given}{nearest(given, known)}; the verbs are {', '.join(known)}")


def _print_overview(names: Collection[str]) -> None:
    verbs = "\n".join(f"  {spell(name):13} {VERBS[name].text}" for name in names)
    print(
        f"usage: {PROGRAM} VERB [options]\n\n{verbs}\n\n{PROGRAM} VERB --help shows the options that"
        " people use, --help all lists\nevery option."
    )
