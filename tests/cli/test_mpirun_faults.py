"""What ends a job of several ranks: how soon, with which line, and what it leaves."""

import itertools
import signal
import socket
import time
from pathlib import Path

import pytest
from PIL import Image

from mindcv_shufflenet.training.record.state import load_state
from tests.cli.conftest import MODEL, ROOT, SMALL, TINY
from tests.cli.jobs import EAGER, EAGER_STEPS, LONG, NEEDS_MPIRUN, last, mpirun, start_and_wait
from tests.small import TENSORS

pytestmark = NEEDS_MPIRUN


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_ends_the_job(tmp_path: Path, victim: int) -> None:
    job = start_and_wait(tmp_path, *LONG)
    time.sleep(1)
    job.ranks()[victim].kill()
    begin = time.monotonic()
    status, _, error = job.finish(300)
    assert time.monotonic() - begin < 20
    assert status != 0
    told = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    assert f"rank {victim}" in told[0]
    assert "is gone from" in told[0]
    assert len(last(tmp_path)) == TENSORS
    load_state(tmp_path / f"{MODEL}-last.state")


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_missing_data_folder_ends_the_job(tmp_path: Path, everywhere: bool) -> None:
    """A wrapper gives rank 1 another data folder than rank 0."""
    (tmp_path / "digits").mkdir()
    for split in ("train", "val"):
        for label in "01":
            (tmp_path / "photos" / split / label).mkdir(parents=True)
            for number in range(16):
                Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / "photos" / split / label / f"{number}.png")
    words = [*TINY, "--dataset", "folder", "--num_samples", 32, "--batch_size", 8, "--ckpt_save_dir", tmp_path / "run"]
    right, wrong = tmp_path / "photos", tmp_path / "nowhere"
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, runpy, sys\n"
        f"wrong = {everywhere} or os.environ['OMPI_COMM_WORLD_RANK'] == '1'\n"
        f"sys.argv += ['--data_dir', {str(wrong)!r} if wrong else {str(right)!r}]\n"
        f"runpy.run_path({str(ROOT / SMALL)!r}, run_name='__main__')\n"
    )
    status, _, error = mpirun(2, *words, script=str(script)).finish(300)
    assert status != 0
    lines = [line for line in error.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert f"no folder {wrong}" in lines[0]
    assert ("rank 1 of 2" in lines[0]) == (not everywhere)
    assert not (tmp_path / "run").exists()


def test_ranks_with_other_images_do_not_begin(tmp_path: Path) -> None:
    """One image lacks on rank 1, whose epoch would otherwise end before rank 0's."""
    for rank, count in enumerate((16, 15)):
        for split, label in itertools.product(("train", "val"), "01"):
            folder = tmp_path / f"photos{rank}" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / f"{number}.png")
    (tmp_path / "rank.py").write_text(
        "import os, runpy, sys\n"
        f"os.chdir({str(tmp_path)!r} + '/photos' + os.environ['OMPI_COMM_WORLD_RANK'])\n"
        f"runpy.run_path({str(ROOT / SMALL)!r}, run_name='__main__')\n"
    )
    words = [word for word in TINY if word not in ("--num_samples", "256")]
    words += ["--dataset", "folder", "--data_dir", ".", "--batch_size", "8", "--no-val_while_train"]
    job = mpirun(2, *words, "--ckpt_save_dir", tmp_path / "run", script=str(tmp_path / "rank.py"))
    status, _, error = job.finish(300)
    assert status == 2
    assert "error: rank 0 of 2: the images of rank 1 on" in error
    assert not (tmp_path / "run").exists()


def test_weights_that_differ_stop_the_run(tmp_path: Path) -> None:
    """One number of rank 1 changes after the ranks have compared their weights."""
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, runpy, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from mindcv_shufflenet.training.trainer import Trainer\n"
        "run = Trainer.run\n"
        "def changed(trainer, progress):\n"
        "    weight = trainer.recorder.network.get_parameters().__next__()\n"
        "    weight.set_data(weight * 1.001)\n"
        "    return run(trainer, progress)\n"
        "if os.environ['OMPI_COMM_WORLD_RANK'] == '1':\n"
        "    Trainer.run = changed\n"
        f"runpy.run_path({str(ROOT / SMALL)!r}, run_name='__main__')\n"
    )
    status, _, error = mpirun(2, *EAGER, "--ckpt_save_dir", tmp_path / "run", script=str(script)).finish()
    assert status == 1
    assert error.count("error: ") == 1
    assert f"error: the weights of rank 1 are not those of rank 0 after {EAGER_STEPS} steps" in error
    assert not list((tmp_path / "run").glob("*.ckpt"))


MEET = f"""
import ctypes, os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from mindcv_shufflenet.parallel.group import join
from mindcv_shufflenet.parallel.world import find_world
from mindcv_shufflenet.parallel.watchdog import be_watched, outlive_launcher
world = find_world()
be_watched(world)
join(world).barrier()
print("met", flush=True)
"""
# Rank 1 is killed while rank 0 holds Python's lock, as MindSpore does while it connects the ranks.
DEAF = """
if world.rank:
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)
ctypes.PyDLL(None).sleep(60)
"""
# The process that mpirun knows is killed, and not the rank that it watches.
UNWATCHED = """
outlive_launcher()
if world.rank:
    os.kill(os.getppid(), signal.SIGKILL)
time.sleep(60)
"""


def test_a_killed_watcher_ends_the_job(tmp_path: Path) -> None:
    """Of it mpirun knows at once, and may end before rank 0 does, which then neither tells nor gives the status."""
    (tmp_path / "unwatched.py").write_text(MEET + UNWATCHED)
    begin = time.monotonic()
    status, output, _ = mpirun(2, script=str(tmp_path / "unwatched.py")).finish()
    assert time.monotonic() - begin < 20
    assert status in (1, 128 + signal.SIGKILL)
    assert output.count("met") == 2


def test_a_killed_rank_is_told_of_where_the_others_cannot(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(MEET + DEAF)
    begin = time.monotonic()
    status, _, error = mpirun(2, script=str(tmp_path / "deaf.py")).finish()
    assert time.monotonic() - begin < 30
    assert status != 0
    assert error.count(f"error: rank 1 of 2: it is gone from {socket.gethostname()}: SIGKILL") == 1
    assert error.count("error: ") == 1


def test_a_fault_of_one_rank_ends_the_job(tmp_path: Path) -> None:
    """A full file system for rank 0's checkpoint, as a limit on the size of files."""
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "if os.environ['OMPI_COMM_WORLD_RANK'] == '0':\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        f"runpy.run_path({str(ROOT / SMALL)!r}, run_name='__main__')\n"
    )
    status, _, error = mpirun(2, *EAGER, "--ckpt_save_dir", tmp_path / "run", script=str(script)).finish(300)
    assert status == 2
    assert error.count("error: ") == 1
    assert "error: rank 0 of 2: cannot write" in error


LARGE = [*LONG, "--image_resize", 96, "--num_samples", 64]


@pytest.mark.parametrize(("number", "words"), [(signal.SIGTERM, LARGE), (signal.SIGKILL, EAGER)])
def test_the_ranks_save_after_mpirun_has_ended(tmp_path: Path, number: signal.Signals, words: list[object]) -> None:
    """The steps take longer than the quarter of a second that mpirun 5 leaves between SIGTERM and SIGKILL."""
    job = start_and_wait(tmp_path, *words)
    job.process.send_signal(number)
    begin = time.monotonic()
    status, _, _ = job.finish()
    assert time.monotonic() - begin < 20
    assert status != 0
    progress = load_state(tmp_path / f"{MODEL}-last.state").progress
    assert progress.rows[0].seconds / EAGER_STEPS > 0.25
    assert progress.step > 0  # saved inside an epoch
    assert len(last(tmp_path)) == TENSORS
