"""A training that is killed, stopped or cut short of disk, and goes on, ends with the weights of one that was not."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.training.record.state import load_state
from tests.cli.conftest import MODEL, ROOT, SMALL, TINY, rows, start
from tests.small import TENSORS
from tests.weights.networks import read_arrays

EPOCHS = 10
LONG = [*TINY, "--epoch_size", EPOCHS, "--ckpt_save_policy", "top_k", "--keep_checkpoint_max", 3]
# Everything that changes in a training or draws random numbers, and compiles the same graphs in the same order.
LONG += "--ema --ema_decay 0.9 --loss_scale_type dynamic --loss_scale 1024 --clip_grad --layer_decay 0.9".split()
LONG += "--auto_augment randaug-m5-n2-mstd0.5 --mixup 0.2 --cutmix 1 --mixup_off_epoch 8".split()
LONG += ["--early_stopping", 9]
# The rest: graphs that a resumed training compiles in another order.
WHOLE = "--gradient_accumulation_steps 3 --opt adan --image_resize_schedule 16@0 24@5 --kd decoupled".split()
WHOLE += ["--amp_level", "O1", "--freeze", "first_conv", "--tensorboard", "--teacher"]
KILLS_AT_RANDOM, KILLS_WHILE_WRITING = 5, 5


def finish(process: subprocess.Popen[str], seconds: float = 300) -> str:
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which MindSpore keeps what it has compiled, by its number in the process and nothing else.

    So it is for processes that compile the same networks in the same order.
    """
    folder = tmp_path_factory.mktemp("compiled")
    return os.environ | {"MS_COMPILER_CACHE_ENABLE": "1", "MS_COMPILER_CACHE_PATH": str(folder)}


@pytest.fixture(scope="module")
def undisturbed(compiled: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start("train", *LONG, "--ckpt_save_dir", folder, script=SMALL, env=compiled))
    return folder


def check_whole(folder: Path, undisturbed: Path) -> bool:
    """Check that whatever lies in the folder is whole, and return whether there is a state to go on from."""
    checkpoints = [path for path in folder.glob("*.ckpt") if not path.name.startswith(".")]
    for path in checkpoints:
        assert len(read_arrays(path)) == TENSORS
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


def go_on(folder: Path, undisturbed: Path, *words: object, **options: Any) -> subprocess.Popen[str]:
    resume = ["--resume_opt"] if check_whole(folder, undisturbed) else []
    return start("train", *LONG, *words, "--ckpt_save_dir", folder, *resume, script=SMALL, **options)


def kill_at_random(process: subprocess.Popen[str], folder: Path, rng: random.Random) -> None:
    """Kill the process at a moment between its first second and about its last, or when it has ended before."""
    time.sleep(rng.uniform(1, 10))
    process.kill()


def kill_while_writing(process: subprocess.Popen[str], folder: Path, rng: random.Random) -> None:
    """Kill the process as soon as it is at its n-th temporary file."""
    left, present = rng.randint(1, 8), False
    while process.poll() is None and left:
        now = any(name.startswith(".tmp-") for name in (os.listdir(folder) if folder.exists() else []))
        left -= now and not present
        present = now
    process.kill()


def test_killed_at_any_moment_and_resumed_it_ends_with_the_same_weights(
    tmp_path: Path, undisturbed: Path, compiled: dict[str, str]
) -> None:
    """Random moments, from the start of the process on, and moments at which a file is being written."""
    rng = random.Random(0)
    plan = [kill_at_random] * KILLS_AT_RANDOM + [kill_while_writing] * KILLS_WHILE_WRITING
    rng.shuffle(plan)
    folder = tmp_path / "run"
    killed = half_written = 0
    while plan or half_written < 3:
        kill = plan.pop() if plan else kill_while_writing
        process = go_on(folder, undisturbed, env=compiled)
        kill(process, folder, rng)
        output, _ = process.communicate()
        if process.returncode == 0:  # it was faster than the kill: begin again
            check_equal(folder, undisturbed)
            shutil.rmtree(folder)
            plan.append(kill)
            continue
        assert process.returncode == -signal.SIGKILL, output
        killed += 1
        half_written += folder.exists() and any(path.name.startswith(".tmp-") for path in folder.iterdir())
        assert killed < 30, "no kill falls into a write"
    finish(go_on(folder, undisturbed))  # which compiles anew
    check_equal(folder, undisturbed)


@pytest.mark.slow
def test_a_training_with_everything_on_is_killed_ten_times(finished_run: Path, tmp_path: Path) -> None:
    words = [*WHOLE, finished_run / f"{MODEL}-last.ckpt"]
    whole, folder = tmp_path / "undisturbed", tmp_path / "run"
    begun = time.monotonic()
    finish(start("train", *LONG, *words, "--ckpt_save_dir", whole, script=SMALL), 1200)
    seconds, kills, rng = time.monotonic() - begun, 0, random.Random(1)
    while kills < 10:
        process = go_on(folder, whole, *words)
        time.sleep(rng.uniform(0.2, 0.6) * seconds)
        process.kill()
        output, _ = process.communicate()
        if process.returncode == 0:  # it had ended before: begin again
            check_equal(folder, whole)
            shutil.rmtree(folder)
            continue
        assert process.returncode == -signal.SIGKILL, output
        kills += 1
    finish(go_on(folder, whole, *words), 1200)
    check_equal(folder, whole)


def test_signals_save_inside_an_epoch_and_tell_their_status(tmp_path: Path, undisturbed: Path) -> None:
    """SIGHUP too, unless it is ignored from the start, as by nohup."""
    folder = tmp_path / "run"
    state = folder / f"{MODEL}-last.state"
    for number, is_nohup in ((signal.SIGINT, True), (signal.SIGHUP, False)):
        disposition = signal.SIG_IGN if is_nohup else signal.SIG_DFL
        process = go_on(folder, undisturbed, preexec_fn=partial(signal.signal, signal.SIGHUP, disposition))
        before = load_state(state).progress.epoch if state.exists() else 0
        deadline = time.monotonic() + 300
        while not (state.exists() and load_state(state).progress.epoch > before):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if is_nohup:
            process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        process.send_signal(number)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 128 + number
        last = output.splitlines()[-1]
        assert last.startswith(f"stopped: {number.name} in epoch")
        assert "--resume_opt" in last
    finish(go_on(folder, undisturbed))
    check_equal(folder, undisturbed)


def test_ctrl_c_while_validating(finished_run: Path) -> None:
    """A graph runs then, and MindSpore would make a SIGTERM of it."""
    words = ["--ckpt_path", finished_run / f"{MODEL}-last.ckpt", "--dataset", "digits", "--batch_size", 1]
    process = start("validate", *words, script=SMALL)
    assert process.stdout
    output = ""
    while not output.startswith("preprocessing"):
        output = process.stdout.readline()
        assert output
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert output == "stopped: SIGINT, before the work was done\n"


def test_a_full_disk_names_the_file_and_leaves_the_old_run_alone(finished_run: Path, tmp_path: Path) -> None:
    """A limit of the file size stands for the disk: the checkpoint fits, the state does not."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    fits = (folder / f"{MODEL}-last.ckpt").stat().st_size + 1000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fits, fits))

    words = [*TINY, "--epoch_size", 3, "--ckpt_save_dir", folder, "--resume_opt"]
    process = start("train", *words, script=SMALL, preexec_fn=limit)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert output.splitlines()[-1].startswith(f"error: cannot write {folder}/{MODEL}-last.state: File too large")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Resumes a training whose first checkpoint after the start meets a full disk.
FULL_DISK = """
import resource, sys
from mindcv_shufflenet import cli
from tests import small
from mindcv_shufflenet.training.record import recorder

def save(network, path, metadata):
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    original(network, path, metadata)

original, recorder.save_checkpoint = recorder.save_checkpoint, save
sys.exit(cli.main(verb="train"))
"""


def test_a_full_disk_in_the_middle_of_a_checkpoint(finished_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = [*TINY, "--epoch_size", 3, "--ckpt_save_dir", folder, "--resume_opt"]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *map(str, words)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"error: cannot write {folder}/{MODEL}-" in done.stderr
    names = {path.name for path in finished_run.iterdir()}
    assert {path.name for path in folder.iterdir()} == names
    for name in names:
        if name.endswith(".ckpt"):
            assert (folder / name).read_bytes() == (finished_run / name).read_bytes()
    assert load_state(folder / f"{MODEL}-last.state").progress.epoch == 2
