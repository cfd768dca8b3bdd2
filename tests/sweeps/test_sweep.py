"""A sweep of stand-ins for trainings: what is run, kept, resumed, reported, and stopped."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mindcv_shufflenet import cli
from mindcv_shufflenet.errors import Interrupted, UserError
from mindcv_shufflenet.storage.files import exclusive
from mindcv_shufflenet.sweeps import sweep as module
from mindcv_shufflenet.sweeps.sweep import SweepResult, sweep

# Takes the words of a training. lr 9 fails; lr 7 waits for a signal, and saves its state then.
STAND_IN = """
    import json, signal, sys, time
    from pathlib import Path
    import yaml
    words = sys.argv[1:]
    folder = Path(words[words.index("--ckpt_save_dir") + 1])
    options = yaml.safe_load(Path(words[words.index("-c") + 1]).read_text())
    print("epoch 1", "resumed" if "--resume_opt" in words else "new")
    state = folder / "m-last.state"
    if options["lr"] == 9:
        sys.exit("error: the loss became nan")
    if options["lr"] == 7 and not state.exists():
        def stop(number, frame):
            state.touch()
            print("stopped: saved")
            sys.exit(128 + number)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        print("waiting", flush=True)
        time.sleep(60)
    state.touch()
    (folder / "m-last.ckpt").touch()
    result = {"best_top1": 100 * options["lr"], "best_epoch": 2, "epochs": options["epoch_size"],
              "training_time": "0:07", "last_checkpoint": str(folder / "m-last.ckpt")}
    Path(words[words.index("--json") + 1]).write_text(json.dumps(result))
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(STAND_IN))
    return [sys.executable, str(path)]


@pytest.fixture
def run(tmp_path: Path, program: list[str]) -> Any:
    """Sweep over some rates; returns the result and what was shown."""

    def run(*rates: float, epochs: int = 3, console: Console | None = None) -> tuple[SweepResult, str]:
        path = tmp_path / "rates.yaml"
        path.write_text(f"config: digits\noptions: {{epoch_size: {epochs}}}\ngrid: {{lr: {[*rates]}}}")
        console = console or Console(file=io.StringIO(), width=200)
        result = sweep(path, tmp_path / "out", console=console, program=program)
        return result, console.file.getvalue() if isinstance(console.file, io.StringIO) else ""

    return run


def statuses(result: SweepResult) -> list[str]:
    return [one.status for one in result.runs]


def test_a_failed_run_stops_no_other_and_what_is_done_is_kept(run: Any, tmp_path: Path) -> None:
    result, shown = run(0.5, 9, 0.25)
    assert statuses(result) == ["done", "failed", "done"]
    assert result.failed == ["lr=9"]
    assert result.runs[1].error == (
        f"exit status 1, the loss became nan ({tmp_path / 'out' / 'lr=9' / 'output.txt'} has all that it printed)"
    )
    assert (result.runs[0].best_top1, result.runs[0].epochs, result.runs[0].options) == (50, 3, {"lr": 0.5})
    assert "run 1 of 3: lr=0.5\nlr=0.5: epoch 1 new\nrun 2 of 3: lr=9\n" in shown
    with open(tmp_path / "out" / "results.csv") as file:
        rows = [(row["run"], row["lr"], row["status"], row["best_top1"]) for row in csv.DictReader(file)]
    assert rows == [("lr=0.5", "0.5", "done", "50.0"), ("lr=9", "9", "failed", ""), ("lr=0.25", "0.25", "done", "25.0")]
    again, shown = run(0.5, 9, 0.25, 0.125)
    assert statuses(again) == ["kept", "failed", "kept", "done"]
    assert again.runs[0].best_top1 == 50
    assert "lr=0.5: " not in shown


def test_more_epochs_go_on_and_lost_weights_are_trained_again(run: Any, tmp_path: Path) -> None:
    run(0.5, 0.25)
    result, shown = run(0.5, 0.25, epochs=4)
    assert statuses(result) == ["done", "done"]
    assert result.runs[0].epochs == 4
    assert "lr=0.5: epoch 1 resumed" in shown
    (tmp_path / "out" / "lr=0.5" / "m-last.ckpt").unlink()
    assert statuses(run(0.5, 0.25, epochs=4)[0]) == ["done", "kept"]


def test_other_options_than_the_run_began_with_are_refused(run: Any, tmp_path: Path) -> None:
    run(0.5)
    path = tmp_path / "rates.yaml"
    path.write_text("config: digits\noptions: {momentum: 0.8}\ngrid: {lr: [0.1, 0.5]}")
    with pytest.raises(UserError, match=r"run lr=0.5 in .* has begun with momentum=None, and the file says 0.8 now"):
        sweep(path, tmp_path / "out", program=["false"])
    assert not (tmp_path / "out" / "lr=0.1").exists()
    (tmp_path / "out" / "lr=0.5" / "sweep.yaml").unlink()
    with pytest.raises(UserError, match=r"lr=0.5 holds a run that is none of this sweep"):
        sweep(path, tmp_path / "out", program=["false"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_run_and_the_same_call_goes_on(run: Any, tmp_path: Path, number: signal.Signals) -> None:
    class Watched(io.StringIO):
        """Sends a signal to this process when the run waits for it."""

        def write(self, text: str) -> int:
            if "waiting" in text:
                threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
            return super().write(text)

    with pytest.raises(Interrupted) as stop:
        run(0.5, 7, 0.25, console=Console(file=Watched(), width=200))
    assert stop.value.status == 128 + number
    output = tmp_path / "out" / "lr=7" / "output.txt"
    assert output.read_text() == "epoch 1 new\nwaiting\nstopped: saved\n"
    assert not (tmp_path / "out" / "lr=0.25").exists()
    result, shown = run(0.5, 7, 0.25)
    assert statuses(result) == ["kept", "done", "done"]
    assert "lr=7: epoch 1 resumed" in shown


def test_what_a_killed_sweep_left_at_work_is_waited_for(run: Any, program: list[str], tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text("config: digits\noptions: {epoch_size: 3}\ngrid: {lr: [0.5, 7]}")
    words = f"sweep({str(tmp_path / 'rates.yaml')!r}, {str(tmp_path / 'out')!r}, program={program!r})"
    with subprocess.Popen([sys.executable, "-c", f"from mindcv_shufflenet import sweep; {words}"]) as killed:
        output = tmp_path / "out" / "lr=7" / "output.txt"
        wait_for(lambda: output.is_file() and "waiting" in output.read_text())
        killed.kill()
    with pytest.raises(UserError, match=r"another process is at work in .*out \(ID \d+\): wait for it") as refused:
        run(0.5, 7)
    os.kill(int(re.findall(r"\(ID (\d+)\)", str(refused.value))[0]), signal.SIGTERM)
    wait_for((tmp_path / "out" / "lr=7" / "m-last.state").exists)
    wait_for(lambda: not _is_locked(tmp_path / "out"))
    assert statuses(run(0.5, 7)[0]) == ["kept", "done"]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _is_locked(folder: Path) -> bool:
    try:
        with exclusive(folder):
            return False
    except UserError:
        return True


def test_options_that_do_nothing_are_told_with_their_runs(
    tmp_path: Path, program: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("config: digits\noptions: {tta: true}\nruns: {a: {lr: 0.5}, b: {lr: 0.25, kd_alpha: 0.5}}")
    with caplog.at_level("INFO", "mindcv_shufflenet"):
        sweep(path, tmp_path / "out", program=program)
    assert caplog.messages == ["all runs: train does not read tta", "b: without effect here: kd_alpha (needs teacher)"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("freeze: backbon", r"run b: freeze=backbon: .* \(did you mean backbone\?\)"),
        ("teacher: none.ckpt", r"run b: teacher=none.ckpt: there is no checkpoint none.ckpt"),
        ("dataset: folder, data_dir: nowhere", "run b: no folder nowhere: --data_dir must name"),
        ("ckpt_path: none.ckpt", "run b: there is no checkpoint none.ckpt"),
    ],
)
def test_what_a_run_names_is_looked_for_before_the_first_begins(
    tmp_path: Path, program: list[str], options: str, message: str
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(f"config: digits\nruns: {{a: {{lr: 0.5}}, b: {{{options}}}}}")
    with pytest.raises(UserError, match=message):
        sweep(path, tmp_path / "out", program=program)
    assert not (tmp_path / "out" / "a").exists()


def test_the_command_prints_a_table_and_ends_with_1_if_a_run_failed(
    run: Any, program: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(0.5, 0.25)
    monkeypatch.chdir(tmp_path)
    result = tmp_path / "result.json"
    words = ["rates.yaml", "--output", "out", "--json", str(result)]
    assert cli.main(words, verb="sweep") == 0
    shown = capsys.readouterr().out
    assert all(cell in shown for cell in ("best top-1", "lr=0.5", "50.000 %", "0:07", "kept"))
    assert [one["status"] for one in json.loads(result.read_text())["runs"]] == ["kept", "kept"]
    monkeypatch.setattr(module, "PROGRAM", program)
    Path("rates.yaml").write_text("config: digits\noptions: {epoch_size: 3}\ngrid: {lr: [0.5, 9]}")
    assert cli.main(words, verb="sweep") == 1
    assert "error: lr=9 failed (1 of 2); output.txt in the folder of a run says why" in capsys.readouterr().err
    assert cli.main(["none.yaml"], verb="sweep") == 2
    assert "error: there is no file none.yaml" in capsys.readouterr().err
