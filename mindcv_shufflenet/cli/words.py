"""Parse the words of a command into arguments and options."""

import argparse
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic.fields import FieldInfo

from mindcv_shufflenet.cli.parser import Parser
from mindcv_shufflenet.cli.target import check_target, is_result
from mindcv_shufflenet.cli.verb import Verb
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.annotations import is_boolean, is_list, parse_text
from mindcv_shufflenet.options.config import Config, parse_config, unknown_option
from mindcv_shufflenet.options.recipes import read_recipe
from mindcv_shufflenet.options.synonyms import SYNONYMS
from mindcv_shufflenet.options.tables import Schema, paths

# What may follow a switch as its value.
_SWITCH_VALUES = {"true", "false", "yes", "no", "on", "off", "0", "1", "auto", "none", "null"}


def parse(program: str, verb: str, words: list[str], schema: type[Config] = Config) -> argparse.Namespace:
    """Parse the words of a verb.

    The options of the schema are gathered in two tables, still unchecked: ``given`` has those of the command line,
    ``options`` those of the recipe as well. ``notes`` has a line for each name that is replaced by another.

    Args:
        program: the command as the user types it.
        verb: the verb of the command.
        words: the words that follow it.
        schema: the class of the options.

    Raises:
        UserError: a word is missing, unknown or empty, or an option's value is wrong.
    """
    parser = Parser(program, verb, schema=schema)
    fields = {name: field for name, field in schema.model_fields.items() if name not in parser.hidden}
    if not words and parser.verb.needs:
        raise parser.lacking()
    known = parser.names
    namespace, unknown = parser.parse_known_args([_normalise(word, known) for word in _join_values(words, fields)])
    if unknown:
        raise UserError(_explain_unknown(program, unknown[0], known, fields))
    _refuse_empty(namespace)
    if not parser.verb.complete(namespace):
        raise parser.lacking()
    namespace.given = {
        name: parse_text(fields[name], ",".join(value) if isinstance(value, list) else value)
        for name, value in vars(namespace).items()
        if name in fields
    }
    recipe, namespace.notes = read_recipe(namespace.config, schema) if getattr(namespace, "config", None) else ({}, [])
    namespace.options = recipe | namespace.given
    # a wrong value is told before MindSpore is imported, which takes a second
    parse_config(namespace.options, schema, verb=parser.reads_as)
    paths_given = [*_own_paths(parser.verb, namespace), *_option_paths(namespace.options, schema)]
    check_target("json", namespace.json, paths_given, is_result)
    for argument in parser.verb.arguments:
        if argument.is_earlier:
            check_target(argument.name, getattr(namespace, argument.name), paths_given, argument.is_earlier)
    return namespace


def _own_paths(verb: Verb, namespace: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield name and path of each path among a verb's own arguments, and of the files that lie beside them."""
    for argument in verb.arguments:
        value = getattr(namespace, argument.name) if argument.is_path else None
        for path in [value] if isinstance(value, str) else value or []:
            yield argument.name, path
            if argument.companion:
                yield argument.name, path + argument.companion


def _option_paths(options: dict[str, Any], schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield name and path of each option that is a path."""
    return ((name, options[name]) for name in paths(schema) if options.get(name))


def _explain_unknown(program: str, word: str, known: Collection[str], fields: Collection[str]) -> str:
    """Say what is wrong with a word that no argument takes."""
    name, equals, _ = word.lstrip("-").partition("=")
    if word.startswith("-") and not word.startswith("--") and name in known:
        return f"unknown option {word}: options begin with two dashes, --{name}"
    if not name or (not equals and not word.startswith("-")):
        return f"unexpected argument {word or repr(word)}; {program} --help says what there may be"
    ours = SYNONYMS.get(name.replace("-", "_").lower(), name.replace("-", "_"))
    if ours in fields and ours not in known:
        return f"{program} does not take --{ours}; --help lists what it takes"
    return unknown_option(name, known)


def _refuse_empty(namespace: argparse.Namespace) -> None:
    """Refuse an empty text, which is what a shell makes of a variable that is not set."""
    for name, value in vars(namespace).items():
        if value == "" or (isinstance(value, list) and "" in value):
            raise UserError(f"{name} is given and empty: give it a value, or leave it out")


def _join_values(words: list[str], fields: Mapping[str, FieldInfo]) -> list[str]:
    """Write ``--name value`` as ``--name=value``, so that a value may look like an option or a negative number.

    A switch that stands alone gets its True, so that it does not take the next argument for its value.
    """
    joined: list[str] = []
    skip = False
    for word, value in pairwise([*words, "--"]):
        field = fields.get(word[2:].replace("-", "_")) if word.startswith("--") else None
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
