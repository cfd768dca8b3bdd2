"""A contact sheet is drawn as PNG and SVG, whatever the classes are called, and is known again."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mindcv_shufflenet.report.contact_sheet import Cell, Row, draw, is_sheet
from mindcv_shufflenet.report.figures import any_script, save

RED = np.full((20, 20, 3), (255, 0, 0), np.uint8)
BLUE = np.full((30, 40, 3), (0, 0, 255), np.uint8)
ROWS = [
    Row("猫 with a very long name", (Cell(RED), Cell(BLUE, (("猫", 0.7), ("ант", 0.3))))),
    Row("$\\b$", (Cell(BLUE), Cell(RED))),
]
RATES = np.concatenate([np.linspace(0, 1, 10), np.linspace(1, 0, 30)])


def test_pictures_of_any_shape_and_names_in_any_script(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", ROWS, RATES, 10, ("images", "rates"))
    assert is_sheet(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist()
    assert pixels.count([255, 0, 0]) > 2 * 100**2
    assert pixels.count([0, 0, 255]) > 2 * 75 * 100


def test_an_svg_has_its_texts(tmp_path: Path) -> None:
    draw(tmp_path / "a.svg", ROWS, RATES, 10, ("images", "rates"))
    assert is_sheet(tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert len(re.findall("<image", text)) == 4


def test_a_font_without_bold_letters_draws_plain_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a line on standard error for each."""
    with any_script():
        figure = Figure()
        figure.text(0, 0, "a", family="cmr10", weight="bold")
        save(figure, tmp_path / "a.svg", "a")
    assert caplog.records == []


def test_other_files_are_no_sheets(tmp_path: Path) -> None:
    Image.fromarray(RED).save(tmp_path / "photo.png")
    (tmp_path / "empty.png").touch()
    assert not is_sheet(tmp_path / "photo.png")
    assert is_sheet(tmp_path / "empty.png")


@pytest.mark.parametrize("count", [1, 50_000])
def test_a_curve_of_any_length(tmp_path: Path, count: int) -> None:
    draw(tmp_path / "a.png", [Row("a", (Cell(RED),))], np.ones(count), 1, ("images", "rates"))
    assert is_sheet(tmp_path / "a.png")
