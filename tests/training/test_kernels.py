"""Which kernels a training computes with, and what is refused."""

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.training import kernels
from mindcv_shufflenet.training.kernels import find_kernels, products_in


def machine(device: str = "CPU") -> Machine:
    return Machine(device, 2, 2, "2.8.0")


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Stands for one with kernels and AMX; holds what was asked of it."""
    asked: list[bool] = []

    def use_bfloat16(is_wanted: bool) -> bool:
        asked.append(is_wanted)
        return is_wanted

    monkeypatch.setattr(kernels, "version", lambda: "12ab")
    monkeypatch.setattr(kernels, "use_bfloat16", use_bfloat16)
    return asked


@pytest.mark.parametrize(
    ("device", "level", "version", "notes"),
    [
        ("CPU", "O0", "12ab", []),
        ("GPU", "O0", "off", []),
        ("GPU", "O1", "off", []),
        ("CPU", "O1", "off", ["amp_level=O1: MindSpore's own operators compute it; the kernels are for float32"]),
    ],
)
def test_kernels_compute_float32_on_a_cpu(device: str, level: str, version: str, notes: list[str]) -> None:
    found, told = find_kernels(parse_config({"amp_level": level}), machine(device))
    assert (found.kernels, told) == (version, notes)


def test_bfloat16_is_told_and_ends_with_the_training(processor: list[bool]) -> None:
    found, notes = find_kernels(Config(cpu_precision="bf16"), machine())
    assert found.kernels == "12ab"
    assert [note.partition(":")[0] for note in notes] == ["cpu_precision=bf16"]
    assert processor == [True, False]
    with pytest.raises(UserError, match="stopped"), products_in("bf16"):
        assert processor[2:] == [True]
        raise UserError("stopped")
    assert processor[2:] == [True, False]
    with products_in("fp32"):
        assert len(processor) == 4


@pytest.mark.parametrize(
    ("device", "version", "has_amx", "reason"),
    [
        ("GPU", "12ab", True, "is for a CPU, and this is GPU"),
        ("CPU", "off", True, "needs kernels, and there are none here"),
        ("CPU", "12ab", False, "needs a processor with AMX"),
    ],
)
def test_bfloat16_is_refused_where_nothing_computes_it(
    monkeypatch: pytest.MonkeyPatch, device: str, version: str, has_amx: bool, reason: str
) -> None:
    monkeypatch.setattr(kernels, "version", lambda: version)
    monkeypatch.setattr(kernels, "use_bfloat16", lambda is_wanted: is_wanted and has_amx)
    with pytest.raises(UserError, match=f"^cpu_precision=bf16 {reason}.*: give --cpu_precision fp32$"):
        find_kernels(Config(cpu_precision="bf16"), machine(device))
