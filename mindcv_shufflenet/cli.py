"""The command line: ``shufflenet VERB [options]``, and ``train.py`` and ``validate.py``, which are two of its verbs.

A verb's module is imported only when the verb is called, so that ``--help`` and a mistyped option answer at once.
"""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mindcv_shufflenet.config import Config, load_yaml, unknown_option
from mindcv_shufflenet.errors import Interrupted, RunError, UserError, nearest
from mindcv_shufflenet.option_types import is_boolean, is_list, parse_text
from mindcv_shufflenet.signals import held

PROGRAM = "shufflenet"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are the user's to mend."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the options")


def _add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``-c``, ``--json`` and every option of the schema, in the schema's groups."""
    parser.add_argument("-c", "--config", metavar="FILE", help="YAML recipe; options on the command line go before it")
    _add_json_argument(parser)
    for options in reversed(Config.__bases__):
        group = parser.add_argument_group((options.__doc__ or "").strip())
        for name in options.__annotations__:
            field = Config.model_fields[name]
            extra: dict[str, Any] = (
                {"nargs": "?", "const": "True"} if is_boolean(field) else {"nargs": "+"} if is_list(field) else {}
            )
            text = f"{field.description} (default: {field.default})".replace("%", "%%")
            group.add_argument(f"--{name}", metavar="VALUE", default=argparse.SUPPRESS, help=text, **extra)


def _add_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", default="*", help="names to list, with wildcards: 'shufflenet_v2_*'")
    _add_json_argument(parser)


def _add_json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", metavar="PATH", help="write the result there as one JSON object; - for standard output"
    )


# verb: what it does, its arguments. The module mindcv_shufflenet.commands.VERB has run(arguments).
VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "train": ("train a network on a data set", _add_config_arguments),
    "validate": ("top-1, top-5 and loss of a checkpoint", _add_config_arguments),
    "models": ("list the networks with their parameters and multiply-adds", _add_models_arguments),
}


def main(arguments: Sequence[str] | None = None, *, verb: str | None = None) -> int:
    """Run one command and return its exit status: 0 done, 2 the user's mistake, 1 a failed run, 130/143 stopped.

    Args:
        arguments: the words after the program's name; None: those of this process.
        verb: what ``train.py`` and ``validate.py`` stand for; None: the first word tells.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if verb is None:
            if not words or words[0] in ("-h", "--help"):
                print(_overview())
                return 0
            verb, words = words[0], words[1:]
            program = f"{PROGRAM} {verb}"
            if verb not in VERBS:
                raise UserError(f"unknown verb {verb}{nearest(verb, VERBS)}; the verbs are {', '.join(VERBS)}")
        else:
            program = f"{verb}.py"
        parsed = _parse(program, verb, words)
        os.environ.setdefault("GLOG_v", "4")  # our one line tells what MindSpore would tell in many
        with held():
            module = importlib.import_module(f"mindcv_shufflenet.commands.{verb}")
        module.run(parsed)
        return 0
    except (UserError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except Interrupted as error:
        print(f"stopped: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def entry_point() -> NoReturn:
    """The console script ``shufflenet``."""
    sys.exit(main())


def _overview() -> str:
    verbs = "\n".join(f"  {name:10} {text}" for name, (text, _) in VERBS.items())
    return f"usage: {PROGRAM} VERB [options]\n\n{verbs}\n\n{PROGRAM} VERB --help lists the options of a verb."


def _parse(program: str, verb: str, words: list[str]) -> argparse.Namespace:
    """Parse the words of a verb.

    The options of the schema are gathered in two tables, still unchecked: ``given`` has those of the command line,
    ``options`` those of the recipe as well.
    """
    text, add_arguments = VERBS[verb]
    usage = (
        f"{program} [-c FILE] [--OPTION VALUE | OPTION=VALUE ...]" if add_arguments is _add_config_arguments else None
    )
    parser = _Parser(prog=program, usage=usage, description=text, allow_abbrev=False)
    add_arguments(parser)
    known = {action.dest for action in parser._actions}
    namespace, unknown = parser.parse_known_args([_normalise(word, known) for word in words])
    if unknown:
        name, equals, _ = unknown[0].lstrip("-").partition("=")
        raise UserError(unknown_option(name) if equals or unknown[0].startswith("-") else f"unexpected argument {name}")
    _check_json_path(namespace.json)
    namespace.given = {
        name: parse_text(Config.model_fields[name], ",".join(value) if isinstance(value, list) else value)
        for name, value in vars(namespace).items()
        if name in Config.model_fields
    }
    recipe = load_yaml(namespace.config) if getattr(namespace, "config", None) else {}
    namespace.options = recipe | namespace.given
    return namespace


def _check_json_path(path: str | None) -> None:
    """Refuse a place for the result that cannot be written, before the work is done."""
    if path in (None, "-"):
        return
    folder = Path(path).absolute().parent
    if Path(path).is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {path}: give --json a file in a folder that is there and can be written")


def _normalise(word: str, known: set[str]) -> str:
    """Write ``name=value``, ``--some-name`` and ``--no-name`` as ``--some_name[=value]``."""
    match = re.fullmatch(r"(--)?([A-Za-z][\w-]*)(=.*)?", word, flags=re.DOTALL)
    if not match or not (match[1] or match[3]):
        return word
    name, value = match[2].replace("-", "_"), match[3] or ""
    if name not in known and name.startswith("no_") and name[3:] in known and not value:
        name, value = name[3:], "=False"
    if not match[1] and name not in known:  # may be the value of an option, such as a path with an equals sign
        return word
    return f"--{name}{value}"
