"""The texts of a report in both languages, of ``templates/texts.yaml``. A page holds both; a style shows one."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml
from markupsafe import Markup, escape

LANGUAGES = ("en", "zh")
TEMPLATES = Path(__file__).parent / "templates"


class Text(NamedTuple):
    """A text in HTML, with ``{name}`` for each of its values, in English and in Chinese."""

    en: str
    zh: str


def _read() -> dict[str, Text]:
    content = yaml.safe_load((TEMPLATES / "texts.yaml").read_text(encoding="utf-8"))
    return {key: Text(**text) for key, text in content.items()}


TEXTS = _read()


def filled(key: str, **values: Any) -> Text:
    """Return a text with its values, for use as a value of another text.

    A value that is a :class:`Text` is put in in its language.
    """
    return Text(*(Markup(getattr(TEXTS[key], one)).format(**_in(one, values)) for one in LANGUAGES))


def html(key: str, **values: Any) -> Markup:
    """Return a text in both languages, as HTML."""
    return _tagged("span", key, values)


def svg(key: str, **values: Any) -> Markup:
    """Return a text in both languages, as the content of an SVG's ``text``."""
    return _tagged("tspan", key, values)


def alternative(key: str, **values: Any) -> Markup:
    """Return an alternative text: an attribute has no tags, so both languages stand one after the other."""
    return Markup(" · ").join(dict.fromkeys(filled(key, **values)))


def _tagged(tag: str, key: str, values: dict[str, Any]) -> Markup:
    """The text in each language, in a tag that the style shows or hides; one that is the same in both stands alone."""
    parts = filled(key, **values)
    if parts.en == parts.zh:
        return Markup(parts.en)
    return Markup("").join(
        Markup('<{tag} class="{one}" lang="{one}">{text}</{tag}>').format(tag=Markup(tag), one=one, text=text)
        for one, text in zip(LANGUAGES, parts, strict=True)
    )


def _in(language: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: Markup(getattr(value, language)) if isinstance(value, Text) else escape(value)
        for name, value in values.items()
    }
