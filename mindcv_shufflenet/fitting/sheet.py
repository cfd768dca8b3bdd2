"""The contact sheet of unusual photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from mindcv_shufflenet.fitting.issues import KINDS, Issue, meaning
from mindcv_shufflenet.lines import printable
from mindcv_shufflenet.report.figures import any_script, save

# Photos of a kind, those of a line, and their width in pixels and inches.
_MOST, _COLUMNS, _PIXELS, _INCHES = 12, 6, 160, 1.5
# Inches of the caption of a photo, and of the title of a block.
_CAPTION, _HEADING = 0.3, 0.35
_TITLE = "shufflenet fit"


def draw_sheet(path: Path, issues: Sequence[Issue], copies: Sequence[Path]) -> bool:
    """Draw the first photos of each kind of issue, a block a kind; return whether there is any.

    Args:
        path: the PNG file to write.
        issues: of the photos.
        copies: the small copy of each photo.
    """
    blocks = []
    for kind in KINDS:
        found = [(one, copies[one.photo]) for one in issues if one.kind == kind and one.photo is not None]
        if found:
            blocks.append((kind, found))
    if not blocks:
        return False
    lines = [-(-min(len(found), _MOST) // _COLUMNS) for _, found in blocks]
    with any_script():
        heights = [count * (_INCHES + _CAPTION) + _HEADING for count in lines]
        figure = Figure(figsize=(_COLUMNS * _INCHES, sum(heights)), dpi=110)
        FigureCanvasAgg(figure)
        parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=heights).flat
        for part, (kind, found), count, height in zip(parts, blocks, lines, heights, strict=True):
            part.suptitle(f"{kind} ({len(found)}): {meaning(kind)}", fontsize=9, x=0.01, y=1 - 0.08 / height, ha="left")
            grid = part.subplots(count, _COLUMNS, squeeze=False)
            top = 1 - (_HEADING + _CAPTION) / height
            part.subplots_adjust(0.01, 0.01, 0.99, top, wspace=0.04, hspace=_CAPTION / _INCHES)
            for axes in grid.flat:
                axes.set_axis_off()
            for axes, (one, copy) in zip(grid.flat, found[:_MOST], strict=False):
                axes.imshow(_thumbnail(copy))
                names = Path(one.subject).name, copy.parent.name  # of the photo, and of its class
                axes.set_title("\n".join(_short(printable(name)) for name in names), fontsize=6, pad=2)
        save(figure, path, _TITLE)
    return True


def _thumbnail(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.contain(image.convert("RGB"), (_PIXELS, _PIXELS)))


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:10]}…{text[-13:]}"
