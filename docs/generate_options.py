"""Write docs/options.md from the schema of the options: ``make docs``."""

from pathlib import Path

from mindcv_shufflenet.options.config import ACTIONS, NOT_BUILT, Config
from mindcv_shufflenet.options.types import spell_default, spell_type, spell_value

HEAD = """# Options

Every option, as `--name value`, `--name=value` or `name=value` on the command line of `train.py` and `validate.py`,
and as `name: value` in a YAML file given by `-c`. The command line goes before the YAML file, which goes before the
default. A switch may stand alone (`--overwrite`) or be turned off (`--no-shuffle`). Values are written as in YAML; a
recipe and the command line read Python's `None`, `True` and `(0.08, 1.0)` too. This page is written by `make docs`.
"""


def page() -> str:
    """Return the reference page as Markdown."""
    lines = [HEAD]
    for options in reversed(Config.__bases__):
        lines += [
            f"## {(options.__doc__ or '').strip()}\n",
            "| option | type | default | meaning |",
            "|---|---|---|---|",
        ]
        for name in options.__annotations__:
            field = Config.model_fields[name]
            notes = [field.description or ""]
            if name in NOT_BUILT:
                notes.append(f"*works now: {', '.join(f'`{spell_value(value)}`' for value in NOT_BUILT[name])}*")
            if name in ACTIONS:
                notes.append("*not part of a run's `config.yaml`*")
            lines.append(f"| `{name}` | {spell_type(field)} | `{spell_default(field)}` | {'; '.join(notes)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    Path(__file__).with_name("options.md").write_text(page(), encoding="utf-8")
