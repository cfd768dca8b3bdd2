"""A sweep of a real training."""

import sys
from pathlib import Path

from mindcv_shufflenet.sweeps.sweep import sweep
from tests.cli.conftest import SMALL
from tests.small import MODEL

SWEEP = f"""
config: digits
options: {{model: {MODEL}, image_resize: 16, num_samples: 32, batch_size: 16, epoch_size: 1, warmup_epochs: 0,
  mode: 1, jit: false, tensorboard: false}}
runs: {{small: {{}}}}
"""


def test_a_run_is_a_training_in_its_own_folder_and_is_done_once(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(SWEEP)
    (run,) = sweep(path, tmp_path / "runs", program=(sys.executable, SMALL)).runs
    assert (run.status, run.epochs, run.best_epoch, run.error) == ("done", 1, 1, None)
    assert run.best_top1 is not None
    assert (run.folder / f"{MODEL}-best.ckpt").is_file()
    (kept,) = sweep(path, tmp_path / "runs", program=("none",)).runs
    assert (kept.status, kept.best_top1, kept.training_time) == ("kept", run.best_top1, run.training_time)
