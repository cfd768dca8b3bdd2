"""The words of a command: how options may be written, and what they come to."""

import argparse
import re
from collections.abc import Collection
from itertools import pairwise

from mindcv_shufflenet.cli.parser import Parser
from mindcv_shufflenet.cli.target import check_target
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config, read_recipe, unknown_option
from mindcv_shufflenet.options.synonyms import SYNONYMS
from mindcv_shufflenet.options.types import is_boolean, is_list, parse_text

# What may follow a switch as its value.
_SWITCH_VALUES = {"true", "false", "yes", "no", "on", "off", "0", "1", "auto", "none", "null"}


def parse(program: str, verb: str, words: list[str]) -> argparse.Namespace:
    """Parse the words of a verb.

    The options of the schema are gathered in two tables, still unchecked: ``given`` has those of the command line,
    ``options`` those of the recipe as well. ``notes`` has a line for each thing that is taken for another.

    Raises:
        UserError: a word is missing, unknown or empty, or an option's value is wrong.
    """
    parser = Parser(program, verb)
    if not words and parser.verb.needs:
        raise parser.lacking()
    known = parser.names
    namespace, unknown = parser.parse_known_args([_normalise(word, known) for word in _join_values(words)])
    if unknown:
        raise UserError(_explain_unknown(program, unknown[0], known))
    _refuse_empty(namespace)
    if not parser.verb.complete(namespace):
        raise parser.lacking()
    namespace.given = {
        name: parse_text(Config.model_fields[name], ",".join(value) if isinstance(value, list) else value)
        for name, value in vars(namespace).items()
        if name in Config.model_fields
    }
    recipe, namespace.notes = read_recipe(namespace.config) if getattr(namespace, "config", None) else ({}, [])
    namespace.options = recipe | namespace.given
    parse_config(namespace.options)  # a wrong value is told before MindSpore is imported, which takes a second
    check_target(namespace.json, vars(namespace) | namespace.options)
    return namespace


def _explain_unknown(program: str, word: str, known: Collection[str]) -> str:
    """Say what is wrong with a word that no argument takes."""
    name, equals, _ = word.lstrip("-").partition("=")
    if word.startswith("-") and not word.startswith("--") and name in known:
        return f"unknown option {word}: options begin with two dashes, --{name}"
    if not name or (not equals and not word.startswith("-")):
        return f"unexpected argument {word or repr(word)}; {program} --help says what there may be"
    ours = SYNONYMS.get(name.replace("-", "_").lower(), name.replace("-", "_"))
    if ours in Config.model_fields and ours not in known:
        return f"{program} does not take --{ours}; --help lists what it takes"
    return unknown_option(name, known)


def _refuse_empty(namespace: argparse.Namespace) -> None:
    """Refuse an empty text, which is what a shell makes of a variable that is not set."""
    for name, value in vars(namespace).items():
        if value == "" or (isinstance(value, list) and "" in value):
            raise UserError(f"{name} is given and empty: give it a value, or leave it out")


def _join_values(words: list[str]) -> list[str]:
    """Write ``--name value`` as ``--name=value``, so that a value may look like an option or a negative number.

    A switch that stands alone gets its True, so that it does not take the next argument for its value.
    """
    joined: list[str] = []
    skip = False
    for word, value in pairwise([*words, "--"]):
        field = Config.model_fields.get(word[2:].replace("-", "_")) if word.startswith("--") else None
        if skip:
            skip = False
        elif field is None or is_list(field):
            joined.append(word)
        elif is_boolean(field):
            skip = value.lower() in _SWITCH_VALUES
            joined.append(f"{word}={value if skip else True}")
        else:
            skip = not value.startswith("--")
            joined.append(f"{word}={value}" if skip else word)
    return joined


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
