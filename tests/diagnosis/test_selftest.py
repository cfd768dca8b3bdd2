"""The self-test passes here, and says what is wrong where something is."""

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from mindspore import Tensor, nn

import mindcv_shufflenet as zoo
from mindcv_shufflenet.cli import main
from mindcv_shufflenet.commands import selftest as command
from mindcv_shufflenet.deploy.export.check import Check as ExportCheck
from mindcv_shufflenet.diagnosis import files, golden, networks, ranks, worker
from mindcv_shufflenet.diagnosis.checks import CHECKS
from mindcv_shufflenet.diagnosis.outcome import FAILED, LEFT_OUT, PASSED, CheckLeftOut, Outcome
from mindcv_shufflenet.errors import Interrupted, UserError
from mindcv_shufflenet.families import FAMILIES, find_family
from mindcv_shufflenet.kernels import library
from tests.cli.conftest import ROOT


def do(name: str, device: str = "CPU", count: int = 2) -> Outcome:
    return worker.do(next(check for check in CHECKS if check.name == name), device, count)


def test_all_checks_pass_here(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mindcv_shufflenet", "selftest", "--json", str(tmp_path / "result.json")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["passed"]
    assert [(one["name"], one["status"]) for one in result["checks"]] == [(check.name, PASSED) for check in CHECKS]
    assert "For a bug report:" in done.stdout
    assert f"mindcv_shufflenet {zoo.__version__}" in done.stdout


def test_every_family_has_golden_values() -> None:
    assert {*golden.golden_logits()} == {*golden.NETWORKS}
    assert {find_family(model).title for model in golden.NETWORKS} == {family.title for family in FAMILIES.values()}


def test_a_changed_weight_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = golden.golden_network

    def tampered(model: str, **options: Any) -> nn.Cell:
        network = honest(model, **options)
        if model == "mobilenet_v1_025":
            weight = network.trainable_params()[3]
            weight.set_data(Tensor(weight.asnumpy() * 1.01))
        return network

    monkeypatch.setattr(golden, "golden_network", tampered)
    outcome = do("forward passes")
    assert outcome.status == FAILED
    assert "mobilenet_v1_025 by 0.0" in outcome.detail
    assert "shufflenet" not in outcome.detail
    assert "do not trust its scores" in outcome.meaning


def test_a_wrong_training_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps without momentum are told from those with it."""
    parse = golden.parse_config
    monkeypatch.setattr(golden, "parse_config", lambda options: parse({**options, "momentum": 0.0}))
    assert do("training in PyNative mode").status == FAILED


def test_wrong_versions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.1.0" if name == "numpy" else found(name))
    outcome = do("versions")
    assert outcome.status == FAILED
    assert outcome.detail.startswith("numpy is 2.1.0, and <2,>=1.26 is needed")


def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise UserError("there is no C++ compiler")

    monkeypatch.setattr(library, "find_compiler", fail)
    outcome = do("kernels")
    assert (outcome.status, outcome.detail) == (FAILED, "there is no C++ compiler")
    monkeypatch.setenv(library.SWITCH, "off")
    assert do("kernels").status == LEFT_OUT


def test_a_broken_mpirun_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mpirun = tmp_path / "mpirun"
    mpirun.write_text("#!/bin/sh\necho 'ERROR: no daemon' >&2\nexit 3\n")
    mpirun.chmod(0o755)
    monkeypatch.setattr(ranks, "find_mpirun", lambda: str(mpirun))
    outcome = do("ranks")
    assert (outcome.status, outcome.detail) == (FAILED, "mpirun ended with status 3: ERROR: no daemon")
    assert do("ranks", count=1).status == LEFT_OUT


def test_wrong_int8_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ExportCheck("network.onnx", "onnxruntime", "1.23.1", "a processor", 0.5, 0.05, "the reference")

    def check(file: Path) -> ExportCheck:
        assert any(node.op_type == "QuantizeLinear" for node in onnx.load(file).graph.node)
        return found

    monkeypatch.setattr(files, "check", check)
    outcome = do("ONNX export, int8")
    assert outcome.status == FAILED
    assert "1.23.1 on a processor computes network.onnx incorrectly" in outcome.detail


def test_logits_that_are_no_numbers_are_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "logits_of", lambda *_: next(iter(golden.golden_logits().values())) * float("nan"))
    assert do("forward passes").status == FAILED


def test_a_check_that_ends_its_process_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "__name__", "tests.diagnosis.dying")
    told: list[Outcome] = []
    result = zoo.selftest("CPU", observe=told.append)
    assert list(result.outcomes) == told
    assert [outcome.name for outcome in told] == [check.name for check in CHECKS]
    (failed,) = result.failed
    assert failed.name == CHECKS[2].name
    assert failed.detail == "the process ended with signal SIGSEGV: the last words"


def test_without_a_device_nothing_else_is_checked() -> None:
    result = zoo.selftest("Ascend")
    statuses = [outcome.status for outcome in result.outcomes]
    assert statuses == [PASSED, FAILED] + [LEFT_OUT] * (len(CHECKS) - 2)
    assert "no such device here" in result.failed[0].detail


def test_the_kernels_are_not_checked_on_other_devices() -> None:
    with pytest.raises(CheckLeftOut, match="for a CPU"):
        networks.kernels("Ascend")


def test_what_has_ended_is_told_when_a_signal_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(device_target: str, ranks: int, observe: Callable[[Outcome], object]) -> None:
        observe(Outcome("versions", PASSED, "Python 3"))
        raise Interrupted("SIGTERM, before the work was done", 143)

    monkeypatch.setattr(command, "selftest", interrupted)
    assert main(["selftest"]) == 143
    told = capsys.readouterr()
    assert "versions" in told.out
    assert "stopped: SIGTERM" in told.err


@pytest.mark.parametrize(("device", "count", "told"), [("TPU", 2, "device_target"), ("CPU", 257, "256 at most")])
def test_a_device_or_ranks_that_cannot_be_are_refused(device: str, count: int, told: str) -> None:
    with pytest.raises(UserError, match=told):
        zoo.selftest(device, count)
