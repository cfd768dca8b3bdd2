"""Where the output goes: odd folder names, full disks, pipes, and a Ctrl-C before anything has begun."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet import cli
from mindcv_shufflenet.commands.output import create_console, write_json
from tests.cli.conftest import MODEL, ROOT, TINY, Command, start
from tests.weights.networks import X0_5

LIST = ["models", "*x0_5"]


def shufflenet(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mindcv_shufflenet", *words], cwd=ROOT, text=True, stderr=subprocess.PIPE, **options
    )


def test_a_result_goes_through_links_and_pipes_and_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    write_json(str(tmp_path / "link.json"), {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "target.json").read_text()) == {"a": 1}
    os.mkfifo(tmp_path / "pipe")
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_json(str(tmp_path / "pipe"), {"b": 2})
    reader.join()
    assert json.loads(received[0]) == {"b": 2}
    assert (tmp_path / "pipe").is_fifo()


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    create_console(None).print("best checkpoint: run[v2]/x[/y]z :smile:")
    assert capsys.readouterr().out == "best checkpoint: run[v2]/x[/y]z :smile:\n"


def test_what_cannot_be_written_is_told() -> None:
    told = "error: cannot write the output: No space left on device; make room"
    for words in (LIST, [*LIST, "--json", "-"], ["models", "--help"], []):
        with open("/dev/full", "w") as full:
            done = shufflenet(*words, stdout=full)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (1, told), words
    with open("/dev/full", "w") as full:
        assert shufflenet("models", "--help", stdout=full, env=os.environ | {"PYTHONUNBUFFERED": "1"}).returncode == 1


def test_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    folder = tmp_path / "运行 一"
    folder.mkdir()
    done = shufflenet(
        "validate", "--model", X0_5, "--dataset", "digits", "--ckpt_path", str(folder / "x.ckpt"),
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(r"error: there is no checkpoint ")
    assert r"\u8fd0\u884c" in done.stderr


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.6])
def test_ctrl_c_before_the_training_begins_is_quiet(seconds: float, tmp_path: Path) -> None:
    process = start("--dataset", "digits", "--model", X0_5, "--ckpt_save_dir", str(tmp_path / "run"))
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    limit = threading.Timer(60, process.kill)
    limit.start()
    lines = []
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Exception ignored"):  # Python swallowed it, and the training would go on
            process.kill()
    process.communicate()
    limit.cancel()
    if any(line.startswith(("Traceback", "Exception ignored")) for line in lines):  # before our own first line
        assert "mindcv_shufflenet/" not in "".join(lines)
    else:
        assert process.returncode == 130
        assert lines[-1].startswith("stopped")


def test_a_path_that_may_not_be_entered_gets_one_line(command: Command) -> None:
    status, _, error = command(
        "validate", "--model", MODEL, "--dataset", "digits", "--ckpt_path", "x" * 300 + "/x.ckpt"
    )
    assert status == 2
    assert error.startswith("error: cannot use xxx")
    assert error.count("\n") == 1


def test_a_training_goes_on_without_its_output_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TINY, "--mode", 1, "--no-jit", "--num_samples", 32, "--epoch_size", 1, "--no-val_while_train"]
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main([str(word) for word in (*words, "--ckpt_save_dir", tmp_path)], verb="train") == 0
    told = f"note: the output was cut off: No space left on device; see {tmp_path}/log.csv\n"
    assert capsys.readouterr().err == told
    assert (tmp_path / f"{MODEL}-last.ckpt").exists()
