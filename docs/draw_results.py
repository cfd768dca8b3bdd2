"""Draw the curves and confusion matrices of runs that were made here.

    python docs/draw_results.py FOLDER

``FOLDER`` has a folder for each run, named as the figures are to call it, with the ``log.csv``, ``confusion.csv`` and
``confusion_train.csv`` of its report. ``curves.png`` and ``confusion.png`` are put beside them.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# What a confusion matrix is of, and its file.
MATRICES = {"validation images": "confusion.csv", "as many training images": "confusion_train.csv"}


def read_log(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a ``log.csv``; what is empty is nan."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def read_matrix(path: Path) -> np.ndarray:
    """Return how many images of each label (row) were given each class (column)."""
    with open(path, newline="", encoding="utf-8") as file:
        return np.array([[int(value) for value in row[1:]] for row in list(csv.reader(file))[1:]])


def draw_curves(logs: dict[str, dict[str, np.ndarray]]) -> Figure:
    """Draw loss and top-1 of all runs: training dashed, validation solid."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, name, title in zip(axes, ("loss", "top1"), ("loss (nats)", "top-1 (%)"), strict=True):
        for number, (run, log) in enumerate(logs.items()):
            axis.plot(log["epoch"], log[f"train_{name}"], "--", color=f"C{number}", linewidth=1)
            axis.plot(log["epoch"], log[f"val_{name}"], color=f"C{number}", label=run)
        axis.set(title=title, xlabel="epoch (solid: validation, dashed: training batches)")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    axes[0].set_ylim(0, 4)
    axes[1].legend(frameon=False)
    return figure


def draw_matrix(axis: Axes, matrix: np.ndarray) -> None:
    """Draw the share of each label's images that were given each class."""
    axis.imshow(matrix / matrix.sum(1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks([], [])
    axis.set_yticks([], [])
    axis.set_xlabel(f"top-1 {100 * matrix.trace() / matrix.sum():.1f} %")


def draw_matrices(folders: list[Path]) -> Figure:
    """Draw the matrices of all runs, a column each; a row of a matrix is a label, a column a class given."""
    figure = Figure(figsize=(3.2 * len(folders), 6.8), layout="constrained")
    axes = figure.subplots(len(MATRICES), len(folders), squeeze=False)
    for row, (title, file) in zip(axes, MATRICES.items(), strict=True):
        row[0].set_ylabel(title)
        for axis, folder in zip(row, folders, strict=True):
            draw_matrix(axis, read_matrix(folder / file))
    for axis, folder in zip(axes[0], folders, strict=True):
        axis.set_title(folder.name)
    return figure


def main(folder: str) -> None:
    """Draw the figures of a folder of runs."""
    runs = sorted(path.parent for path in Path(folder).glob("*/log.csv"))
    draw_curves({run.name: read_log(run / "log.csv") for run in runs}).savefig(Path(folder) / "curves.png", dpi=100)
    draw_matrices(runs).savefig(Path(folder) / "confusion.png", dpi=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
