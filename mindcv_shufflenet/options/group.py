"""A group of options: a pydantic class whose fields are options, and whose docstring is their title.

What holds for every option is checked here, what concerns several options of one group in its class.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from mindcv_shufflenet.options.annotations import leaf_types
from mindcv_shufflenet.options.option import option_of


class Purpose(NamedTuple):
    """What options are checked for.

    Attributes:
        is_recorded: whether a run directory or a weights file has them, whose program may have registered data sets.
        verb: the verb that reads them; None: any.
    """

    is_recorded: bool = False
    verb: str | None = None

    @classmethod
    def of(cls, info: ValidationInfo) -> "Purpose":
        """Return the purpose of a validation."""
        return info.context or cls()


class OptionGroup(BaseModel):
    """The base of the groups. Fields cannot be changed, and names that are no option are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True, defer_build=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _take_path_objects(cls, value: Any) -> Any:
        """Take ``pathlib.Path`` for its text, since Python's callers have paths as such."""
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        """``lr: true`` is a slip, although Python would read it as 1."""
        if isinstance(value, bool) and bool not in leaf_types(cls.model_fields[str(info.field_name)]):
            raise ValueError("it does not take True or False")
        return value

    @field_validator("*")
    @classmethod
    def _held_by_float32(cls, value: Any) -> Any:
        """Refuse numbers that float32, in which networks compute, takes for 0 or infinity."""
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, float) and number != 0 and not 1e-37 <= abs(number) <= 1e38:
                raise ValueError("it must be 0, or from 1e-37 to 1e38 in size, which float32 holds")
        return value

    @field_validator("*")
    @classmethod
    def _expand_home(cls, value: Any, info: ValidationInfo) -> Any:
        """Expand ``~`` in paths, which the shell leaves alone in ``--data_dir=~/data`` and YAML everywhere."""
        if not isinstance(value, str) or not option_of(cls.model_fields[str(info.field_name)]).is_path:
            return value
        if "\0" in value or any(0xD800 <= ord(letter) < 0xE000 for letter in value):
            raise ValueError("a path cannot hold such characters")
        try:
            return str(Path(value).expanduser()) if value.startswith("~") else value
        except RuntimeError:
            raise ValueError("there is no such user; write the path in full") from None
