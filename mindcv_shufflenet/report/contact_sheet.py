"""A contact sheet of augmented images, one row an image, and below it the curve of the learning rate."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from mindcv_shufflenet.report.figures import any_script, is_titled, save

# What the metadata of a sheet say.
_TITLE = "shufflenet data show"
# Inches: a picture, a line of text above it, the curve, and the whole at least.
_CELL, _LINE, _CURVE, _WIDTH = 1.3, 0.13, 3.0, 8.0
# Letters of a name that fit above a picture, in large letters and in small ones with a share.
_LARGE, _SMALL = 18, 15


class Cell(NamedTuple):
    """A view of an image.

    Attributes:
        pixels: ``[H, W, 3] uint8``.
        shares: class and its share, where it is a mixture.
    """

    pixels: np.ndarray
    shares: tuple[tuple[str, float], ...] = ()


class Row(NamedTuple):
    """The views of an image of a class."""

    name: str
    cells: tuple[Cell, ...]


def draw(
    path: str | Path, rows: Sequence[Row], rates: np.ndarray, steps_per_epoch: int, titles: tuple[str, str]
) -> None:
    """Draw a sheet.

    Args:
        path: the PNG or SVG file to write; its suffix tells which.
        rows: as many cells each.
        rates: learning rate of each update, ``[N]``.
        steps_per_epoch: updates an epoch.
        titles: of the images and of the curve.

    Raises:
        UserError: the file cannot be written.
    """
    columns = len(rows[0].cells)
    lines = max(1, *(len(cell.shares[:2]) for row in rows for cell in row.cells))
    height = len(rows) * (_CELL + lines * _LINE) + 0.4
    width = max(columns * (_CELL + 0.05), _WIDTH)
    with any_script():
        figure = Figure(figsize=(width, height + _CURVE), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[height, _CURVE]).flat
        _draw_rows(upper, rows, titles[0])
        _draw_rates(lower.subplots(), rates, steps_per_epoch, titles[1])
        save(figure, path, _TITLE)


def is_sheet(path: Path) -> bool:
    """Return whether a file is empty, or an earlier sheet."""
    return is_titled(path, _TITLE)


def _draw_rows(figure: SubFigure, rows: Sequence[Row], title: str) -> None:
    figure.suptitle(title, fontsize="medium")
    grid = figure.subplots(len(rows), len(rows[0].cells), squeeze=False)
    for row, places in zip(rows, grid, strict=True):
        for number, (cell, axes) in enumerate(zip(row.cells, places, strict=True)):
            axes.imshow(cell.pixels, interpolation="nearest" if cell.pixels.shape[0] < 100 else "antialiased")
            axes.set_axis_off()
            if number == 0:
                axes.set_title(_shorten(row.name, _LARGE), fontsize=8, fontweight="bold", pad=2, loc="left")
            else:
                axes.set_title(_mixture(cell), fontsize=6.5, pad=2)


def _mixture(cell: Cell) -> str:
    """The two largest shares, a line each, without one that rounds to 0 %."""
    told = [(name, f"{share:.0%}") for name, share in cell.shares[:2] if share >= 0.005]
    return "\n".join(f"{_shorten(name, _SMALL)} {share}" for name, share in told)


def _shorten(name: str, letters: int) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def _draw_rates(axes: Axes, rates: np.ndarray, steps_per_epoch: int, title: str) -> None:
    """The rate of each update, or of as many as can be told apart."""
    thinned = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), 20_000)).astype(int))
    axes.plot(thinned / steps_per_epoch, rates[thinned], lw=1.2)
    epochs = math.ceil(len(rates) / steps_per_epoch)
    axes.set(title=title, xlabel="epoch", ylabel="learning rate", xlim=(0, epochs))
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
