"""The geometry of a report's charts: from values to places in an SVG, which the templates draw.

Units are those of the SVG's own coordinates, with y downwards.
"""

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

from mindcv_shufflenet.evaluation.calibration import Reliability

Values = Sequence[tuple[float, float]]

# The plot of a line chart: its left edge unless the labels need more, its right and its upper edge.
_LEFT, RIGHT, TOP = 58.0, 508.0, 14.0
# The width of a digit of a label, at the size that phones have, and the space on both sides of a label.
_DIGIT, _SPACE = 10.0, 10.0
# Colours of series; more than these are told apart by dashes.
COLOURS = 8
_DASHES = ("", "6 4", "2 3", "8 3 2 3")
# Values that differ by so much are drawn on a logarithmic axis, if that is allowed.
_WIDE = 8
# Steps between the marks of an axis, times a power of ten. Their multiples meet 100 %, so no axis goes beyond it.
_STEPS = [1, 2, 2.5, 5, 10]
# Above so many decades, a logarithmic axis does not mark each.
_MOST_DECADES = 9
# Lines of so many points have a dot at each.
_DOTTED = 25
# Colours of a heat map, Okabe and Ito's blue (right) and vermilion (wrong), which colour-blind people tell apart.
_RIGHT, _WRONG = (0, 114, 178), (213, 94, 0)


class Tick(NamedTuple):
    """A mark of an axis: its place and its label."""

    place: float
    label: str


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        label: what it is, for the legend.
        colour: number of its colour.
        dash: of its stroke, as SVG has it.
        path: ``x,y`` of its points.
        dots: its points, where they are few.
        best: its highlighted point.
    """

    label: str
    colour: int
    dash: str
    path: str
    dots: list[tuple[float, float]]
    best: tuple[float, float] | None


@dataclass(frozen=True)
class Series:
    """Values that are drawn as a line.

    Attributes:
        label: what they are, for the legend; text or markup.
        values: ``(x, y)``, finite.
        best: the ``x`` of the point that is highlighted.
    """

    label: str
    values: Values
    best: float | None = None


@dataclass(frozen=True)
class LineChart:
    """A chart of lines over epochs.

    Attributes:
        left: x of the left edge of the plot.
        bottom: y of its lower edge.
        x_ticks: of the epochs.
        y_ticks: of the values.
        lines: in the order of the legend.
        has_legend: whether the chart is of several series, also where one alone has values.
    """

    left: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    has_legend: bool


class Bar(NamedTuple):
    """A bar of a reliability diagram: its left edge, its height as a share of the plot, its weight in 0..1."""

    place: float
    height: float
    weight: float


def line_chart(series: Sequence[Series], *, height: float = 220.0, may_be_log: bool = False) -> LineChart | None:
    """Return a chart of series over epochs; None where no series has a value.

    Args:
        series: those without values are left out; the others keep the colour and the dashes of their place.
        height: of the plot.
        may_be_log: whether the axis of the values is logarithmic where they differ much.
    """
    drawn = [(number, one) for number, one in enumerate(series) if one.values]
    if not drawn:
        return None
    xs, ys = zip(*(pair for _, one in drawn for pair in one.values), strict=True)
    x_ticks = MaxNLocator(8, integer=True, min_n_ticks=1).tick_values(min(xs), max(xs))
    is_log = may_be_log and min(ys) > 0 and max(ys) > _WIDE * min(ys)
    y_ticks = _log_ticks(min(ys), max(ys)) if is_log else _ticks(min(ys), max(ys))
    scale: Callable[[Any], Any] = np.log if is_log else float
    low, high = scale(y_ticks[0]), scale(y_ticks[-1])
    labels = [f"{y:.6g}" for y in y_ticks]
    left = max(_LEFT, _SPACE + _DIGIT * max(map(len, labels)))
    bottom = TOP + height
    first, last = min(xs), max(xs)

    def x_of(value: float) -> float:
        return left + 8 + (RIGHT - left - 16) * ((value - first) / (last - first) if last > first else 0.5)

    def y_of(value: float) -> float:
        return bottom - height * (scale(value) - low) / (high - low)

    lines = []
    for number, one in drawn:
        points = [(round(x_of(x), 1), round(y_of(y), 1)) for x, y in one.values]
        best = next((point for point, (x, _) in zip(points, one.values, strict=True) if x == one.best), None)
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dots = points if len(points) <= _DOTTED else []
        dash = _DASHES[number // COLOURS % len(_DASHES)] if len(series) > 3 else _DASHES[number]
        lines.append(Line(one.label, number % COLOURS, dash, path, dots, best))
    return LineChart(
        left,
        bottom,
        [Tick(x_of(x), f"{x:g}") for x in x_ticks if first <= x <= last],
        [Tick(y_of(y), label) for y, label in zip(y_ticks, labels, strict=True)],
        lines,
        len(series) > 1,
    )


def _ticks(low: float, high: float) -> np.ndarray:
    """Round numbers that enclose two values, six at most."""
    if low == high:
        margin = 0.1 * abs(low)
        low, high = low - margin, high + (margin or 1.0)
    ticks = np.array(MaxNLocator(5, steps=_STEPS).tick_values(low, high))
    return np.where(np.abs(ticks) < 1e-9 * np.abs(ticks).max(), 0.0, ticks)  # zero, but for rounding


def _log_ticks(low: float, high: float) -> np.ndarray:
    """Round numbers that enclose two positive values, ten at most."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    apart = -(-(last - first) // _MOST_DECADES)
    decades = 10.0 ** np.arange(first, last + apart, apart)
    for steps in ((1, 2, 5), (1, 3), (1,)) if apart == 1 else ((1,),):
        ticks = np.outer(decades, steps).ravel()
        enclosing = slice(
            np.flatnonzero(ticks <= low * (1 + 1e-9))[-1], np.flatnonzero(ticks >= high * (1 - 1e-9))[0] + 1
        )
        if len(ticks[enclosing]) <= 10:
            break
    return ticks[enclosing]


def reliability_bars(found: Reliability, size: float) -> list[Bar]:
    """Return the bars of a reliability diagram of a square plot; empty bins have none."""
    bins = len(found.images)
    most = found.images.max()
    return [
        Bar(round(size * place / bins, 2), float(found.accuracy[place]), float(np.sqrt(found.images[place] / most)))
        for place in range(bins)
        if found.images[place]
    ]


def heat_map(matrix: np.ndarray) -> str:
    """Return a confusion matrix as a PNG in a data URI: a pixel a cell, as opaque as its share of the row.

    What is right is blue, what is wrong is vermilion. The root of the share is drawn, so that a few images show.

    Args:
        matrix: ``[num_classes, num_classes]``, a row a label.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(matrix), dtype=bool)
    pixels = np.empty((*matrix.shape, 4), np.uint8)
    pixels[..., :3] = np.where(right[..., None], _RIGHT, _WRONG)
    pixels[..., 3] = np.rint(255 * np.sqrt(share))
    return _uri(Image.fromarray(pixels), "png")


def picture(view: np.ndarray) -> str:
    """Return pixels ``[H, W, 3] uint8`` as a data URI: small images as PNG, others as JPEG."""
    image = Image.fromarray(view)
    return _uri(image, "png" if max(image.size) <= 64 else "jpeg")


def overlaid(view: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return pixels ``[H, W, 3] uint8`` under a heat map ``[h, w]`` in 0..1: what is cold is dark."""
    height, width = view.shape[:2]
    smooth = np.asarray(Image.fromarray(heat).resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    return (view * (0.25 + 0.75 * smooth[..., None])).round().astype(np.uint8)


def _uri(image: Image.Image, kind: str) -> str:
    content = io.BytesIO()
    image.save(content, kind, **({"quality": 80} if kind == "jpeg" else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
