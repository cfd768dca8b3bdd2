"""What an option takes, read off its type annotation: for the command line's parser and for the reference page."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo


def parse_text(field: FieldInfo, text: str) -> Any:
    """Turn the text of a command-line value into what YAML would have given for it.

    Lists are written ``0.08,1``, ``[0.08, 1]`` or ``(0.08, 1)``.
    """
    leaves = leaf_types(field)
    if text.lower() in ("none", "null") and type(None) in leaves:
        return None
    if leaves <= {str, type(None)}:
        return text
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = f"[{text[1:-1].rstrip(',')}]"
    elif "," in text and not text.startswith("["):
        text = f"[{text}]"
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def is_boolean(field: FieldInfo) -> bool:
    """Whether an option may stand on the command line without a value."""
    return bool in leaf_types(field)


def is_list(field: FieldInfo) -> bool:
    """Whether an option takes several values."""
    return any(get_origin(part) in (list, tuple) for part in _parts(field.annotation))


def spell_type(field: FieldInfo) -> str:
    """Return what an option takes, for people: ``number``, ``CE or BCE``, ``list of 2 numbers or None``."""
    words = {bool: "True or False", int: "integer", float: "number", str: "text", type(None): "None"}
    spelled = []
    for part in _parts(field.annotation):
        if get_origin(part) is Literal:
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
