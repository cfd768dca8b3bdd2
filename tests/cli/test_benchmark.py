"""``benchmark``: its tables, its mistakes, and how it stops."""

import csv
import io
import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from mindcv_shufflenet.commands.speed_tables import csv_text, heading, speed_table
from mindcv_shufflenet.console import SafeConsole
from mindcv_shufflenet.deploy.speed.benchmark import Benchmark, Measurement
from mindcv_shufflenet.deploy.speed.contenders import Contender, find_subjects
from mindcv_shufflenet.runtime.processor import Processor
from tests.cli.conftest import SMALL, Command, start
from tests.small import MODEL

QUICK = ("--image_resize", 32, "--repeats", 2, "--seconds", 0.01)


def test_speeds_are_told_to_people_and_programs(command: Command, tmp_path: Path) -> None:
    words = ("--models", MODEL, "--batch_size", 1, 2, *QUICK, "--csv", tmp_path / "a.csv")
    status, output, told = command("benchmark", *words, "--json", "-")
    assert (status, "onnxruntime fp32 x2" in told) == (0, True)
    result = json.loads(output)
    first, second = result["results"]
    assert (first["model"], first["batch_size"], second["batch_size"], result["repeats"]) == (MODEL, 1, 2, 2)
    assert sorted(first["rounds"])[0] <= first["images_per_second"] <= sorted(first["rounds"])[1]
    rows = [*csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text()))]
    assert {row["infer_batch_size"] for row in rows} == {"1", "2"}
    status, *_ = command("benchmark", *words)  # an earlier table is replaced
    assert status == 0


def measured(names: list[str], engines: tuple[str, ...], batches: tuple[int, ...]) -> Benchmark:
    """Three rounds of 1234.5, 1244.5 and 1254.5 images/s."""
    measurements = []
    for subject in find_subjects(names, None, {}):
        for engine in engines:
            for batch in batches:
                one = Measurement(Contender(subject, engine, "int8", batch), "1.2.3", memory=300 * 2**20)
                for speed in (1234.5, 1244.5, 1254.5):
                    one.add([batch / speed], 300 * 2**20)
                measurements.append(one)
    return Benchmark(Processor("a processor", ()), 2, 1e12, measurements)


@pytest.mark.parametrize(
    ("names", "engines", "batches", "row"),
    [
        (
            ["shufflenet_v2_large_megvii", "shufflenet_v2_plus_medium"],
            ("onnxruntime",),
            (8,),
            "shufflenet_v2_plus_medium ",
        ),
        (["shufflenet_v2_x1_0"], ("onnxruntime", "mindspore"), (1, 8), "mindspore int8 x8 "),
        (["shufflenet_v2_large_megvii", "mobilenet_v1_100"], ("openvino",), (1, 1024), "  openvino int8 x1024"),
    ],
)
def test_a_table_fits_a_terminal(
    names: list[str], engines: tuple[str, ...], batches: tuple[int, ...], row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console = SafeConsole(width=80, force_terminal=True, color_system=None, file=sys.stdout)
    console.print(speed_table(measured(names, engines, batches)))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("images/s" in line and "peak %" in line for line in lines)
    (first, *_) = [line for line in lines if line.startswith(row)]
    assert first.split()[-7:-5] == ["1244", "1"]


def test_what_all_rows_share_stands_above_the_table() -> None:
    x1 = "shufflenet_v2_x1_0, 224x224: 2.28 M parameters, 145.8 M multiply-adds"
    both = ["shufflenet_v2_x1_0", "shufflenet_v2_x0_5"]
    assert heading(measured(both[:1], ("openvino",), (1, 8))) == x1
    assert heading(measured(both[:1], ("openvino",), (8,))) == f"{x1}; openvino int8 x8"
    assert heading(measured(both, ("openvino",), (8,))) == "openvino int8 x8"
    assert heading(measured(both, ("openvino",), (1, 8))) == ""


def test_the_csv_has_the_columns_of_timm_and_its_units() -> None:
    (row,) = csv.DictReader(io.StringIO(csv_text(measured(["shufflenet_v2_x1_0"], ("onnxruntime",), (8,)))))
    names = "samples_per_sec step_time batch_size img_size gmacs macts"
    assert [row["model"], *(row[f"infer_{name}"] for name in names.split()), row["param_count"]] == [
        "shufflenet_v2_x1_0", "1244.50", "6.428", "8", "224", "0.1458", "1.9512", "2.28",
    ]  # fmt: skip
    assert [row[name] for name in ("precision", "spread_percent", "memory_mb")] == ["int8", "0.8", "300.0"]


def test_mistakes_are_told_in_a_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG of somebody")
    (tmp_path / "list.csv").write_text("a,b\n")
    x1 = ("--models", "shufflenet_v2_x1_0")
    for words, message in (
        ((), "needs --models; for example"),
        (("--batch_size", 1), "the following arguments are required: --models"),
        (("--models", "shufflenet_v3"), "no model matches shufflenet_v3"),
        (("--models", tmp_path / "no.onnx"), "no.onnx"),
        ((*x1, "--engine", "openvin"), "unknown engine openvin (did you mean openvino?)"),
        ((*x1, "--precision", "fp16"), "unknown precision fp16"),
        ((*x1, "--precision", "bf16"), "onnxruntime cannot compute in bf16: give --engine openvino"),
        ((*x1, "--batch_size", 8, 0), "0 is not a whole number above 0"),
        ((*x1, "--seconds", "nan"), "nan is not a number above 0"),
        ((*x1, "--csv", tmp_path / "no" / "a.csv"), "cannot write"),
        ((*x1, "--csv", "/proc/a.csv"), "cannot write /proc/a.csv"),
        ((*x1, "--csv", tmp_path / "list.csv"), "is there already"),
        ((*x1, "--plot", tmp_path / "photo.png"), "is there already"),
        ((*x1, "--plot", "a.jpg"), "give a name that ends with .png or .svg"),
        ((*x1, "--csv", "-", "--json", "-"), "both go to standard output"),
        ((*x1, "--lr", 1), "does not take --lr"),
    ):
        status, output, told = command("benchmark", *words)
        assert (status, output) == (2, ""), words
        assert message in told, (words, told)
        assert told.count("\n") == 1
    assert (tmp_path / "photo.png").read_bytes() == b"\x89PNG of somebody"


def test_an_engine_that_is_not_installed_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openvino.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status, _, told = command("benchmark", "--models", MODEL, *QUICK, "--engine", "openvino")
    assert status == 2
    assert 'pip install "mindcv_shufflenet[openvino]"' in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process_behind(number: signal.Signals) -> None:
    process = start("benchmark", "--models", MODEL, "--image_resize", 32, "--seconds", 100, script=SMALL)
    asking = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while len(workers := asking.children()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert output.startswith("stopped")
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]
