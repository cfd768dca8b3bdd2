"""What a page is checked for."""

import re
from html.parser import HTMLParser

VOID = {"meta", "input", "img", "br", "link", "hr"}
# Attributes that make a browser fetch something.
FETCHING = {"src", "srcset", "href", "xlink:href", "action", "data", "poster", "background"}


class Page(HTMLParser):
    """A page whose tags are balanced.

    Attributes:
        loaded: values of attributes that make a browser fetch something.
        pictures: alternative texts of images and charts; None where there is none.
        languages: how many texts there are in each language.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = re.findall(r"url\(\s*['\"]?([^)'\"]*)", text) + re.findall(r"@import[^;]*", text)
        self.pictures: list[str | None] = []
        self.languages = {"en": 0, "zh": 0}
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in FETCHING]
        if tag == "img" or (tag == "svg" and found.get("aria-hidden") != "true"):
            self.pictures.append(found.get("alt") or found.get("aria-label"))
        if tag in ("span", "tspan") and found.get("lang"):
            assert found["lang"] == found["class"]
            self.languages[str(found["lang"])] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(text: str) -> Page:
    """Check that a page is well formed, loads nothing, describes each picture and is whole in both languages."""
    page = Page(text)
    assert [value for value in page.loaded if not value.startswith("data:image/")] == []
    assert "script" not in page.tags
    assert all(page.pictures)
    assert page.languages["en"] == page.languages["zh"] > 10
    return page
