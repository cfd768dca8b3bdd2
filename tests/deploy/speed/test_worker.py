"""Processes that are timed in turn."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mindcv_shufflenet.deploy.speed.worker import Worker, peak_memory
from mindcv_shufflenet.errors import RunError, UserError

PROGRAM = """
import os, sys, time
from mindcv_shufflenet.deploy.speed.worker import serve
from mindcv_shufflenet.errors import UserError

def create(task):
    if task == {"wrong": True}:
        raise UserError("do it otherwise")
    def compute():
        print("some runtimes talk")
        os.write(1, b"some of them in C")
        if task.get("dies"):
            sys.exit("why it ends")
        time.sleep(0.01)
    return compute, {"process": os.getpid()}

serve(create)
"""
COMMAND = [sys.executable, "-c", PROGRAM]


def test_a_worker_tells_the_time_of_each_batch_and_its_own_memory() -> None:
    with Worker("one", COMMAND, {}) as worker:
        turn = worker.run(0.1)
        assert 2 <= len(turn.times) <= 10
        assert all(seconds >= 0.01 for seconds in turn.times)
        assert len(worker.run(1e-6).times) == 1
        # this process has numpy, MindSpore and pytest in memory
        assert 5e6 < turn.memory < peak_memory() / 2
        process = psutil.Process(worker.facts["process"])
        assert process.is_running()
    assert not process.is_running()


def test_a_mistake_and_a_death_are_told() -> None:
    with pytest.raises(UserError, match="do it otherwise"):
        Worker("one", COMMAND, {"wrong": True})
    with pytest.raises(RunError, match="one has ended: why it ends"):
        Worker("one", COMMAND, {"dies": True})


def test_a_worker_ends_with_the_process_that_asks(tmp_path: Path) -> None:
    program = tmp_path / "asks.py"
    program.write_text(
        "import os, sys\nfrom mindcv_shufflenet.deploy.speed.worker import Worker\n"
        f"worker = Worker('one', {COMMAND!r}, {{}})\nprint(worker.facts['process'], flush=True)\nos._exit(1)\n"
    )
    process = int(subprocess.run([sys.executable, program], stdout=subprocess.PIPE).stdout)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(process).wait(10)
