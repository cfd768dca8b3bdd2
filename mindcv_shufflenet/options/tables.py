"""What is derived from the options: which belong together, which a verb reads, which have no effect.

Each function takes ``schema``, the class of the options; a subclass of ``Config`` may add options.
"""

import functools
from collections.abc import Collection
from inspect import get_annotations

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import Option, Part, option_of

Schema = type[OptionGroup]


@functools.cache
def options_of(schema: Schema = Config) -> dict[str, Option]:
    """Return what is known of each option, by its name, group by group."""
    return {name: option_of(field) for name, field in schema.model_fields.items()}


def groups_of(schema: Schema = Config) -> dict[str, list[str]]:
    """Return the names of the options by the title of their group, which is the docstring of its class."""
    groups: dict[str, list[str]] = {}
    for group in reversed(schema.__mro__):
        annotated = get_annotations(group)
        own = [name for name in schema.model_fields if name in annotated]
        if own:
            groups.setdefault((group.__doc__ or "").strip(), []).extend(own)
    return groups


def names_of(*parts: Part, schema: Schema = Config) -> tuple[str, ...]:
    """Return the names of the options that belong to ``parts``, part by part."""
    options = options_of(schema)
    return tuple(name for part in parts for name, option in options.items() if option.of == part)


def read_by(verb: str, schema: Schema = Config) -> tuple[str, ...]:
    """Return the names of the options that a verb reads."""
    return tuple(name for name, option in options_of(schema).items() if verb in option.read_by)


def common(verb: str, schema: Schema = Config) -> tuple[str, ...]:
    """Return the names of the options that stand on the first page of a verb's help."""
    return tuple(name for name in read_by(verb, schema) if options_of(schema)[name].is_common)


def paths(schema: Schema = Config) -> tuple[str, ...]:
    """Return the names of the options that are paths of files or folders."""
    return tuple(name for name, option in options_of(schema).items() if option.is_path)


def resumed(schema: Schema = Config) -> tuple[str, ...]:
    """Return the names of the options that a resumed run takes over from the stopped one."""
    return tuple(name for name, option in options_of(schema).items() if option.is_resumed and option.of != "command")


def neutral(schema: Schema = Config) -> tuple[str, ...]:
    """Return the names of the options that may change without changing the training."""
    return tuple(name for name, option in options_of(schema).items() if not option.changes_training)


def saves_memory(verb: str, schema: Schema = Config) -> list[str]:
    """Return the names of the options of a verb whose smaller values save memory, the one that saves most first."""
    ranks = {name: options_of(schema)[name].memory_rank for name in read_by(verb, schema)}
    return sorted((name for name, rank in ranks.items() if rank), key=lambda name: ranks[name] or 0)


def unread(verb: str, given: Collection[str], schema: Schema = Config) -> list[str]:
    """Return a line that names those of the given options that a verb does not read; none if it reads all."""
    names = read_by(verb, schema)
    others = [name for name in given if name not in names]
    return [f"{verb.replace('_', ' ')} does not read {', '.join(others)}"] if others else []


def without_effect(config: OptionGroup, given: Collection[str], ranks: int = 1) -> list[str]:
    """Return a line that names those of the given options that lack what they need; none if all have it.

    Args:
        config: the options.
        given: the names of those that the user gave.
        ranks: processes that work together.
    """
    lacking: dict[str, list[str]] = {}
    for name, option in options_of(type(config)).items():
        if name in given and option.needs and not option.needs.is_met(config, ranks):
            lacking.setdefault(option.needs.words, []).append(name)
    parts = [f"{', '.join(names)} (needs {words})" for words, names in lacking.items()]
    return [f"without effect here: {'; '.join(parts)}"] if parts else []


def notes_on_options(verb: str, config: OptionGroup, given: Collection[str], ranks: int = 1) -> list[str]:
    """Return lines about those of the given options that do nothing: the verb does not read them, or they lack a need.

    Args:
        verb: the verb that is called.
        config: the options.
        given: the names of those that the user gave.
        ranks: processes that work together.
    """
    schema = type(config)
    read = [name for name in given if name in read_by(verb, schema)]
    return unread(verb, given, schema) + without_effect(config, read, ranks)
