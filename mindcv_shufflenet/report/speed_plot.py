"""A plot of accuracy against speed: one point a network, one panel an engine, precision and batch size."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import color_sequences, rc_context
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from mindcv_shufflenet.report.figures import is_titled, save

# What the metadata of a plot say.
_TITLE = "shufflenet benchmark"
# Inches of a panel.
_WIDTH, _HEIGHT = 8.0, 6.0
_Place = tuple[float, float, Any, Any]
# Points within which a name needs no line to its point.
_NEAR = 12
# Where a name may stand: its distance from the point in points, and its alignment.
_PLACES: tuple[_Place, ...] = tuple(
    (distance * x, distance * y, "left" if x > 0 else "right" if x < 0 else "center", "center" if y == 0 else vertical)
    for distance in (6, 14, 24, 36)
    for x, y, vertical in (
        (1, 0, "center"), (-1, 0, "center"), (0, 1, "bottom"), (0, -1, "top"),
        (1, 1, "bottom"), (-1, 1, "bottom"), (1, -1, "top"), (-1, -1, "top"),
    )
)  # fmt: skip


class Point(NamedTuple):
    """A network.

    Attributes:
        name: name of the network. What a family's names begin with is not drawn, since the legend has it.
        family: its points have a colour.
        top1: percent.
        speeds: images/s of each round, of which the median is drawn and the extremes are an error bar.
    """

    name: str
    family: str
    top1: float
    speeds: tuple[float, ...]

    @property
    def speed(self) -> float:
        """The median."""
        ordered = sorted(self.speeds)
        return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def draw(path: str | Path, panels: Mapping[str, Sequence[Point]], machine: str) -> None:
    """Draw a plot.

    Args:
        path: the PNG or SVG file to write; its suffix tells which.
        panels: points by the title of their panel; each has one at least.
        machine: where the speeds were measured.

    Raises:
        UserError: the file cannot be written.
    """
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), dpi=120, layout="constrained")
    renderer = FigureCanvasAgg(figure).get_renderer()
    families = dict.fromkeys(point.family for points in panels.values() for point in points)
    colours = dict(zip(families, itertools.cycle(color_sequences["tab10"]), strict=False))
    for number, (title, points) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, number)
        _fill(axes, title, points, colours)
    figure.supxlabel(f"images/s (medians of the rounds, with the slowest and the fastest) on {machine}", size="medium")
    figure.draw_without_rendering()  # fixes the places of the axes, which those of the names depend on
    for axes, points in zip(figure.axes, panels.values(), strict=True):
        _name_points(axes, points, colours, renderer)
    with rc_context({"svg.fonttype": "none"}):  # texts that can be searched
        save(figure, path, _TITLE)


def is_plot(path: Path) -> bool:
    """Return whether a file is empty, or an earlier plot."""
    return is_titled(path, _TITLE)


def _fill(axes: Axes, title: str, points: Sequence[Point], colours: Mapping[str, Any]) -> None:
    """Draw the points of a panel."""
    for family, colour in colours.items():
        own = [point for point in points if point.family == family]
        if own:
            speeds = [point.speed for point in own]
            below = [point.speed - min(point.speeds) for point in own]
            above = [max(point.speeds) - point.speed for point in own]
            axes.errorbar(
                speeds, [point.top1 for point in own], xerr=[below, above], fmt="o", ms=6, color=colour, label=family,
                elinewidth=1, capsize=2,
            )  # fmt: skip
    axes.set(title=title, ylabel="published top-1 of the float32 weights on ImageNet, %", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")


def _name_points(axes: Axes, points: Sequence[Point], colours: Mapping[str, Any], renderer: RendererBase) -> None:
    """Write the name of each point beside it, where it covers the fewest others."""
    taken = []
    for point in points:  # with its error bar
        ends = [(min(point.speeds), point.top1), (max(point.speeds), point.top1)]
        (left, y), (right, _) = axes.transData.transform(ends)
        middle, _ = axes.transData.transform((point.speed, point.top1))
        taken.append(Bbox.from_extents(min(left, middle - 5), y - 5, max(right, middle + 5), y + 5))
    if legend := axes.get_legend():
        taken.append(legend.get_window_extent(renderer))
    frame = axes.get_window_extent(renderer)
    short = _short_names(points)

    def write(point: Point, place: _Place, line: dict[str, Any] | None) -> Annotation:
        x, y, horizontal, vertical = place
        return axes.annotate(
            short[point], (point.speed, point.top1), (x, y), textcoords="offset points", ha=horizontal, va=vertical,
            fontsize="small", color=colours[point.family], arrowprops=line,
        )  # fmt: skip

    def box_at(point: Point, place: _Place) -> Bbox:
        text = write(point, place, None)
        box = text.get_window_extent(renderer)
        text.remove()
        return box

    def covered(box: Bbox) -> float:
        outside = box.width * box.height - _overlap(box, frame)
        return outside + sum(_overlap(box, other) for other in taken)

    for point in sorted(points, key=lambda point: -point.top1):
        boxes = {place: box_at(point, place) for place in _PLACES}
        best = min(_PLACES, key=lambda place: covered(boxes[place]))
        taken.append(boxes[best])
        is_near = math.hypot(best[0], best[1]) <= _NEAR
        write(point, best, None if is_near else {"arrowstyle": "-", "lw": 0.5, "color": colours[point.family]})


def _short_names(points: Sequence[Point]) -> dict[Point, str]:
    """The names without the words that all names of a family begin with."""
    words: dict[str, list[list[str]]] = {}
    for point in points:
        words.setdefault(point.family, []).append(point.name.split("_"))
    short = {}
    for point in points:
        own = words[point.family]
        same = next((i for i, column in enumerate(zip(*own, strict=False)) if len({*column}) > 1), 0)
        short[point] = "_".join(point.name.split("_")[same:])
    return short


def _overlap(one: Bbox, other: Bbox) -> float:
    """The area that two boxes share."""
    shared = Bbox.intersection(one, other)
    return float(shared.width * shared.height) if shared else 0.0
