"""Whole commands on the bundled digits, at a size that takes seconds."""

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet import cli
from tests.small import MODEL

ROOT = Path(__file__).parents[2]
# 8 steps an epoch, with everything on that draws random numbers; importing TensorBoard's library takes a second
TINY = (
    f"--model {MODEL} --stem cifar --dataset digits --image_resize 16 --crop_pct 1 --train_crop padded"
    " --num_samples 256 --batch_size 32 --lr 0.05 --warmup_epochs 1 --decay_epochs 9"
    " --re_prob 0.5 --drop_rate 0.2 --label_smoothing 0.1 --no-tensorboard --no-report"
).split()

# The program that knows the small network.
SMALL = "tests/cli/small.py"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a verb in this process: its exit status, standard output and standard error."""

    def run(verb: str, *words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main([str(word) for word in words], verb=verb)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def start(*words: object, script: str = "train.py", **options: Any) -> subprocess.Popen[str]:
    """Start ``train.py`` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, script, *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )  # fmt: skip


def run_verb(verb: str, *words: object) -> None:
    """Run a verb in this process."""
    assert cli.main([str(word) for word in words], verb=verb) == 0


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a training of two epochs that was not disturbed, of the small network."""
    folder = tmp_path_factory.mktemp("finished")
    run_verb("train", *TINY, "--epoch_size", 2, "--ckpt_save_dir", folder)
    return folder


# columns of log.csv that do not tell the time
EXACT = ("epoch", "step", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5", "ema_top1")


def rows(folder: Path) -> list[list[str]]:
    """What stands in a run's log.csv, without the times."""
    with open(folder / "log.csv") as file:
        return [[row[name] for name in EXACT] for row in csv.DictReader(file)]
