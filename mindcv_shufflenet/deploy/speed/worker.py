"""Processes that are timed in turn: the side of the one that asks for times, and the side of each that is timed.

What is timed is in a process of its own, since the threads of several runtimes in one process disturb each other: they
spin while they wait for work. A worker stays alive while others have their turn, because loading and compiling take
longer than a turn. It waits for a line on a pipe then and uses no processor: the threads of ONNX Runtime stop spinning
20 ms after a run and those of OpenBLAS 60 ms after it, MindSpore's and OpenVINO's at once. The next turn begins later
than that, and its first batch, which finds the caches full of others' data, is not counted.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.lines import silence

# Seconds in which the threads of the last worker stop spinning.
_SETTLE = 0.1
# Batches before the first turn: runtimes allocate memory, and some choose kernels, in the first ones.
_WARM_UP = 3


class Turn(NamedTuple):
    """What a worker did in one turn.

    Attributes:
        times: seconds of each batch.
        memory: the most bytes that the process has had in memory so far.
    """

    times: list[float]
    memory: int


class Worker:
    """A process that is timed.

    Args:
        title: its name, for messages.
        command: starts a program that calls :func:`serve`.
        task: what that program reads from its first line.

    Attributes:
        facts: what it tells of itself.

    Raises:
        UserError: it cannot do its task, because of the user's mistake.
        RunError: it has ended.
    """

    def __init__(self, title: str, command: Sequence[str], task: Mapping[str, Any]) -> None:
        self.title = title
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the process that asks, which ends this one
        )
        try:
            self.facts = self._ask(json.dumps(task))
        except BaseException:
            self.close()
            raise

    def run(self, seconds: float) -> Turn:
        """Let it work for so many seconds, for one batch at least.

        Raises:
            RunError: it has ended.
        """
        time.sleep(_SETTLE)
        return Turn(**self._ask(str(seconds)))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        try:
            print(line, file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise RunError(f"{self.title} has ended: {self._last_words()}") from None
        if "mistake" in answer:
            raise UserError(answer["mistake"])
        return answer

    def _last_words(self) -> str:
        """The last line that the process wrote to its standard error."""
        status = self._process.wait()
        self._errors.seek(0)
        return (self._errors.read().splitlines() or [f"exit status {status}"])[-1]


def serve(create: Callable[[dict[str, Any]], tuple[Callable[[], object], dict[str, Any]]]) -> None:
    """Be a worker: read a task from standard input, then how many seconds each turn takes.

    Args:
        create: a function from the task to what is timed (a function that computes one batch) and facts about it.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    silence(sys.stdout.fileno())  # for runtimes that print

    def answer(content: Mapping[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    try:
        compute, facts = create(json.loads(sys.stdin.readline()))
        for _ in range(_WARM_UP):
            compute()
    except UserError as error:
        answer({"mistake": str(error)})
        return
    answer(facts)
    for line in sys.stdin:
        turn = Turn(_times(compute, float(line)), peak_memory())
        answer(turn._asdict())


def _times(compute: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each batch, behind one that is not counted."""
    compute()
    times: list[float] = []
    start = previous = time.perf_counter()
    while not times or previous - start < seconds:
        compute()
        now = time.perf_counter()
        times.append(now - previous)
        previous = now
    return times


def peak_memory() -> int:
    """Return the most bytes that this process has had in memory.

    On Linux ``getrusage`` tells at least as many as the process that started this one had, so it is not asked there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
