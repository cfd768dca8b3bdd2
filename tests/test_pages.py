"""README and docs as texts: links, files that they name, both languages, tables of networks and the drawing."""

import re
import runpy
from pathlib import Path

import pytest

from mindcv_shufflenet.models.catalogue import describe
from tests.pages import PAGES, ROOT, commands, python

# Files that a page tells its reader to write.
MADE_BY_THE_READER = {"families/toy.py", "models/toy.py", "weights/records/toy.py"}


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith("_CN.md")])
def test_a_chinese_page_has_the_commands_and_blocks_of_the_english_one(page: str) -> None:
    english = page.replace("_CN", "")
    assert commands(page) == commands(english)
    assert python(page) == python(english)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_run(page: str) -> None:
    """``text`` is for what is no command."""
    fences = re.findall(r"^```(\w*)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= {"bash", "python", "text"}
    assert set(fences[1::2]) <= {""}


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's titles."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_files_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        path, _, anchor = "".join(link).partition("#")
        if not path.startswith(("http:", "https:")):
            target = (ROOT / page).parent / path if path else ROOT / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link
    for name, contained in re.findall(r"`((?:\w+/)+\w+\.py)`(?:, `([\w.]+)`)?", text):
        found = [path for path in (ROOT / name, ROOT / "mindcv_shufflenet" / name) if path.exists()]
        assert found or name in MADE_BY_THE_READER, name
        assert all(contained.split(".")[-1] in path.read_text(encoding="utf-8") for path in found), (name, contained)


# Rows of the tables of networks: name, parameters, millions of multiply-adds.
COSTS = re.compile(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,.]+) M \|", re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "README_CN.md", "docs/models.md", "docs/models_CN.md"])
def test_networks_cost_what_the_tables_say(page: str) -> None:
    rows = COSTS.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(rows) >= 7
    for model, *figures in rows:
        cost = describe(model).cost
        assert figures == [f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:,.1f}"], model


def test_the_drawing_is_that_of_its_script() -> None:
    drawing = runpy.run_path(str(ROOT / "docs" / "draw_blocks.py"))["draw"]()
    assert (ROOT / "docs" / "blocks.svg").read_text() == drawing
