"""A training with every augmentation, stopped after an epoch and resumed, line by line: nothing is compiled."""

from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet.options.config import load_yaml
from mindcv_shufflenet.training.train import train
from tests.small import MODEL
from tests.weights.networks import read_arrays

# warm-up and decay do not depend on the number of epochs, which differs
RUN = {
    "model": MODEL, "dataset": "digits", "num_samples": 8, "batch_size": 4, "image_resize": 32, "crop_pct": 1.0,
    "mode": 1, "jit": False, "num_parallel_workers": 2, "scheduler": "constant", "warmup_epochs": 0, "lr": 0.01,
    "val_while_train": False, "re_prob": 0.5, "image_resize_schedule": ["32@0", "48@1"],
}  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"auto_augment": "randaug-m9-inc1", "mixup": 0.4, "cutmix": 1.0, "mixup_off_epoch": 1},
        {"auto_augment": "augmix", "aug_splits": 3, "loss": "JSD"},
    ],
    ids=["mixed", "splits"],
)
def test_a_resumed_run_has_the_weights_of_one_that_was_not_stopped(options: dict[str, Any], tmp_path: Path) -> None:
    whole = train(RUN | options | {"epoch_size": 2, "ckpt_save_dir": str(tmp_path / "whole")})
    train(RUN | options | {"epoch_size": 1, "ckpt_save_dir": str(tmp_path / "stopped")})
    resumed = train({"resume_opt": True, "epoch_size": 2, "ckpt_save_dir": str(tmp_path / "stopped")})
    first, second = (read_arrays(Path(str(result.last_checkpoint))) for result in (whole, resumed))
    assert {name: array.tobytes() for name, array in first.items()} == {
        name: array.tobytes() for name, array in second.items()
    }
    assert load_yaml(tmp_path / "stopped" / "config.yaml")["image_resize_schedule"] == ["32@0", "48@1"]
