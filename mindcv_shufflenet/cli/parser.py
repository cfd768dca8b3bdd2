"""The parser of a verb, and its help: a page of what people use, and with ``--help all`` everything."""

import argparse
from functools import partial
from typing import Any, NoReturn

from mindcv_shufflenet.cli.verbs import VERBS, add_marked_options, add_options
from mindcv_shufflenet.errors import UserError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are the user's to mend.

    Args:
        program: the command as the user types it.
        verb: the verb that it stands for.
        complete: whether it knows every option of the verb, or those of the first page of its help alone.
    """

    def __init__(self, program: str, verb: str, complete: bool = True) -> None:
        self.verb = VERBS[verb]
        command = f"python {program}" if program.endswith(".py") else program
        self.examples = [f"{command} {words}".rstrip() for words in self.verb.examples]
        rest = "" if complete else f"\n\n{program} --help all lists every option"
        super().__init__(
            prog=program, description=self.verb.text, allow_abbrev=False, add_help=False,
            epilog="\n  ".join(["examples:", *self.examples]) + rest,
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=28),
        )  # fmt: skip
        self.verb.add_arguments(self)
        words = [str(action.metavar or action.dest) for action in self._actions if not action.option_strings]
        self.usage = " ".join([program, *words, "[--OPTION VALUE | OPTION=VALUE ...]"])
        self.add_argument("--json", metavar="PATH", help="write the result there as JSON; - for standard output")
        if complete:
            add_options(self, self.verb.options)
        else:
            add_marked_options(self, self.verb)
        self.add_argument(
            "-h", "--help", nargs="?", const="", metavar="all", action=_Help, program=program, verb=verb,
            help="show the options that people use, or all of them" if complete else argparse.SUPPRESS,
        )  # fmt: skip

    @property
    def example(self) -> str:
        """One command that would run."""
        return f"for example: `{self.examples[0]}`"

    @property
    def names(self) -> set[str]:
        """The names of its arguments and options."""
        return {action.dest for action in self._actions}

    def lacking(self) -> UserError:
        """Return what tells that the verb lacks what it needs."""
        return UserError(f"{self.prog} needs {self.verb.needs}; {self.example}")

    def error(self, message: str) -> NoReturn:
        if message.startswith("the following arguments are required"):
            raise UserError(f"{message}; {self.example}")
        raise UserError(f"{message}; {self.prog} --help lists the options")


class _Help(argparse.Action):
    """Print a page of help and end."""

    def __init__(self, *args: Any, program: str, verb: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.page = (program, verb)

    def __call__(self, parser: argparse.ArgumentParser, _: Any, values: Any, *__: Any) -> None:
        print(Parser(*self.page, complete=values == "all").format_help(), end="", flush=True)
        parser.exit()
