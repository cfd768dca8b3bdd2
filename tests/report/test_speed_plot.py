"""The plot of accuracy against speed."""

import re
from pathlib import Path

from PIL import Image

from mindcv_shufflenet.report.speed_plot import Point, draw, is_plot

POINTS = [
    Point("net_v1_x0_5", "NetV1", 60.0, (400.0, 420.0, 410.0)),
    Point("net_v1_x1_0", "NetV1", 60.5, (400.0, 405.0, 402.0)),
    Point("net_v1_x2_0", "NetV1", 60.2, (400.0, 405.0, 402.0)),
    Point("other", "Other", 71.0, (100.0, 110.0)),
]


def test_every_network_has_its_name_apart_from_the_others(tmp_path: Path) -> None:
    draw(tmp_path / "a.svg", {"engine, batch 1": POINTS, "engine, batch 8": POINTS[:1]}, "a machine")
    text = (tmp_path / "a.svg").read_text()
    for name in ("x0_5", "x1_0", "x2_0", "other", "NetV1", "engine, batch 1", "engine, batch 8"):
        assert f">{name}<" in text, name
    assert ">net_v1_x0_5<" in text  # alone in its panel
    assert text.count("published top-1 of the float32 weights") == 2
    places = {}
    for name in ("x0_5", "x1_0", "x2_0"):
        found = re.search(rf'x="([\d.]+)" y="([\d.]+)"[^>]*>{name}<', text)
        assert found, name
        places[name] = (float(found[1]), float(found[2]))
    for one in places:
        for other in places:
            x, y = (abs(a - b) for a, b in zip(places[one], places[other], strict=True))
            assert one == other or x > 15 or y > 7


def test_an_earlier_plot_is_known(tmp_path: Path) -> None:
    for suffix in ("png", "svg"):
        draw(tmp_path / f"a.{suffix}", {"engine": POINTS}, "a machine")
        assert is_plot(tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (960, 720)
        image.crop((0, 0, 9, 9)).save(tmp_path / "b.png")
    (tmp_path / "c.svg").touch()
    assert not is_plot(tmp_path / "b.png")
    assert is_plot(tmp_path / "c.svg")
