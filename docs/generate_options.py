"""Write docs/options.md from the schema of the options: ``make docs``."""

from pathlib import Path

from pydantic.fields import FieldInfo

from mindcv_shufflenet.cli.verb import spell
from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.options.annotations import spell_default, spell_type, spell_value
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.option import Mindcv, Option, option_of
from mindcv_shufflenet.options.tables import Schema, groups_of

HEAD = """# Options

Every option, as `--name value`, `--name=value` or `name=value` on the command line of `train.py` and `validate.py`,
and as `name: value` in a YAML file given by `-c`. The command line goes before the YAML file, which goes before the
default. A switch may stand alone (`--overwrite`) or be turned off (`--no-shuffle`). Values are written as in YAML; a
recipe and the command line read Python's `None`, `True` and `(0.08, 1.0)` too. This page is written by `make docs`.

A mindcv command that relies on a default trains otherwise here where the column *mindcv* has a value, which is the
default in mindcv's `config.py` (main branch of July 2025). A dash marks an option that mindcv does not have.

The last column names the verbs that read an option. `train` and `validate` read the same recipes, so each takes all
options and prints a note about those that it does not read; the other verbs refuse them. `data show` takes the options
of `train`.
"""

TABLE = ("| option | type | default | mindcv | meaning | read by |", "|---|---|---|---|---|---|")


def page(schema: Schema = Config) -> str:
    """Return the reference page as Markdown."""
    lines = [HEAD]
    for title, names in groups_of(schema).items():
        lines += [f"## {title}\n", *TABLE]
        lines += [row(name, schema.model_fields[name]) for name in names]
        lines.append("")
    return "\n".join(lines)


def row(name: str, field: FieldInfo) -> str:
    """Return the line of an option."""
    option = option_of(field)
    verbs = ", ".join(spell(verb) for verb in VERBS if verb in option.read_by)
    cells = (f"`{name}`", spell_type(field), f"`{spell_default(field)}`", mindcv(option), meaning(field), verbs)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def mindcv(option: Option) -> str:
    """Return mindcv's default where it is another one, and a dash where mindcv has no such option."""
    if isinstance(option.mindcv, Mindcv):
        return "-" if option.mindcv is Mindcv.ABSENT else ""
    return f"`{spell_value(option.mindcv)}`"


def meaning(field: FieldInfo) -> str:
    """Return what an option means, and what limits it."""
    option = option_of(field)
    parts = [field.description or ""]
    if option.needs:
        parts.append(f"*needs {option.needs.words}*")
    if option.of == "command":
        parts.append("*not part of a run's `config.yaml`*")
    return "; ".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("options.md").write_text(page(), encoding="utf-8")
