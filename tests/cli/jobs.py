"""Starting commands on several ranks in the background, and ending them."""

import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from mindcv_shufflenet.parallel.watchdog import SAVE_SECONDS
from tests.cli.conftest import MODEL, ROOT, SMALL, TINY
from tests.weights.networks import read_arrays

BIN = Path(sys.prefix) / "bin"
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
NEEDS_MPIRUN = pytest.mark.skipif(not (BIN / "mpirun").exists(), reason="no mpirun beside this python")
LONG = [*TINY, "--batch_size", 16, "--epoch_size", 300, "--no-val_while_train", "--keep_checkpoint_max", 0]
# Nothing is compiled, so this begins soon, and its steps take long.
EAGER = [*LONG, "--mode", 1, "--no-jit", "--num_samples", 64]
EAGER_STEPS = 2  # an epoch, on two ranks


class Job:
    """A launch in the background. All its processes carry a mark in their environment."""

    def __init__(self, launcher: list[object], script: str, *words: object, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [str(word) for word in (*launcher, script, *words)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | AS_ROOT | {"JOB_MARK": self.mark} | environment,
        )  # fmt: skip

    def processes(self) -> list[psutil.Process]:
        """The processes of the job that are not dead."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("JOB_MARK") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def ranks(self) -> list[psutil.Process]:
        """The ranks of mpirun by their number: the children of the processes that it has started."""
        ranks = {}
        for process in self.processes():
            with suppress(psutil.Error):
                number = process.environ().get("OMPI_COMM_WORLD_RANK")
                if number is not None and not process.children() and SMALL in process.cmdline():
                    ranks[int(number)] = process
        return [ranks[number] for number in sorted(ranks)]

    def finish(self, seconds: float = 600) -> tuple[int, str, str]:
        """Wait for the job, and check that nothing of it is left soon after mpirun."""
        try:
            output, error = self.process.communicate(timeout=seconds)
            end = time.monotonic() + SAVE_SECONDS + 5
            while left := self.processes():
                assert time.monotonic() < end, left
                time.sleep(0.1)
        finally:
            for process in self.processes():
                process.kill()
            self.process.communicate()
        return self.process.returncode, output, error


def mpirun(ranks: int, *words: object, verb: str = "train", script: str = SMALL, **environment: str) -> Job:
    launcher = [BIN / "mpirun", "-n", ranks, "--oversubscribe", sys.executable]
    return Job(launcher, script, verb, *words, **environment)


def msrun(folder: Path, port: int, *words: object, ranks: int = 2) -> Job:
    launcher: list[object] = [BIN / "msrun", "--worker_num", ranks, "--local_worker_num", ranks, "--master_port", port]
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # msrun takes python from PATH
    words = (*words, "--ckpt_save_dir", folder / "run")
    # as mindcv's pages have it: cores bound, and python as the first word
    launcher += ["--bind_core=True", "--join", True, "--log_dir", folder / "log", "python"]
    return Job(launcher, SMALL, "train", *words, PATH=path)


def wait_for(path: Path, job: Job) -> None:
    end = time.monotonic() + 300
    while not path.exists():
        assert job.process.poll() is None, job.finish()
        if time.monotonic() > end:
            job.process.kill()
            raise AssertionError(job.finish())
        time.sleep(0.1)


def start_and_wait(folder: Path, *words: object) -> Job:
    """Start a training on two ranks and wait until it has written its first checkpoint."""
    job = mpirun(2, *words, "--ckpt_save_dir", folder)
    wait_for(folder / f"{MODEL}-last.ckpt", job)
    return job


def last(folder: Path) -> dict[str, np.ndarray]:
    """The weights that a training has saved last."""
    return read_arrays(folder / f"{MODEL}-last.ckpt")
