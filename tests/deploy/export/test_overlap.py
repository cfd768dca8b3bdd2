"""Calibration images among the validation images."""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.sources import Files, Pixels
from mindcv_shufflenet.deploy.export.overlap import find_overlap


def test_files_are_shared_by_their_content_wherever_they_lie(tmp_path: Path) -> None:
    calibration, judged = tmp_path / "calibration", tmp_path / "val"
    for folder, contents in ((calibration, ("a", "bb", "cc", "ddd")), (judged, ("bb", "c2", "ddd", "ddd", "eeee"))):
        folder.mkdir()
        for number, content in enumerate(contents):
            (folder / f"{number}.png").write_text(content)
    overlap = find_overlap(calibration, Files(sorted(judged.iterdir())))
    assert overlap == (2, 4)
    assert overlap.warning is not None
    assert overlap.warning.startswith("the validation images include 2 of the 4 calibration images")
    others = find_overlap(calibration, Files([judged / "1.png", judged / "4.png"]))
    assert others is not None
    assert (others, others.warning) == ((0, 4), None)


def test_pixels_are_not_compared(tmp_path: Path) -> None:
    assert find_overlap(tmp_path, Pixels(np.zeros((2, 8, 8, 3), np.uint8))) is None
