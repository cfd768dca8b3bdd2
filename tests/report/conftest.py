"""A run for all tests of reports: 2 epochs of the small network, which is right for most of the digits then."""

from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet.training.train import train
from tests.small import MODEL

OPTIONS: dict[str, Any] = {
    "model": MODEL,
    "stem": "cifar",
    "dataset": "digits",
    "image_resize": 16,
    "crop_pct": 1,
    "batch_size": 32,
    "lr": 0.05,
    "epoch_size": 2,
    "warmup_epochs": 0,
    "color_jitter": 0,
    "hflip": 0,
}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory, with the report that the training has written."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    result = train(OPTIONS | {"ckpt_save_dir": folder})
    assert result.report == folder / "report.html"
    return folder
