"""Whose data a checkpoint is validated on."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mindcv_shufflenet.commands.validate import _DATA, _data_options
from mindcv_shufflenet.config import Config


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, _DATA),
        ({"data_dir": "moved"}, _DATA),
        ({"dataset": "folder"}, _DATA),
        ({"dataset": "imagenet"}, ()),
    ],
)
def test_the_folder_of_another_data_set_is_not_taken(tmp_path: Path, given: dict[str, Any], expected: object) -> None:
    recipe = Config(dataset="folder", data_dir="photos").recipe()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(recipe))
    config = Config(ckpt_path=str(tmp_path / "x.ckpt"), **given)
    assert _data_options(config, Namespace(options=given)) == expected
