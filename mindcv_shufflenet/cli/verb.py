"""A verb of the command line: what it does, its own arguments, and examples of it."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from mindcv_shufflenet.cli.arguments import Argument


class Verb(NamedTuple):
    """One verb. The module ``mindcv_shufflenet.commands.VERB`` has ``run(arguments)``.

    Attributes:
        text: what it does.
        examples: words that may follow it.
        result_keys: keys that the JSON of its result always has.
        arguments: its own arguments.
        takes_recipe: whether it reads a recipe, and so takes every option, those too that it does not read.
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
    script: str = ""
    needs: str = ""
    runs_on_ranks: bool = False
    saves_state: bool = False
    module: str = ""
    complete: Callable[[argparse.Namespace], bool] = lambda _: True
