"""Contenders of train_steps.py as processes that take turns, and the options that say what they train."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from train_steps import ANSWER, Case

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.catalogue import Described, describe

# Resolution and batch size of each stem, where none is given.
USUAL = {"imagenet": (224, 32), "cifar": (32, 128)}


class Contender:
    """A worker process that is stopped whenever it is not its turn.

    Attributes:
        name: its name.
        first: what it tells of its first step; empty: it is not there.
        turns: what it tells of each turn.

    Args:
        name: one of ``CONTENDERS``.
        python: that has what it needs.
        case: what it trains.
        caches: where PyTorch keeps what it has compiled.
    """

    def __init__(self, name: str, python: str, case: Case, caches: Path) -> None:
        self.name = name
        command = [python, str(Path(__file__).with_name("train_steps.py")), name, json.dumps(asdict(case))]
        paths = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
        environment = os.environ | {
            "GLOG_v": "3",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "TORCHINDUCTOR_CACHE_DIR": str(caches / name),
        }
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )
        self.turns: list[dict[str, float]] = []
        self.first = self._answer()
        if self.first:
            self._process.send_signal(signal.SIGSTOP)

    def run(self, steps: int) -> None:
        """Time so many steps."""
        assert self._process.stdin
        self._process.send_signal(signal.SIGCONT)
        print(steps, file=self._process.stdin, flush=True)
        turn = self._answer()
        if not turn:
            sys.exit(f"{self.name} has ended: {self.last_words()}")
        self._process.send_signal(signal.SIGSTOP)
        self.turns.append(turn)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def last_words(self) -> str:
        """Return the last line that the worker wrote to its standard error."""
        self._process.wait()
        self._errors.seek(0)
        return (self._errors.read().split("\n\n")[0].splitlines() or ["it ended without a word"])[-1]

    def kill(self) -> None:
        """End the worker."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> dict[str, float]:
        """Return the worker's next answer; empty: it has ended."""
        assert self._process.stdout
        lines = (line for line in self._process.stdout if line.startswith(ANSWER))
        return json.loads(next(lines, f"{ANSWER}{{}}").removeprefix(ANSWER))


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`find_case` reads."""
    parser.add_argument("--model", default="shufflenet_v2_x1_0")
    parser.add_argument("--stem", choices=USUAL, default="imagenet", help="cifar has 10 classes; PyTorch: V2 alone")
    parser.add_argument("--batch_size", type=int, help="default 32, with --stem cifar 128")
    parser.add_argument("--resolution", type=int, help="default 224, with --stem cifar 32")


def find_case(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[Case, Described]:
    """Return what is trained, and what it costs; a model that there is not ends the program."""
    resolution, batch_size = USUAL[options.stem]
    case = Case(options.model, options.stem, options.batch_size or batch_size, options.resolution or resolution)
    try:
        return case, describe(case.model, image_size=case.resolution, num_classes=case.classes, **case.options)
    except UserError as error:
        parser.error(str(error))
