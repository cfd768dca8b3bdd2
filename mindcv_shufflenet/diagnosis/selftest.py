"""``selftest``: whether all that this package does works on this machine."""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import NamedTuple, TextIO

import mindcv_shufflenet
from mindcv_shufflenet.diagnosis import worker
from mindcv_shufflenet.diagnosis.checks import CHECKS
from mindcv_shufflenet.diagnosis.outcome import FAILED, LEFT_OUT, Outcome
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.processor import processor

# Seconds after which a check is taken to hang.
_LIMIT = 180.0
# More ranks than any machine has devices would take its memory.
_MOST_RANKS = 256


class SelfTest(NamedTuple):
    """What the self-test has found.

    Attributes:
        outcomes: of all checks, in their order.
    """

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """What has failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == FAILED)

    @property
    def text(self) -> str:
        """What belongs into a bug report: the machine, and a line for each check."""
        machine = processor()
        instructions = ", ".join(machine.instructions) or "no known instructions"
        lines = [
            f"mindcv_shufflenet {mindcv_shufflenet.__version__} on {platform.platform()}",
            f"{machine.name}, {counted(count_cores(), 'core')}: {instructions}",
        ]
        return "\n".join(lines + [f"{one.status:9} {one.name}: {one.detail}" for one in self.outcomes])


def selftest(
    device_target: str = "auto", ranks: int = 2, observe: Callable[[Outcome], object] = lambda _: None
) -> SelfTest:
    """Do all checks, in about a minute.

    Args:
        device_target: ``Ascend``, ``GPU``, ``CPU`` or ``auto``.
        ranks: that ``mpirun`` starts to compute a mean over them, 256 at most; below 2: none.
        observe: is told each outcome.

    Raises:
        UserError: there is no such kind of device, or there are too many ranks.
    """
    parse_config({"device_target": device_target})
    if ranks > _MOST_RANKS:
        raise UserError(f"ranks={ranks}: give {_MOST_RANKS} at most, all of this machine")
    outcomes: list[Outcome] = []
    with closing(_outcomes(device_target, ranks)) as found:
        for outcome in found:
            outcomes.append(outcome)
            observe(outcome)
    return SelfTest(tuple(outcomes))


def _outcomes(device_target: str, ranks: int) -> Generator[Outcome, None, None]:
    """Do all checks; a process that ends early is followed by one that does the rest."""
    done = 0
    while done < len(CHECKS):
        with closing(_work(device_target, ranks, done)) as work:
            for outcome in work:
                yield outcome
                check = CHECKS[done]
                done += 1
                if outcome.status == FAILED and check.is_needed:
                    yield from (Outcome(other.name, LEFT_OUT, f"the {check.name} failed") for other in CHECKS[done:])
                    return


def _work(device_target: str, ranks: int, first: int) -> Generator[Outcome, None, None]:
    """Let a process do the checks from a number on. If it ends early, the check that it was at has failed."""
    command = [sys.executable, "-m", worker.__name__, device_target, str(ranks), str(first)]
    check = first
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        _started(command, errors, folder) as process,
    ):
        timer = _Timer(process)
        try:
            assert process.stdout
            timer.start()
            for line in process.stdout:
                if line.startswith(worker.MARK):
                    check += 1
                    timer.start()
                    yield Outcome(*json.loads(line.removeprefix(worker.MARK)))
            status = process.wait()
        finally:
            timer.stop()
            _kill(process)
        if check < len(CHECKS):
            detail = f"it did not end within {_LIMIT:.0f} s" if timer.has_expired else _why(status, errors)
            yield Outcome(CHECKS[check].name, FAILED, detail, CHECKS[check].meaning)


def _started(command: list[str], errors: TextIO, folder: str) -> subprocess.Popen[str]:
    """Start a process in a group of its own, which can be ended as a whole; its temporary files lie in a folder."""
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace", start_new_session=True,
        env=os.environ | {"TMPDIR": folder},
    )  # fmt: skip


class _Timer:
    """Kills a process that takes too long for one check."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.has_expired = False
        self.timer: threading.Timer | None = None

    def start(self) -> None:
        """Give the process the time of another check."""
        self.stop()
        self.timer = threading.Timer(_LIMIT, self._expire)
        self.timer.start()

    def stop(self) -> None:
        """Leave the process alone."""
        if self.timer:
            self.timer.cancel()

    def _expire(self) -> None:
        self.has_expired = True
        _kill(self.process)


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process and those that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(status: int, errors: TextIO) -> str:
    """Return how a process has ended, and its last words."""
    errors.seek(0)
    last = ([line.strip() for line in errors if line.strip()] or ["no word"])[-1]
    ended = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return f"the process ended with {ended}: {last}"
