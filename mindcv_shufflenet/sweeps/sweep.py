"""``sweep``: several trainings one after the other, each a process of its own, that can be stopped and go on."""

import csv
import io
import json
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import yaml
from rich.console import Console

from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted, UserError, checked_keywords
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.storage.files import atomic_write, exclusive
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.storage.text import read_json
from mindcv_shufflenet.sweeps.sweep_file import SweepRun, read_sweep
from mindcv_shufflenet.training.checks.inputs import check_inputs
from mindcv_shufflenet.weights.provenance import settle

_logger = logging.getLogger(__name__)

# The command line of this package.
PROGRAM = (sys.executable, "-m", "mindcv_shufflenet")
# Seconds between two looks for a signal.
_SECONDS = 0.2
# What may be changed in the file of a sweep while its runs are there: they train on, or end.
_MAY_CHANGE = ("epoch_size", "early_stopping")


@dataclass(frozen=True)
class RunResult:
    """How a run of a sweep ended.

    Attributes:
        name: its name.
        folder: its run directory, with what it printed in ``output.txt``.
        status: ``done``; ``kept``, if it was done before; ``failed``.
        best_top1: the highest validation top-1, in percent; None without validation, or for a failed run.
        best_epoch: the epoch that reached it.
        epochs: how many are done.
        training_time: of all epochs, as ``1:02:03`` or ``2:03``.
        error: why it failed.
        options: those that are not the same for all runs.
    """

    name: str
    folder: Path
    status: Literal["done", "kept", "failed"]
    best_top1: float | None
    best_epoch: int | None
    epochs: int | None
    training_time: str | None
    error: str | None
    options: Mapping[str, Any]


@dataclass(frozen=True)
class SweepResult:
    """How the runs of a sweep ended, in the order of the file.

    Attributes:
        folder: the folder of the run directories, with ``results.csv``.
        runs: one result a run.
    """

    folder: Path
    runs: tuple[RunResult, ...]

    @property
    def failed(self) -> list[str]:
        """The names of the runs that failed."""
        return [run.name for run in self.runs if run.status == "failed"]


@checked_keywords
def sweep(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    console: Console | None = None,
    program: Sequence[str] | None = None,
) -> SweepResult:
    """Train the runs that a file lists, one after the other. Those that are done are kept, those stopped are resumed.

    A run that fails does not stop the others.

    Args:
        path: the file (docs/sweep.md).
        folder: the folder of the run directories; None: the file's name without its suffix, in the present folder.
        console: shows what the runs print; None: nothing is shown.
        program: the words in front of ``train``, such as those of a launcher and of this package; None: ``PROGRAM``.

    Raises:
        UserError: the file is wrong, or a run in the folder has other options; no run has been started then.
        Interrupted: a signal has come; the present run has saved its state, and the same call goes on.
    """
    runs = read_sweep(path)
    target = Path(folder) if folder else Path(Path(path).stem)
    console = console or Console(quiet=True)
    varied = _varied(runs)
    run_folders = [_RunFolder(run, target / run.name) for run in runs]
    for note in _notes(runs, ranks=1 if program is None else 2):  # other words may be those of a launcher
        _logger.info(note)
    with exclusive(target) as lock:
        for run_folder in run_folders:
            run_folder.check()
        results = []
        for number, run_folder in enumerate(run_folders, 1):
            console.print(f"run {number} of {len(runs)}: {run_folder.run.name}")
            options = {name: run_folder.run.options.get(name) for name in varied}
            results.append(run_folder.train(console, program or PROGRAM, options, lock))
            _write_csv(target / "results.csv", results, varied)
    return SweepResult(target, tuple(results))


def _notes(runs: Sequence[SweepRun], ranks: int) -> list[str]:
    """Return a line for each thing that options of the file do not do, with the runs that have it."""
    names: dict[str, list[str]] = {}
    for run in runs:
        for note in notes_on_options("train", parse_config(run.options), run.given, ranks):
            names.setdefault(note, []).append(run.name)
    return [f"{'all runs' if len(of) == len(runs) else ', '.join(of)}: {note}" for note, of in names.items()]


def _varied(runs: Sequence[SweepRun]) -> list[str]:
    """Return the names of the options that are not the same for all runs."""
    names = dict.fromkeys(name for run in runs for name in run.options)
    return [name for name in names if any(run.options.get(name) != runs[0].options.get(name) for run in runs)]


class _RunFolder(NamedTuple):
    """A run and its run directory, in which the sweep keeps three files: options, result, and what was printed."""

    run: SweepRun
    folder: Path

    @property
    def recipe(self) -> Path:
        return self.folder / "sweep.yaml"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    def recorded(self) -> dict[str, Any]:
        """Return the options with which the run was started; empty if it was not.

        Raises:
            UserError: they cannot be read.
        """
        if not self.recipe.exists():
            return {}
        try:
            found = yaml.safe_load(self.recipe.read_text(encoding="utf-8"))
            return dict(found)
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise UserError(f"cannot read {self.recipe}: give --output another folder") from error

    def check(self) -> None:
        """Refuse a run that has begun with other options, or whose images, weights or teacher are not there.

        Raises:
            UserError: naming the first of them.
        """
        was, now = self.recorded(), _as_yaml(self.run.options)
        if not was and RunDirectory(self.folder).states():
            raise UserError(f"{self.folder} holds a run that is none of this sweep: give --output another folder")
        for name in was and {**was, **now}:
            if was.get(name) != now.get(name) and name not in _MAY_CHANGE:
                raise UserError(
                    f"run {self.run.name} in {self.folder} has begun with {name}={was.get(name)}, and the file says"
                    f" {now.get(name)} now: give the run another name, or --output another folder"
                )
        if not RunDirectory(self.folder).states() and not self.done():
            try:
                check_inputs(settle(self.run.options).config)
            except UserError as error:
                raise UserError(f"run {self.run.name}: {error}") from None

    def done(self) -> dict[str, Any]:
        """Return the result of the training; empty if something is left to do, or the weights are gone."""
        found = read_json(self.result) if self.recorded() == _as_yaml(self.run.options) else {}
        return found if found and Path(found.get("last_checkpoint") or self.result).is_file() else {}

    def train(self, console: Console, program: Sequence[str], options: Mapping[str, Any], lock: int) -> RunResult:
        """Train, go on with the training, or keep what is done.

        Args:
            console: shows what the training prints.
            program: the words in front of ``train``.
            options: those of the result.
            lock: descriptor of the sweep's lock.
        """
        if done := self.done():
            return self._result("kept", done, options)
        self.folder.mkdir(exist_ok=True)
        self.result.unlink(missing_ok=True)
        with atomic_write(self.recipe) as file:
            file.write(yaml.safe_dump(_as_yaml(self.run.options), sort_keys=False).encode())
        words = ["train", "-c", self.recipe, "--ckpt_save_dir", self.folder, "--json", self.result]
        words += ["--resume_opt"] if RunDirectory(self.folder).states() else []
        error = self._run([*program, *map(str, words)], console, lock)
        if error is not None:
            _logger.warning("run %s failed: %s", self.run.name, error)
            return self._result("failed", {}, options, error)
        return self._result("done", self.done(), options)

    def _result(
        self, status: Any, found: Mapping[str, Any], options: Mapping[str, Any], error: str | None = None
    ) -> RunResult:
        figures = {name: found.get(name) for name in ("best_top1", "best_epoch", "epochs", "training_time")}
        return RunResult(self.run.name, self.folder, status, **figures, error=error, options=options)

    def _run(self, words: Sequence[str], console: Console, lock: int) -> str | None:
        """Run a process, show and keep what it prints, and return why it failed; None if it has not."""
        line = ""
        with open(self.output, "a", encoding="utf-8", buffering=1) as output, _process(words, output, lock) as process:
            for text in signals.checked(_lines(process)):
                if text:
                    line = text
                    output.write(line)
                    console.print(f"{self.run.name}: {line.rstrip()}")
        if process.returncode == 0:
            return None
        told = line.strip().removeprefix("error: ") or "nothing was printed"
        return f"exit status {process.returncode}, {told} ({self.output} has all that it printed)"


@contextmanager
def _process(words: Sequence[str], output: IO[str], lock: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process in a session of its own, and wait for its end.

    A signal that stops this process is passed on, so that the training saves its state; a second one kills it. What it
    prints meanwhile goes to ``output``. It inherits the lock: where this process is killed and the training goes on, no
    other sweep begins in its folder before it has ended.
    """
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(lock,),
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        except BaseException as stop:
            process.send_signal(stop.status - 128 if isinstance(stop, Interrupted) else signal.SIGINT)
            try:
                output.write(process.communicate()[0].decode(errors="replace"))
            except BaseException:
                process.kill()
                raise
            raise


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield what a process prints, line by line, and an empty text where it has printed nothing for a while."""
    assert process.stdout
    descriptor, rest = process.stdout.fileno(), b""
    while True:
        if not select.select([descriptor], [], [], _SECONDS)[0]:
            yield ""
            continue
        chunk = os.read(descriptor, 65536)
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (f"{line.decode(errors='replace')}\n" for line in whole)
        if not chunk:
            yield rest.decode(errors="replace")
            return


def _as_yaml(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as YAML holds them: lists in the place of tuples."""
    return json.loads(json.dumps(options))


def _write_csv(path: Path, results: Sequence[RunResult], varied: Sequence[str]) -> None:
    text = io.StringIO()
    figures = ("status", "best_top1", "best_epoch", "epochs", "training_time", "error")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *varied, *figures])
    for result in results:
        writer.writerow([result.name, *result.options.values(), *(getattr(result, name) for name in figures)])
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
