"""A training that is killed, stopped or cut short of disk, and goes on, ends with the weights of one that was not."""

import csv
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.train.state import load_state
from mindcv_shufflenet.weights.checkpoint import load_checkpoint
from tests.cli.conftest import MODEL, TINY, Command, start

EPOCHS = 10
LONG = [*TINY, "--epoch_size", EPOCHS, "--ckpt_save_policy", "top_k", "--keep_checkpoint_max", 3]
# columns of log.csv that do not tell the time
EXACT = ("epoch", "step", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5")
KILLS_AT_RANDOM, KILLS_WHILE_WRITING, SIGNALS = 6, 5, (signal.SIGTERM, signal.SIGINT)


def rows(folder: Path) -> list[list[str]]:
    with open(folder / "log.csv") as file:
        return [[row[name] for name in EXACT] for row in csv.DictReader(file)]


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(*LONG, "--ckpt_save_dir", folder))
    return folder


def check_whole(folder: Path, undisturbed: Path) -> bool:
    """Check that whatever lies in the folder is whole, and return whether there is a state to go on from."""
    checkpoints = [path for path in folder.glob("*.ckpt") if not path.name.startswith(".")]
    for path in checkpoints:
        assert len(load_checkpoint(path)) == 281
    if (folder / "log.csv").exists():
        logged = rows(folder)
        assert logged == rows(undisturbed)[: len(logged)]
    state = folder / f"{MODEL}-last.state"
    if not state.exists():
        assert not checkpoints
        return False
    progress = load_state(state).progress
    assert len(progress.rows) == progress.epoch
    return True


def check_equal(folder: Path, undisturbed: Path) -> None:
    """Check that two run directories hold the same, apart from times."""
    assert rows(folder) == rows(undisturbed)
    names = sorted(path.name for path in undisturbed.iterdir())
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        if name.endswith(".ckpt") or name == "classes.json":
            assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name
    states = [load_state(path / f"{MODEL}-last.state").arrays for path in (folder, undisturbed)]
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def go_on(folder: Path, undisturbed: Path) -> subprocess.Popen[str]:
    resume = ["--resume_opt"] if check_whole(folder, undisturbed) else []
    return start(*LONG, "--ckpt_save_dir", folder, *resume)


def kill_while_writing(process: subprocess.Popen[str], folder: Path, writes: int) -> bool:
    """Kill the process as soon as it is at its n-th temporary file; False if it ended before."""
    seen, present = 0, False
    while process.poll() is None:
        now = any(name.startswith(".tmp-") for name in (os.listdir(folder) if folder.exists() else []))
        seen += now and not present
        if seen >= writes:
            process.kill()
            return True
        present = now
    return False


def test_killed_at_any_moment_and_resumed_it_ends_with_the_same_weights(tmp_path: Path, undisturbed: Path) -> None:
    """Random moments, from the start of the process on, and moments at which a file is being written."""
    rng = random.Random(0)
    plan = ["random"] * KILLS_AT_RANDOM + ["writing"] * KILLS_WHILE_WRITING
    rng.shuffle(plan)
    folder = tmp_path / "run"
    half_written = 0
    for kind in plan:
        process = go_on(folder, undisturbed)
        if kind == "random":
            time.sleep(rng.uniform(1, 16))
            process.kill()
        else:
            assert kill_while_writing(process, folder, rng.randint(1, 8)), process.communicate()[0]
            half_written += any(path.name.startswith(".tmp-") for path in folder.iterdir())
        process.communicate()
        if process.returncode == 0:  # it was faster than the kill: begin again
            check_equal(folder, undisturbed)
            shutil.rmtree(folder)
    assert half_written >= 3
    finish(go_on(folder, undisturbed))
    check_equal(folder, undisturbed)


def test_signals_save_inside_an_epoch_and_tell_their_status(tmp_path: Path, undisturbed: Path) -> None:
    folder = tmp_path / "run"
    state = folder / f"{MODEL}-last.state"
    for number in SIGNALS:
        process = go_on(folder, undisturbed)
        before = load_state(state).progress.epoch if state.exists() else 0
        while not (state.exists() and load_state(state).progress.epoch > before):
            time.sleep(0.02)
        time.sleep(0.1)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        last = output.splitlines()[-1]
        assert last.startswith(f"stopped: {number.name} in epoch")
        assert "--resume_opt" in last
    finish(go_on(folder, undisturbed))
    check_equal(folder, undisturbed)


def test_a_full_disk_names_the_file_and_leaves_the_old_run_alone(finished_run: Path, tmp_path: Path) -> None:
    """A limit of the file size stands for the disk: the checkpoint fits, the state does not."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    words = [*TINY, "--epoch_size", 3, "--ckpt_save_dir", folder, "--resume_opt"]
    process = start(*words, preexec_fn=limit)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert output.splitlines()[-1].startswith(f"error: cannot write {folder}/{MODEL}-last.state: File too large")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_nan_ends_the_run_with_status_1_and_keeps_the_last_epoch(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = [*TINY, "--epoch_size", 4, "--ckpt_save_dir", folder, "--resume_opt", "--lr", "1e20"]
    status, output, error = command("train", *words)
    assert status == 1
    assert error.startswith("error: the loss became ")
    assert "lower --lr" in error
    assert error.count("\n") == 1
    assert "note: lr was 0.05 when the run was stopped and is 1e+20 now" in output
    arrays = [load_state(path / f"{MODEL}-last.state").arrays for path in (folder, finished_run)]
    assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])
    last = f"{MODEL}-last.ckpt"
    assert (folder / last).read_bytes() == (finished_run / last).read_bytes()


def test_a_finished_run_has_nothing_left_to_train(finished_run: Path, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    status, output, _ = command("train", *TINY, "--epoch_size", 2, "--ckpt_save_dir", folder, "--resume_opt")
    assert status == 0
    assert "all 2 epochs are done" in output
    assert rows(folder) == rows(finished_run)


def test_the_state_beside_a_checkpoint_is_found(finished_run: Path, tmp_path: Path, command: Command) -> None:
    words: list[Any] = [*TINY, "--epoch_size", 2, "--ckpt_save_dir", tmp_path / "new", "--resume_opt"]
    status, output, _ = command("train", *words, "--ckpt_path", finished_run / f"{MODEL}-best.ckpt")
    assert status == 0
    assert "all 2 epochs are done" in output
    assert rows(tmp_path / "new") == rows(finished_run)


def test_another_number_of_cores_is_told(finished_run: Path, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = [*TINY, "--epoch_size", 2, "--ckpt_save_dir", folder, "--resume_opt", "--num_parallel_workers", 1]
    _, output, _ = command("train", *words)
    cores = len(os.sched_getaffinity(0))
    if cores > 1:
        assert f"the run was stopped on workers={cores} and goes on with 1" in output
