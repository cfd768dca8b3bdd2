"""Draw ``docs/blocks.svg``: the two blocks of ShuffleNetV2 (figure 3 c and d of arXiv:1807.11164).

python docs/draw_blocks.py
"""

from pathlib import Path

WIDTH, HEIGHT = 800, 540
BOX_WIDTH, BOX_HEIGHT = 150, 34
# What a box is, and its fill and outline. The card is opaque, so it reads the same on a dark page.
COLOURS = {
    "pointwise": ("#ddf4ff", "#0969da"),
    "depthwise": ("#fff1e5", "#bc4c00"),
    "channels": ("#eef0f2", "#57606a"),
}
STYLE = (
    "text { font: 15px sans-serif; fill: #1f2328 } .note { font-size: 13px; fill: #57606a } .title { font-weight: 600 }"
)
ARROW_HEAD = (
    '<marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
    '<path d="M0 0 L9 4 L0 8 z" fill="#57606a"/></marker>'
)


def box(x: int, y: int, text: str, kind: str, width: int = BOX_WIDTH) -> str:
    """Return a box around a text, centred at (x, y)."""
    fill, outline = COLOURS[kind]
    return (
        f'<rect x="{x - width // 2}" y="{y - BOX_HEIGHT // 2}" width="{width}" height="{BOX_HEIGHT}" rx="6"'
        f' fill="{fill}" stroke="{outline}" stroke-width="1.5"/>{label(x, y + 5, text)}'
    )


def label(x: int, y: int, text: str, kind: str = "", anchor: str = "middle") -> str:
    """Return a text whose baseline is at ``y``."""
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{text}</text>'


def arrow(*points: tuple[int, int]) -> str:
    """Return a line through points, with a head at the last one."""
    path = " L".join(f"{x} {y}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="#57606a" stroke-width="1.5" marker-end="url(#head)"/>'


def branch(x: int, start: list[tuple[int, int]], layers: list[tuple[int, str, str, str]]) -> list[str]:
    """Return boxes below each other, joined by arrows down to the concat.

    Args:
        x: centre of the boxes.
        start: points of the line that leads to them.
        layers: for each box its centre's y, its text, its kind, and the note at the arrow that leaves it.
    """
    parts = []
    for y, text, kind, note in layers:
        parts += [arrow(*start, (x, y - BOX_HEIGHT // 2)), box(x, y, text, kind)]
        start = [(x, y + BOX_HEIGHT // 2)]
        parts.append(label(x + 10, start[0][1] + 21, note, "note", "start"))
    return [*parts, arrow(*start, (x, 393))]


def main_branch(x: int, start: list[tuple[int, int]], depthwise: str) -> list[str]:
    """Return the branch that both blocks have."""
    layers = [
        (176, "1x1 Conv", "pointwise", "BN, ReLU"),
        (252, depthwise, "depthwise", "BN"),
        (328, "1x1 Conv", "pointwise", "BN, ReLU"),
    ]
    return branch(x, start, layers)


def ends(x: int, title: str, at_start: str, at_end: str) -> list[str]:
    """Return what both blocks begin and end with; the notes say what goes in and what comes out."""
    return [
        label(x, 36, title, "title"),
        label(x + 10, 74, at_start, "note", "start"),
        box(x, 410, "Concat", "channels", 240),
        arrow((x, 427), (x, 448)),
        box(x, 465, "Channel shuffle", "channels", 240),
        arrow((x, 482), (x, 510)),
        label(x + 10, 503, at_end, "note", "start"),
    ]


def basic(x: int) -> list[str]:
    """Return figure 3 c, centred at ``x``."""
    left, right = x - 70, x + 70
    return [
        *ends(x, "Stride 1", "C channels", "C channels"),
        arrow((x, 52), (x, 91)),
        box(x, 108, "Channel split", "channels", 240),
        label(left - 10, 146, "C / 2", "note", "end"),
        label(right + 10, 146, "C / 2", "note", "start"),
        *branch(left, [(left, 125)], []),
        *main_branch(right, [(right, 125)], "3x3 DWConv"),
    ]


def downsampling(x: int) -> list[str]:
    """Return figure 3 d, centred at ``x``."""
    left, right, fork = x - 95, x + 95, 108
    return [
        *ends(x, "Stride 2", "C channels, H x W", "C' channels, H/2 x W/2"),
        *branch(
            left,
            [(x, 52), (x, fork), (left, fork)],
            [(252, "3x3 DWConv / 2", "depthwise", "BN"), (328, "1x1 Conv", "pointwise", "BN, ReLU")],
        ),
        *main_branch(right, [(x, fork), (right, fork)], "3x3 DWConv / 2"),
    ]


def draw() -> str:
    """Return the drawing as SVG."""
    card = f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="12" fill="#ffffff" stroke="#d0d7de"/>'
    parts = [f"<style>{STYLE}</style>", f"<defs>{ARROW_HEAD}</defs>", card, *basic(205), *downsampling(590)]
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n{body}\n</svg>\n'


if __name__ == "__main__":
    Path(__file__).with_name("blocks.svg").write_text(draw())
