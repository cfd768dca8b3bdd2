"""Whole commands on several ranks, started by ``mpirun``."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.training.record.state import load_state
from tests.cli.conftest import MODEL, ROOT, TINY, Command, run_verb
from tests.cli.jobs import AS_ROOT, LONG, NEEDS_MPIRUN, last, mpirun, start_and_wait
from tests.weights.networks import read_arrays

MIXED = ["--aug_repeats", 2, "--mixup", 0.2, "--cutmix", 1]
SUMMED = ["--ema", "--gradient_accumulation_steps", 2, "--clip_grad", "--clip_value", 1]
# What draws random numbers in the image operations, which every rank draws for itself, is off.
STEADY = [*TINY, "--hflip", 0, "--crop_padding", 0, "--color_jitter", "None", "--epoch_size", 1, "--num_samples", 240]
# From weights that have learnt something: at random ones rounding grows a thousandfold from layer to layer.
STEADY += [*MIXED, *SUMMED, "--lr", 0.001, "--warmup_epochs", 0, "--no-val_while_train", "--ckpt_path"]
BY_ONE, BY_TWO, BY_THREE = ["--batch_size", 24], ["--batch_size", 12], ["--batch_size", 8]

pytestmark = NEEDS_MPIRUN


def largest_difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name] - other[name]).max() / (np.abs(one[name]).max() + 1e-3)) for name in one)


@pytest.fixture(scope="module")
def learnt(finished_run: Path) -> Path:
    """Weights that have learnt something."""
    return finished_run / f"{MODEL}-last.ckpt"


@pytest.fixture(scope="module")
def by_one_rank(learnt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    run_verb("train", *STEADY, learnt, *BY_ONE, "--ckpt_save_dir", folder)
    return folder


@pytest.mark.parametrize(("ranks", "share", "mode"), [(2, BY_TWO, 0), (3, BY_THREE, 1)])
def test_ranks_train_the_weights_that_one_trains(
    learnt: Path, by_one_rank: Path, tmp_path: Path, ranks: int, share: list[Any], mode: int
) -> None:
    """Ten steps with BatchNorm over all ranks, dropout, erasing, mixing and repeated images."""
    words = [*STEADY, learnt, *share, "--sync_bn", "--mode", mode]
    status, output, error = mpirun(ranks, *words, "--ckpt_save_dir", tmp_path).finish()
    assert status == 0, error
    assert output.count("epoch 1/1") == 1  # rank 0 alone prints
    assert f"{ranks} ranks" in output
    assert largest_difference(last(by_one_rank), last(tmp_path)) < 5e-3
    assert largest_difference(read_arrays(learnt), last(tmp_path)) > 0.1
    rows = [[line.split(",") for line in (run / "log.csv").read_text().splitlines()] for run in (by_one_rank, tmp_path)]
    one, several = (dict(zip(table[0], table[1], strict=True)) for table in rows)
    assert one["step"] == several["step"] == "10"
    assert float(one["train_loss"]) == pytest.approx(float(several["train_loss"]), rel=1e-4)
    assert one["train_top1"] == several["train_top1"]


def test_validation_has_exactly_the_figures_of_one_rank(finished_run: Path, tmp_path: Path) -> None:
    """359 images are divisible by nothing."""
    words = ["-c", finished_run / "config.yaml", "--ckpt_path", finished_run / f"{MODEL}-last.ckpt"]
    words += ["--num_samples", 359, "--batch_size", 16, "--json"]
    run_verb("validate", *words, tmp_path / "one.json")
    status, output, error = mpirun(3, *words, tmp_path / "several.json", verb="validate").finish()
    assert status == 0, error
    assert output.count("top-1") == 1
    results = [json.loads((tmp_path / name).read_text()) for name in ("one.json", "several.json")]
    for result in results:
        result.pop("images_per_second")
    assert results[0] == results[1]
    assert results[0]["images"] == 359


def test_help_is_printed_once() -> None:
    status, output, error = mpirun(2, "--help").finish(300)
    assert (status, output.count("usage:"), error) == (0, 1, "")


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    status, _, error = mpirun(2, *TINY, "--model", "shufflenet_v9", "--ckpt_save_dir", tmp_path).finish(300)
    lines = [line for line in error.splitlines() if line.startswith("error:")]
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: unknown model shufflenet_v9")


# Rank 1 comes to the all-reduce 35 seconds after rank 0.
LATE = """
import sys, time
sys.path.insert(0, {root!r})
from mindcv_shufflenet.parallel.group import join
from mindcv_shufflenet.parallel.world import find_world
group = join(find_world())
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.parallel.startup import set_up
set_up(parse_config({{"model": "shufflenet_v2_x0_5"}}))
import mindspore as ms
from mindspore import nn, ops
from mindcv_shufflenet.parallel.collectives import MeanOverRanks, WaitForAll

class Mean(nn.Cell):
    def __init__(self):
        super().__init__()
        self.wait, self.mean = WaitForAll(), MeanOverRanks([(2,)], 2, ops.AllReduce())
    def construct(self, x):
        return self.mean((ops.depend(x, self.wait(x)),))

mean, x = Mean(), ms.Tensor([1.0, 2.0]) * (group.world.rank + 1)
time.sleep(35 * group.world.rank)
assert mean(x)[0].asnumpy().tolist() == [1.5, 3.0]
group.leave()
"""


def test_a_rank_may_come_late(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(LATE.format(root=str(ROOT)))
    status, _, error = mpirun(2, script=str(tmp_path / "late.py")).finish()
    assert status == 0, error


def test_a_signal_saves_and_ranks_go_on_exactly_or_in_another_number(tmp_path: Path, command: Command) -> None:
    """SIGUSR1 to mpirun, which passes it on and does not kill.

    All random draws are on, and an epoch of 95 images has 3 steps of two ranks and 6 of one. The checksum at the end of
    each epoch would stop a run whose ranks differ.
    """
    stopped, alone, whole = (tmp_path / name for name in ("stopped", "alone", "whole"))
    words = [*LONG, *MIXED, "--drop_remainder", False, "--num_samples", 95]
    job = start_and_wait(stopped, *words)
    job.process.send_signal(signal.SIGUSR1)
    status, output, error = job.finish(300)
    assert status == 138
    assert error.count("stopped: SIGUSR1 in epoch") == 1
    assert "an epoch reads 1 image once more" in output
    state = load_state(stopped / f"{MODEL}-last.state")
    epoch, step = state.progress.epoch, state.progress.step
    assert state.circumstances.machine.ranks == 2
    shutil.copytree(stopped, alone)
    words += ["--epoch_size", epoch + 2]
    for folder, resume in ((stopped, ["--resume_opt"]), (whole, [])):
        status, _, error = mpirun(2, *words, "--ckpt_save_dir", folder, *resume).finish()
        assert status == 0, error
    status, output, error = command("train", *words, "--ckpt_save_dir", alone, "--resume_opt")
    assert status == 0, error
    assert f"and has 6 on 1 rank: the run goes on at step {2 * step} of epoch {epoch + 1}" in output
    for folder, steps in ((stopped, 3), (whole, 3), (alone, 6)):
        rows = load_state(folder / f"{MODEL}-last.state").progress.rows
        assert [row.epoch for row in rows] == list(range(1, epoch + 3))
        assert rows[-1].step == (epoch + 2) * steps
    assert all(np.array_equal(last(whole)[name], weight) for name, weight in last(stopped).items())
    assert not all(np.array_equal(last(whole)[name], weight) for name, weight in last(alone).items())


# Trains and evaluates twice in one process on every rank, as a script may.
SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from mindcv_shufflenet.parallel.group import join
from mindcv_shufflenet.parallel.world import find_world
group = join(find_world())
from mindcv_shufflenet import evaluate, train
from tests.training.runs import options
from pathlib import Path
results = [train(options(Path({folder!r}) / name, batch_size=16)) for name in ("first", "second")]
path = results[1].last_checkpoint
scores = [evaluate({{"ckpt_path": path, "num_samples": 60, "mode": 1, "jit": False}}) for _ in range(2)]
print("images", group.world.rank, scores[0].images, scores[0].top1 == scores[1].top1)
group.leave()
"""


@pytest.mark.slow
def test_a_script_trains_and_evaluates_several_times_on_ranks(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(root=str(ROOT), folder=str(tmp_path)))
    status, output, error = mpirun(2, script=str(tmp_path / "script.py")).finish()
    assert status == 0, error
    assert sorted(output.splitlines()) == ["images 0 60 True", "images 1 60 True"]
    weights = [last(tmp_path / name) for name in ("first", "second")]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_other_verbs_and_wrong_launches_are_refused(tmp_path: Path) -> None:
    rank = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
    cases = [
        (["-m", "mindcv_shufflenet", "models"], rank, "is the work of one process; start it without mpirun"),
        (["train.py"], rank | {"OMPI_COMM_WORLD_RANK": "2"}, "the variables of mpirun do not agree"),
        (["train.py"], rank, "mpirun has started 2 ranks and mpi4py's MPI"),
    ]
    for words, environment, told in cases:
        process = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=os.environ | AS_ROOT | environment, capture_output=True, text=True
        )
        assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
        assert told in process.stderr
