"""YAML whose scalars stay text: a table's values, read as they are written.

What a value means depends on the option that it is given to, which YAML does not know: to YAML 1.1 ``1e-3`` is text and
``2020-13-45`` a date.
"""

from pathlib import Path
from typing import Any, ClassVar

import yaml

from mindcv_shufflenet.errors import UserError

# Recipes have 3,000 characters.
_LARGEST = 100_000

_TAG = "tag:yaml.org,2002:"


class _TextLoader(yaml.SafeLoader):
    """Reads scalars as text, but for null and ``<<``; refuses duplicate names and recursive values."""

    yaml_constructors: ClassVar[dict[str | None, Any]] = {}

    def construct_text(self, node: yaml.ScalarNode) -> Any:
        """Construct a scalar as it is written."""
        return self.construct_scalar(node)

    def construct_table(self, node: yaml.MappingNode) -> dict[Any, Any]:
        """Construct a table and all that is in it."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value).replace("-", "_")
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{name} stands there twice", key.start_mark)
            seen.add(name)
        return self.construct_mapping(node, deep=True)

    def construct_list(self, node: yaml.SequenceNode) -> list[Any]:
        """Construct a list and all that is in it."""
        return self.construct_sequence(node, deep=True)

    def refuse_tag(self, node: yaml.Node) -> None:
        """Refuse any other kind of value, such as ``!!binary`` and ``!!python/object``."""
        tag = node.tag.replace(_TAG, "!!")
        raise yaml.constructor.ConstructorError(None, None, f"no option takes a {tag}", node.start_mark)


for _kind in ("str", "int", "float", "bool"):
    _TextLoader.add_constructor(_TAG + _kind, _TextLoader.construct_text)
_TextLoader.add_constructor(_TAG + "null", lambda *_: None)
_TextLoader.add_constructor(_TAG + "seq", _TextLoader.construct_list)
_TextLoader.add_constructor(_TAG + "map", _TextLoader.construct_table)
_TextLoader.add_constructor(None, _TextLoader.refuse_tag)
_TextLoader.yaml_implicit_resolvers = {}
for _kind in ("null", "merge"):
    for _first, _pairs in yaml.SafeLoader.yaml_implicit_resolvers.items():
        for _tag, _pattern in _pairs:
            if _tag == _TAG + _kind:
                _TextLoader.add_implicit_resolver(_tag, _pattern, [_first])


def read_table(path: str | Path) -> dict[str, Any]:
    """Read a table whose values are text, None, or lists and tables of them.

    Raises:
        UserError: the file is missing, is not YAML, or is not a table.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError(f"cannot read the recipe {path}: {reason}; give the path of a YAML file to -c") from None
    if len(text) > _LARGEST:
        raise UserError(f"{path} is no recipe: it has more than {_LARGEST} characters")
    try:
        values = yaml.load(text, _TextLoader)  # a SafeLoader
    except RecursionError:
        raise UserError(f"{path} is no recipe: its values are nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "see the file")
        raise UserError(f"{path} is not valid YAML{place}: {problem[:200]}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError(f"{path} must hold options as `name: value` lines")
    return {name.replace("-", "_"): value for name, value in values.items()}
