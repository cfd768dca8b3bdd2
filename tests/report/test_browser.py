"""Pages in a browser: they load nothing, fit a phone and a desktop, and follow the light or dark setting."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import Markup, escape

from mindcv_shufflenet.report.comparison_page import comparison_page
from mindcv_shufflenet.report.run import read_run
from mindcv_shufflenet.report.run_page import run_page
from tests.report.findings import made_up

# What is read of each page: how wide it and its first matrix are, which texts reach beyond their chart or their cell,
# what it has loaded, and its colours.
MEASURE = """
const beyond = (inner, outer) => {
  const [a, b] = [inner.getBoundingClientRect(), outer.getBoundingClientRect()]
  return a.width && (a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1)
}
const cut = (page, selector, outer) => [...page.querySelectorAll(selector)].filter(text => beyond(text, outer(text)))
onload = () => document.title = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
  const page = frame.contentDocument, matrix = page.querySelector(".matrix, .heat img")
  const box = matrix?.closest(".scroll")
  const style = frame.contentWindow.getComputedStyle(page.body)
  return {
    wide: page.documentElement.scrollWidth - frame.clientWidth,
    hidden: box ? box.scrollWidth - box.clientWidth : 0,
    cell: matrix?.matches("img") ? matrix.width / matrix.naturalWidth : 1,
    cut: [
      ...cut(page, "svg text", text => text.ownerSVGElement),
      ...cut(page, ".matrix thead span", text => text.closest("th")),
    ].map(text => text.textContent),
    loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
    ground: style.backgroundColor.match(/\\d+/g).map(Number),
    ink: style.color.match(/\\d+/g).map(Number),
  }
}))
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no chromium to look at pages with: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def pages(run: Path) -> dict[int, str]:
    """Of a run with so many classes, and one of several runs."""
    several = comparison_page([read_run(run)] * 12, "zh")
    shown = {n: run_page(*made_up(run, n, 4), Markup(), Markup(), "en") for n in (10, 20, 200, 400)}
    found, findings = made_up(run, 9, 4)
    slow = replace(found, epochs=[epoch._replace(lr=0.000125 * epoch.epoch) for epoch in found.epochs])
    few = run_page(slow, findings._replace(class_names=("moon",) * 9), Markup(), Markup(), "en")
    return shown | {0: several, 9: few}


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_pages_load_nothing_and_fit(pages: dict[int, str], tmp_path: Path, chromium: str, scheme: str) -> None:
    """In frames, since a window has at least 500 pixels."""
    frames = [(width, classes) for width in (390, 1280) for classes in pages]
    shown = "".join(
        f'<iframe style="width: {width}px; border: 0" srcdoc="{escape(pages[classes])}"></iframe>'
        for width, classes in frames
    )
    page = tmp_path / "page.html"
    page.write_text(f"<title></title>{shown}<script>{MEASURE}</script>", encoding="utf-8")
    command = [chromium, "--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--blink-settings=preferredColorScheme={['dark', 'light'].index(scheme)}", "--hide-scrollbars"]
    command += ["--window-size=1400,800", "--dump-dom", page.as_uri()]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"<title>(\[.*?\])</title>", printed)
    assert found, printed[:500]
    measured = dict(zip(frames, json.loads(found[1]), strict=True))
    for frame, one in measured.items():
        assert (one["wide"], one["loaded"], one["cut"]) == (0, 0, []), frame
        assert (sum(one["ground"]) < sum(one["ink"])) == (scheme == "dark"), frame
        assert one["cell"] == int(one["cell"]) >= 1, frame
    hidden = [frame for frame, one in measured.items() if one["hidden"] > 0]
    assert hidden == [(390, 20), (390, 400)]
