"""What figures have in common: fonts, since class names may be in any script, and how they are saved."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, Logger, getLogger
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from mindcv_shufflenet.storage.files import atomic_write, begins_with

# Within so many bytes of a PNG or SVG file lies its title.
_TITLE_WITHIN = 2000
# Fonts with Chinese, Japanese and Korean letters that systems have, the most frequent first.
_WIDE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip


@contextmanager
def any_script() -> Iterator[None]:
    """Draw texts in any script that an installed font has, in the weights that it has.

    A letter that no font has becomes a box, and a bold one of a font without bold letters a plain one, without a
    warning. Dollar signs begin no formula.
    """
    installed = {*get_font_names()}
    families = ["DejaVu Sans", *(name for name in _WIDE if name in installed)]
    settings: Any = {"font.family": families, "text.parse_math": False}
    with warnings.catch_warnings(), _silent(getLogger("matplotlib.font_manager")), rc_context(settings):
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


@contextmanager
def _silent(logger: Logger) -> Iterator[None]:
    """Let a logger tell nothing but errors for a while."""
    level = logger.level
    logger.setLevel(ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def save(figure: Figure, path: str | Path, title: str, **settings: Any) -> None:
    """Write a figure as its file's suffix tells.

    Args:
        figure: the figure.
        path: the PNG or SVG file to write.
        title: what the metadata of the file say, by which :func:`is_titled` knows it again.
        settings: further ones of matplotlib's ``savefig``.

    Raises:
        UserError: the file cannot be written.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(path).suffix[1:].lower(), metadata={"Title": title}, **settings)
    with atomic_write(Path(path).resolve()) as file:
        file.write(picture.getvalue())


def is_titled(path: Path, title: str) -> bool:
    """Return whether a file is empty, or a figure that was saved with a title."""
    return begins_with(path, title.encode(), _TITLE_WITHIN)
