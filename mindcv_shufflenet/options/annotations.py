"""What an option takes, read off its type annotation: for the command line's parser and for the reference page."""

import json
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mindcv_shufflenet.options.bounds import OneOf

_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def parse_text(field: FieldInfo, text: str) -> Any:
    """Turn the text of a command-line value into a value of Python's, as far as its form tells.

    Lists are written ``0.08,1``, ``[0.08, 1]`` or ``(0.08, 1)``; one number is a list where nothing else is taken.
    """
    leaves = leaf_types(field)
    if text.strip().lower() in ("none", "null") and type(None) in leaves:
        return None
    inner = text.strip()
    bracketed = inner[:1] + inner[-1:] in ("[]", "()")
    if is_list(field) and (bracketed or "," in inner or _takes_lists_alone(field)):
        parts = (inner[1:-1] if bracketed else inner).split(",")
        return [_scalar(part.strip(), _element_types(field)) for part in parts if part.strip()]
    return _scalar(text, leaves)


def parse_value(field: FieldInfo, value: Any) -> Any:
    """Turn a value of YAML, in which every scalar is text, into a value of Python's as :func:`parse_text` does."""
    if isinstance(value, list):
        return [_scalar(part, _element_types(field)) if isinstance(part, str) else part for part in value]
    return parse_text(field, value) if isinstance(value, str) else value


def _scalar(text: str, leaves: set[type]) -> Any:
    """A number or a switch where one is taken and meant, else the text."""
    if bool in leaves and text.strip().lower() in _SWITCHES:
        return _SWITCHES[text.strip().lower()]
    for number in (int, float) if leaves & {int, float, bool} else ():
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _element_types(field: FieldInfo) -> set[type]:
    """The plain types that an element of an option's list may have."""
    return {
        element
        for part in _parts(field.annotation)
        if get_origin(part) in (list, tuple)
        for argument in get_args(part)
        for element in _parts(argument)
    }


def _takes_lists_alone(field: FieldInfo) -> bool:
    return all(part is type(None) or get_origin(part) in (list, tuple) for part in _parts(field.annotation))


def is_boolean(field: FieldInfo) -> bool:
    """Whether an option may stand on the command line without a value."""
    return bool in leaf_types(field)


def is_list(field: FieldInfo) -> bool:
    """Whether an option takes several values."""
    return any(get_origin(part) in (list, tuple) for part in _parts(field.annotation))


def spell_default(field: FieldInfo) -> str:
    """Return an option's default as it is written in YAML: ``null``, ``[0.08, 1.0]``, ``true``."""
    return spell_value(field.default)


def spell_value(value: Any) -> str:
    """Return a value as it is written in YAML."""
    return value or "''" if isinstance(value, str) else json.dumps(value)


def spell_type(field: FieldInfo) -> str:
    """Return what an option takes, for people: ``number``, ``CE or BCE``, ``list of 2 numbers or null``."""
    words = {bool: "true or false", int: "integer", float: "number", str: "text", type(None): "null"}
    spelled = []
    for part in _parts(field.annotation):
        names = [name for known in field.metadata if isinstance(known, OneOf) for name in known.names]
        if part is str and names:
            spelled += names
        elif get_origin(part) is Literal:
            spelled += [str(value) for value in get_args(part)]
        elif get_origin(part) is tuple:
            spelled.append(f"list of {len(get_args(part))} numbers")
        elif get_origin(part) is list:
            spelled.append(f"list of {words[_parts(get_args(part)[0])[0]]}s".replace("texts", "names"))
        else:
            spelled.append(words[part])
    return " or ".join(spelled)


def _parts(annotation: Any) -> list[Any]:
    """The alternatives of a type, without their bounds."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for argument in get_args(annotation) for part in _parts(argument)]
    return [annotation]


def leaf_types(field: FieldInfo) -> set[type]:
    """The plain types that an option's value may have, for example {float, NoneType}."""
    leaves: set[type] = set()
    for part in _parts(field.annotation):
        if get_origin(part) is Literal:
            leaves |= {type(value) for value in get_args(part)}
        else:
            leaves.add(get_origin(part) or part)
    return leaves
