"""Which photos look alike."""

from pathlib import Path

from PIL import Image

from mindcv_shufflenet.fitting.near_duplicates import groups_of
from mindcv_shufflenet.fitting.photos import measure
from tests.fitting.conftest import scene


def test_copies_are_alike_and_others_are_not(tmp_path: Path) -> None:
    first = scene(1, (300, 240))
    first.save(tmp_path / "a.jpg", quality=60)
    copies = [
        first,
        Image.open(tmp_path / "a.jpg").convert("RGB"),
        first.resize((150, 120)),
        first.point(lambda x: x * 0.97),
    ]
    others = [scene(seed) for seed in range(2, 60)]
    groups = groups_of([measure(picture) for picture in [*copies, *others]])
    assert len({*groups[:4].tolist()}) == 1
    assert len({*groups.tolist()}) == 1 + len(others)


def test_plain_photos_are_alike_only_if_they_are_equal() -> None:
    groups = groups_of([measure(Image.new("RGB", (90, 90), colour)) for colour in ("red", "blue", "red", "white")])
    assert groups[0] == groups[2]
    assert len({*groups.tolist()}) == 3
