"""A verb of the command line: what it does, its own arguments, and examples of it.

A verb of two words, such as ``data stats``, is called ``data_stats`` in tables, modules and the schema.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from mindcv_shufflenet.cli.arguments import Argument


def spell(verb: str) -> str:
    """Return a verb as the user types it."""
    return verb.replace("_", " ")


class Verb(NamedTuple):
    """One verb. The module ``mindcv_shufflenet.commands.VERB`` has ``run(arguments)``.

    Attributes:
        text: what it does.
        examples: words that may follow it.
        result_keys: keys that the JSON of its result always has.
        arguments: its own arguments.
        takes_recipe: whether it reads a recipe, and so takes every option, those too that it does not read.
        reads_as: the verb whose options it reads, which are not on the first page of its help; empty: it has its own.
        script: the script in the repository that is the same command.
        needs: what it cannot do without; empty if it runs without any word.
        runs_on_ranks: whether several ranks do it together.
        saves_state: whether it saves its state when a signal stops it.
        module: the module whose ``run(arguments)`` does it; empty: that of the verb's name in ``commands``.
        complete: brings parsed arguments together that have two names; returns whether what it needs is there.
    """

    text: str
    examples: tuple[str, ...]
    result_keys: set[str]
    arguments: tuple[Argument, ...] = ()
    takes_recipe: bool = False
    reads_as: str = ""
    script: str = ""
    needs: str = ""
    runs_on_ranks: bool = False
    saves_state: bool = False
    module: str = ""
    complete: Callable[[argparse.Namespace], bool] = lambda _: True
