"""What a training names is looked for before its images."""

from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.training.train import train
from tests.small import MODEL


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"no folder .*train"),  # the images come last
        ({"freeze": ["backbon"]}, r"freeze=backbon: .* has no such part \(did you mean backbone\?\)"),
        ({"freeze": ["*"]}, "leaves nothing to train"),
        ({"teacher": "none.ckpt"}, r"teacher=none\.ckpt: there is no checkpoint none\.ckpt"),
        ({"teacher": "shufflenet_v2_x1_O"}, r"teacher=shufflenet_v2_x1_O: there are no published weights of"),
        ({"teacher": ".", "data_dir": "nowhere"}, "no folder nowhere: --data_dir must name a folder that holds"),
    ],
)
def test_it_is_told_before_the_images_are_read(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    given = {"model": MODEL, "dataset": "folder", "data_dir": str(tmp_path), "ckpt_save_dir": str(tmp_path / "run")}
    with pytest.raises(UserError, match=message):
        train(given | options)
