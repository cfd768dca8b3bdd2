"""The parser of a verb, and its help: a page of what people use, and with ``--help all`` everything."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.annotations import is_boolean, is_list, spell_default
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.tables import Schema, common, groups_of, read_by


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors say what the user can do.

    Args:
        program: the command as the user types it.
        verb: the verb that it stands for.
        complete: whether it knows every option of the verb, or those of the first page of its help alone.
        schema: the class of the options.

    Attributes:
        reads_as: the verb whose options it reads.
        hidden: names of the verb's own arguments that are names of options too, which the verb does not read.
    """

    def __init__(self, program: str, verb: str, complete: bool = True, schema: Schema = Config) -> None:
        self.verb = VERBS[verb]
        self.reads_as = self.verb.reads_as or verb
        self.schema = schema
        command = f"python {program}" if program.endswith(".py") else program
        self.examples = [f"{command} {words}".rstrip() for words in self.verb.examples]
        rest = "" if complete else f"\n\n{program} --help all lists every option"
        super().__init__(
            prog=program, description=self.verb.text, allow_abbrev=False, add_help=False,
            epilog="\n  ".join(["examples:", *self.examples]) + rest,
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=28),
        )  # fmt: skip
        for own in self.verb.arguments:
            text = own.text if complete or own.is_common else argparse.SUPPRESS
            self.add_argument(*own.names, help=text, **own.settings)
        words = [str(action.metavar or action.dest) for action in self._actions if not action.option_strings]
        self.usage = " ".join([program, *words, "[--OPTION VALUE | OPTION=VALUE ...]"])
        self.add_argument("--json", metavar="PATH", help="write the result there as JSON; - for standard output")
        taken = {own.name for own in self.verb.arguments}
        self.hidden = taken - {*read_by(self.reads_as, schema)}
        if complete:
            names = schema.model_fields if self.verb.takes_recipe else read_by(self.reads_as, schema)
            self._add_groups([name for name in names if name not in taken])
        elif not self.verb.reads_as:
            self._add_page([name for name in common(verb, schema) if name not in taken])
        self.add_argument(
            "-h", "--help", nargs="?", const="", metavar="all", action=_Help,
            page=partial(Parser, program, verb, schema=schema),
            help="show the options that people use, or all of them" if complete else argparse.SUPPRESS,
        )  # fmt: skip

    def _add_groups(self, names: list[str]) -> None:
        """Add options in their groups, each with all that it takes."""
        for title, members in groups_of(self.schema).items():
            chosen = [name for name in members if name in names]
            group = self.add_argument_group(title) if chosen else self
            for name in chosen:
                field = self.schema.model_fields[name]
                extra: dict[str, Any] = (
                    {"nargs": "?", "const": "True"} if is_boolean(field) else {"nargs": "+"} if is_list(field) else {}
                )
                text = f"{field.description} (default: {spell_default(field)})".replace("%", "%%")
                group.add_argument(f"--{name}", metavar="VALUE", default=argparse.SUPPRESS, help=text, **extra)

    def _add_page(self, names: list[str]) -> None:
        """Add options for a page of help, each with as few words as possible."""
        for name in names:
            field = self.schema.model_fields[name]
            default = "" if field.default in (None, "", False) else f" (default: {field.default})"
            extra: dict[str, Any] = {"action": "store_true"} if is_boolean(field) else {"metavar": "VALUE"}
            self.add_argument(f"--{name}", help=f"{field.description}{default}".replace("%", "%%"), **extra)

    @property
    def example(self) -> str:
        """One command that would run."""
        return f"for example: `{self.examples[0]}`"

    @property
    def names(self) -> set[str]:
        """The names of its arguments and options."""
        return {action.dest for action in self._actions}

    def lacking(self) -> UserError:
        """Return the error for a verb without the words that it needs."""
        return UserError(f"{self.prog} needs {self.verb.needs}; {self.example}")

    def error(self, message: str) -> NoReturn:
        if message.startswith("the following arguments are required"):
            raise UserError(f"{message}; {self.example}")
        raise UserError(f"{message}; {self.prog} --help lists the options")


class _Help(argparse.Action):
    """Print a page of help and end."""

    def __init__(self, *args: Any, page: Callable[..., Parser], **options: Any) -> None:
        super().__init__(*args, **options)
        self.page = page

    def __call__(self, parser: argparse.ArgumentParser, _: Any, values: Any, *__: Any) -> None:
        page = parser if values == "all" else self.page(complete=False)
        print(page.format_help(), end="", flush=True)
        parser.exit()
