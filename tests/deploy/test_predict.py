"""``predict`` from Python."""

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

import mindcv_shufflenet as zoo
from mindcv_shufflenet.data.images import image_files
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights.formats import write_arrays
from tests.small import MODEL
from tests.weights.networks import arrays_of, random_network


def test_predictions_come_with_their_files_and_leave_the_mode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_arrays(arrays_of(random_network(MODEL, num_classes=6)), tmp_path / "net.npz")
    Image.fromarray(np.full((16, 16, 3), 9, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    options = {"model": MODEL, "ckpt_path": tmp_path / "net.npz", "image_resize": 16, "mode": 1, "lr": 1}
    with caplog.at_level("INFO", "mindcv_shufflenet"):
        run = zoo.predict(options, [tmp_path], topk=2)
    assert "predict does not read lr" in " ".join(caplog.messages)
    assert (run.model, len(run)) == (MODEL, 2)
    good, bad = run
    assert good.image == tmp_path / "a.png"
    assert isinstance(bad.found, zoo.UserError)
    assert not isinstance(good.found, zoo.UserError)
    assert len(good.found.topk) == 2
    assert ms.get_context("mode") == ms.GRAPH_MODE


def test_images_may_be_one_path_and_must_be_some(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert image_files(str(tmp_path / "a.png")) == image_files(iter([tmp_path])) == [tmp_path / "a.png"]
    cases: list[tuple[Any, str]] = [([], "no images are given"), ([3], "int is no path"), ([""], "a path is empty")]
    for given, message in cases:
        with pytest.raises(UserError, match=message):
            image_files(given)
