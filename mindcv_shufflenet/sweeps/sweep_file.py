"""A sweep's file: the runs that it lists, each with all its options, checked before the first one starts.

```yaml
config: digits            # a recipe for all runs, as `-c` takes it
options: {epoch_size: 5}  # options of all runs
runs:                     # a name and the run's own options; `config` among them is the run's own recipe
  x0_5: {model: shufflenet_v2_x0_5}
  x1_0: {model: shufflenet_v2_x1_0}
grid:                     # each run once for each combination
  lr: [0.05, 0.1]
```
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError, check_keywords
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.options.annotations import parse_value
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.recipes import read_recipe
from mindcv_shufflenet.options.yaml_text import read_table
from mindcv_shufflenet.weights.records import parse_name

_PARTS = ("config", "options", "runs", "grid")
# What the sweep itself decides for each run.
_ITS_OWN = ("ckpt_save_dir", "resume_opt", "overwrite")
# The name of a run is that of its folder.
_NAME = re.compile(r"[\w+,=-][\w.+,=-]{0,150}")


class SweepRun(NamedTuple):
    """One run of a sweep.

    Attributes:
        name: its name.
        options: as a recipe has them, those of its recipe too.
        given: the names of those that stand in the sweep's file.
    """

    name: str
    options: dict[str, Any]
    given: tuple[str, ...]


def read_sweep(path: str | os.PathLike[str]) -> list[SweepRun]:
    """Read the runs of a sweep.

    Raises:
        UserError: the file cannot be read or lists no runs, or a run has a wrong option, or the name of another.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}; docs/sweep.md shows one")
    table = read_table(Path(path))
    check_keywords(str(path), table, _PARTS)
    named, grid, common = _table(table, "runs"), _options(table, "grid"), _options(table, "options")
    if not named and not grid:
        raise UserError(
            f"{path} lists no run: give `runs:` with names and options, or `grid:`; docs/sweep.md shows both"
        )
    found: dict[str, SweepRun] = {}
    for name in named or [""]:
        given = common | _options(named, name)
        for combination in _combinations(grid):
            run = _checked(_name(name, combination), table.get("config"), given | combination)
            if run.name in found:
                raise UserError(f"{path} lists two runs of the name {run.name}: give them other names")
            found[run.name] = run
    return [*found.values()]


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table that lies in another; empty where it is not there.

    Raises:
        UserError: it is something else.
    """
    value = table.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{name} must hold `name: value` lines, and is {value!r}")
    return {str(key): inner for key, inner in value.items()}


def _options(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table of options, in whose names a dash is an underscore."""
    return {option.replace("-", "_"): value for option, value in _table(table, name).items()}


def _combinations(grid: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each combination of a grid's values; one without any where there is no grid.

    Raises:
        UserError: an option has no list of values.
    """
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"grid: {name} must have a list of values, such as {name}: [A, B]")
    return (dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))


def _name(name: str, combination: Mapping[str, Any]) -> str:
    """Return the name of a run: ``x0_5,lr=0.05``."""
    parts = [name] * bool(name) + [f"{option}={_spell(value)}" for option, value in combination.items()]
    return ",".join(parts)


def _spell(value: Any) -> str:
    text = "-".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^\w.+=-]+", "-", text)


def _checked(name: str, config: Any, given: Mapping[str, Any]) -> SweepRun:
    """Return a run whose options are checked.

    Raises:
        UserError: they are wrong, or the name is no name of a folder.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name} is no name of a run: a folder is named so, of letters, digits and _ . + , = -")
    own = dict(given)
    config = own.pop("config", config)
    try:
        recipe = read_recipe(str(config))[0] if config is not None else {}
        fields = Config.model_fields
        options = recipe | {
            key: parse_value(fields[key], value) if key in fields else value for key, value in own.items()
        }
        if reserved := [key for key in _ITS_OWN if key in own]:
            raise UserError(f"{reserved[0]} is what the sweep decides: leave it out")
        checked = parse_config(options, verb="train")
        find_family(parse_name(checked.model).model)
    except UserError as error:
        raise UserError(f"run {name}: {error}") from None
    return SweepRun(name, {key: value for key, value in options.items() if key not in _ITS_OWN}, tuple(own))
