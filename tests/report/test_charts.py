"""The geometry of charts: values lie where the axes say."""

import base64
import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.evaluation.calibration import Reliability
from mindcv_shufflenet.report.charts import TOP, Series, heat_map, line_chart, picture, reliability_bars


def opened(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert head == f"data:image/{(image.format or '').lower()};base64"
    return image


def test_values_lie_between_the_marks_of_the_axes() -> None:
    values = [(1.0, 40.0), (2.0, 80.0), (3.0, 100.0)]
    chart = line_chart([Series("a", values, best=3.0), Series("b", []), Series("c", [(2.0, 60.0)])])
    assert chart
    marks = {tick.label: tick.place for tick in chart.y_ticks}
    assert [*marks] == ["40", "60", "80", "100"]
    assert marks["40"] - marks["60"] == pytest.approx(marks["60"] - marks["80"])
    assert chart.bottom == marks["40"] > marks["100"] == TOP
    first, second = chart.lines
    assert (first.label, second.label) == ("a", "c")
    assert first.dots[2] == first.best
    assert first.dots[1][1] == pytest.approx(marks["80"], abs=0.1)
    assert second.dots[0] == (first.dots[1][0], pytest.approx(marks["60"], abs=0.1))
    assert [tick.label for tick in chart.x_ticks] == ["1", "2", "3"]
    assert [tick.place for tick in chart.x_ticks] == pytest.approx([x for x, _ in first.dots], abs=0.1)
    assert (first.dash, second.dash) != ("", "")
    assert line_chart([Series("a", [])]) is None


@pytest.mark.parametrize("top", [0.4, 2.4, 3.5, 4.6, 5.0, 5.3, 6.9, 8.0, 9.5, 12.0, 1e4])
@pytest.mark.parametrize("low", [0.3, 0.1, 0.02, 5e-3, 1e-3, 1e-5, 1e-12, 1e-40])
def test_values_that_differ_much_have_a_logarithmic_axis(top: float, low: float) -> None:
    if top <= 8 * low:
        top = 9 * low
    chart = line_chart([Series("a", [(1.0, top), (3.0, low)])], may_be_log=True)
    assert chart
    assert 3 <= len(chart.y_ticks) <= 10
    assert low / 10 ** (3 if low < 1e-5 else 1) < float(chart.y_ticks[0].label) <= low * (1 + 1e-6)
    assert top * (1 - 1e-6) <= float(chart.y_ticks[-1].label) < top * 10 ** (5 if low < 1e-5 else 1)
    assert all(TOP <= y <= chart.bottom for _, y in chart.lines[0].dots)
    for (under, over), (one, other) in zip(
        pairwise(chart.y_ticks), pairwise([t.place for t in chart.y_ticks]), strict=True
    ):
        assert (other - one) / np.log(float(over.label) / float(under.label)) == pytest.approx(
            (chart.y_ticks[-1].place - chart.y_ticks[0].place)
            / np.log(float(chart.y_ticks[-1].label) / float(chart.y_ticks[0].label))
        )


@pytest.mark.parametrize("values", [[(1.0, 5.0)], [(1.0, 0.0), (2.0, 0.0)], [(1.0, 1e-6), (500.0, 3e-6)]])
def test_a_single_value_equal_ones_and_small_ones_are_drawn(values: list[tuple[float, float]]) -> None:
    chart = line_chart([Series("a", values)], may_be_log=True)
    assert chart
    assert all(np.isfinite(place) for dot in chart.lines[0].dots for place in dot)
    assert len({tick.label for tick in chart.y_ticks}) == len(chart.y_ticks) > 1
    smallest, largest = (float(chart.y_ticks[place].label) for place in (0, -1))
    assert 0 < largest - smallest <= 5 * max(y for _, y in values) or (smallest, largest) == (0, 1)


def test_many_series_are_told_apart_by_colour_or_dashes() -> None:
    chart = line_chart([Series(str(number), [(1.0, number)]) for number in range(20)])
    assert chart
    assert len({(line.colour, line.dash) for line in chart.lines}) == 20


@pytest.mark.parametrize("count", [3, 9])
def test_a_series_looks_the_same_wherever_others_are_empty(count: int) -> None:
    both, alone = (
        line_chart([Series(str(n), [(1.0, n)] if n in drawn else []) for n in range(count)])
        for drawn in ({*range(count)}, {count - 1})
    )
    assert both
    assert alone
    assert both.lines[-1][:3] == alone.lines[0][:3]
    assert alone.has_legend  # it says which one is there


def test_bars_are_as_high_as_the_accuracy_and_empty_bins_have_none() -> None:
    found = Reliability(np.array([0, 1, 4]), np.array([np.nan, 0.5, 0.9]), np.array([np.nan, 0.0, 0.75]))
    assert reliability_bars(found, 240.0) == [(80.0, 0.0, 0.5), (160.0, 0.75, 1.0)]


def test_a_heat_map_has_a_pixel_a_cell_as_opaque_as_its_share() -> None:
    matrix = np.diag(np.full(200, 50))
    matrix[3, 7], matrix[3, 3] = 25, 25
    matrix[5] = 0
    pixels = np.asarray(opened(heat_map(matrix)))
    assert pixels.shape == (200, 200, 4)
    assert pixels[0, 0, 3] == 255
    assert pixels[3, 7, 3] == pixels[3, 3, 3] == round(255 * 0.5**0.5)
    assert pixels[3, 7, 0] > pixels[3, 7, 2]  # wrong: vermilion
    assert pixels[3, 3, 2] > pixels[3, 3, 0]  # right: blue
    assert pixels[5].max(axis=0)[3] == 0


def test_small_pictures_are_exact() -> None:
    view = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    assert np.array_equal(np.asarray(opened(picture(view))), view)
    assert opened(picture(np.zeros((224, 224, 3), np.uint8))).format == "JPEG"
