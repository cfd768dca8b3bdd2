"""One option: its default, meaning and bounds, and all that the suite knows of it.

The parsers, the YAML files, ``docs/options.md`` and the notes are derived from it, see ``tables.py``.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, NamedTuple

from pydantic import Field
from pydantic.fields import FieldInfo

# What an option belongs to. ``command``: what one command does, which is no property of a run and is not recorded.
Part = Literal["network", "preprocessing", "weights", "data", "machine", "run", "command"]


class Mindcv(Enum):
    """How mindcv's default relates to ours, where it is not a value of its own."""

    SAME = "same"
    ABSENT = "absent"


SAME, ABSENT = Mindcv.SAME, Mindcv.ABSENT


class Needs(NamedTuple):
    """What an option needs to have an effect.

    Attributes:
        words: for people.
        is_met: whether the options and the number of ranks have it.
    """

    words: str
    is_met: Callable[[Any, int], bool]


def given(name: str, *values: Any) -> Needs:
    """Need another option to have one of ``values``, or, without them, any value but 0, False and nothing."""
    if not values:
        return Needs(name, lambda options, _: bool(getattr(options, name)))
    between = " or " if len(values) == 2 else ", "
    return Needs(f"{name} {between.join(map(str, values))}", lambda options, _: getattr(options, name) in values)


class Option(NamedTuple):
    """What is known of an option beside its type, bounds, default and description.

    Attributes:
        read_by: the verbs that read it.
        of: what it belongs to.
        needs: what it needs to have an effect; None: nothing.
        mindcv: mindcv's default where it is another one, ``SAME``, or ``ABSENT`` where mindcv has no such option.
        is_common: whether it stands on the first page of ``--help``.
        is_path: whether it is the path of a file or folder.
        is_resumed: whether ``--resume_opt`` takes it over from the stopped run.
        changes_training: whether another value changes the trained weights.
        memory_rank: rank among the options whose smaller values save memory, 1 saves most; None: saves none.
    """

    read_by: frozenset[str]
    of: Part
    needs: Needs | None
    mindcv: Any
    is_common: bool
    is_path: bool
    is_resumed: bool
    changes_training: bool
    memory_rank: int | None


def option(
    default: Any,
    description: str,
    *,
    read_by: str,
    of: Part = "run",
    needs: Needs | None = None,
    mindcv: Any = SAME,
    is_common: bool = False,
    is_path: bool = False,
    is_resumed: bool = True,
    changes_training: bool = True,
    memory_rank: int | None = None,
    **bounds: Any,
) -> Any:
    """Return the pydantic field of an option.

    ``default`` is its value where nobody gives one, and ``description`` a line for people. The others are the
    attributes of :class:`Option`, of which ``read_by`` is a text with spaces between the verbs, and ``bounds``: ``ge``,
    ``gt``, ``le``, ``lt`` and ``min_length``, as pydantic names them.
    """
    known = Option(
        read_by=frozenset(read_by.split()),
        of=of,
        needs=needs,
        mindcv=mindcv,
        is_common=is_common,
        is_path=is_path,
        is_resumed=is_resumed,
        changes_training=changes_training,
        memory_rank=memory_rank,
    )
    extra: Any = {"option": known}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


def option_of(field: FieldInfo) -> Option:
    """Return what is known of the option that a field of a group is."""
    extra: Any = field.json_schema_extra
    return extra["option"]
