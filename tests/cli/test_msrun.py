"""Whole commands on several ranks, started by ``msrun``."""

import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mindcv_shufflenet.parallel.rendezvous import JOIN_SECONDS
from tests.cli.conftest import MODEL, TINY
from tests.cli.jobs import EAGER, NEEDS_MPIRUN, msrun, wait_for
from tests.parallel.test_group import free_port
from tests.small import TENSORS
from tests.weights.networks import read_arrays

pytestmark = NEEDS_MPIRUN


def test_msrun(tmp_path: Path) -> None:
    words = [*TINY, "--batch_size", 16, "--epoch_size", 1, "--no-val_while_train"]
    status, output, error = msrun(tmp_path, free_port(), *words).finish()
    assert status == 0, output + error
    assert "2 ranks" in (tmp_path / "log" / "worker_0.log").read_text()
    assert (tmp_path / "log" / "worker_1.log").read_text() == ""
    assert (tmp_path / "run" / f"{MODEL}-last.ckpt").exists()


def test_msrun_with_one_rank(tmp_path: Path) -> None:
    """It trains for longer than an observer waits for ranks that do not come."""
    job = msrun(tmp_path, free_port(), *EAGER, ranks=1)
    enough = time.monotonic() + JOIN_SECONDS
    wait_for(tmp_path / "run" / f"{MODEL}-last.ckpt", job)
    time.sleep(max(0, enough - time.monotonic()))
    assert job.process.poll() is None, job.finish()
    for process in job.processes():
        with suppress(psutil.Error):
            if process.environ().get("MS_ROLE") == "MS_WORKER":
                process.send_signal(signal.SIGTERM)
    status, _, _ = job.finish()
    assert status != 0
    assert "stopped: SIGTERM in epoch" in (tmp_path / "log" / "worker_0.log").read_text()


@pytest.mark.parametrize(
    ("words", "status", "told"), [(["--lr", "fast"], 1, "error: lr=fast"), (["--help"], 0, "usage:")]
)
def test_msrun_with_words_that_start_no_training(tmp_path: Path, words: list[str], status: int, told: str) -> None:
    begin = time.monotonic()
    assert msrun(tmp_path, free_port(), *words).finish()[0] == status
    assert time.monotonic() - begin < 30
    assert (tmp_path / "log" / "worker_0.log").read_text().count(told) == 1


def test_a_scheduler_that_dies_ends_the_job(tmp_path: Path) -> None:
    job = msrun(tmp_path, free_port(), *EAGER)
    wait_for(tmp_path / "run" / f"{MODEL}-last.ckpt", job)
    scheduler = min(psutil.Process(job.process.pid).children(), key=psutil.Process.create_time)
    assert scheduler.environ()["MS_ROLE"] == "MS_SCHED"
    scheduler.kill()
    begin = time.monotonic()
    status, _, _ = job.finish()
    assert time.monotonic() - begin < 20
    assert status != 0
    told = (tmp_path / "log" / "worker_0.log").read_text()
    assert told.count("error: msrun's scheduler: it is gone") == 1
    assert len(read_arrays(tmp_path / "run" / f"{MODEL}-last.ckpt")) == TENSORS


@pytest.mark.parametrize("above", [0, 1])
def test_a_port_that_is_taken_ends_the_job(tmp_path: Path, above: int) -> None:
    """``--master_port`` itself, or the one above it where rank 0 listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        begin = time.monotonic()
        status, _, _ = msrun(tmp_path, port - above, *EAGER).finish()
    assert time.monotonic() - begin < 45
    assert status != 0
    told = (tmp_path / "log" / "worker_0.log").read_text()
    assert told.count("error: ") == 1
    assert f"port {port} on 127.0.0.1" in told
    assert "give another --master_port" in told
