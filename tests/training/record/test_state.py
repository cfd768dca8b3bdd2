"""The training state survives the disk, and a wrong one is told."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.training.record.state import (
    Circumstances,
    Data,
    Progress,
    Row,
    State,
    first_non_finite,
    load_state,
    restore,
    save_state,
)
from mindcv_shufflenet.training.step import TrainStep
from tests.training.runs import DATA, MACHINE, step_cell

CIRCUMSTANCES = Circumstances({"lr": 0.1}, MACHINE, DATA)


def train(cell: TrainStep) -> None:
    gradients = tuple(Tensor(np.full(p.shape, 0.25), ms.float32) for p in cell.optimizer.parameters)
    cell.optimizer(gradients)


def test_everything_that_training_changes_comes_back(tmp_path: Path) -> None:
    first = step_cell()
    train(first)
    row = Row(1, 3, 0.1, 2.0, 50.0, float("inf"), None, None, None, 100, 1.0)
    progress = Progress(epoch=1, step=2, loss_sum=0.1 + 0.2, seen=8, best_top1=50.0, rows=[row])
    path = tmp_path / "a.state"
    save_state(path, first.state_parameters(), progress, CIRCUMSTANCES)

    state = load_state(path)
    second = step_cell(momentum=0.5)
    restore(second.state_parameters(), state, path)
    assert (state.progress, state.circumstances) == (progress, CIRCUMSTANCES)
    assert int(second.optimizer.global_step.asnumpy()[0]) == 1
    # the option of the resumed run holds, not the saved one
    assert float(second.optimizer.momentum.asnumpy()) == 0.5
    train(first)
    second.optimizer.momentum.set_data(Tensor(0.9, ms.float32))
    train(second)
    for one, other in zip(first.get_parameters(), second.get_parameters(), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


def load_state_bytes(path: Path, content: bytes) -> State:
    path.write_bytes(content)
    return load_state(path)


def test_a_damaged_state_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    save_state(path, step_cell().state_parameters(), Progress(), CIRCUMSTANCES)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.state: it is damaged"):
            load_state(path)
    intact = load_state_bytes(path, whole)
    for position in (*range(200), *range(len(whole) - 200, len(whole))):
        flipped = whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :]
        try:
            state = load_state_bytes(path, flipped)
        except UserError:
            continue
        # a bit that means nothing, such as a file time
        assert state.progress == intact.progress
        assert all(np.array_equal(state.arrays[name], intact.arrays[name]) for name in intact.arrays)
    with open(path, "wb") as file:
        np.savez(file, meta=np.array([print], dtype=object))
    with pytest.raises(UserError, match="damaged"):
        load_state(path)


def test_a_state_that_memory_cannot_hold_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    save_state(tmp_path / "a.state", step_cell().state_parameters(), Progress(), CIRCUMSTANCES)
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(MemoryError):
        load_state(tmp_path / "a.state")


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    save_state(path, step_cell(features=3).state_parameters(), Progress(), CIRCUMSTANCES)
    with pytest.raises(UserError, match="another network or optimizer: moments.weight differs"):
        restore(step_cell(features=4).state_parameters(), load_state(path), path)


def edit(path: Path, change: Callable[[dict[str, Any]], object], **arrays: np.ndarray) -> None:
    """Change the meta of a state, and arrays, as somebody with an editor can."""
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files}
    meta = json.loads(str(content.pop("meta")))
    change(meta)
    with open(path, "wb") as file:
        np.savez(file, meta=np.array(json.dumps(meta)), **(content | arrays))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta["progress"].update(epoch="1"), "progress.epoch: Input should be a valid integer"),
        (lambda meta: meta["progress"].update(step=-1), "progress.step: Input should be greater than or equal to 0"),
        (lambda meta: meta["progress"].update(rows=[{"epoch": 1}]), "progress.rows.0.step: Field required"),
        (lambda meta: meta["progress"].update(epoch=1), "it is damaged"),
        (lambda meta: meta["progress"].update(step=2), "it is damaged"),
        (lambda meta: meta["circumstances"].update(config=[]), "circumstances.config: Input should be an object"),
        (
            lambda meta: meta["circumstances"]["machine"].update(ranks="two"),
            "circumstances.machine.ranks: Input should",
        ),
        (lambda meta: meta.update(circumstances=None), "circumstances: Input should be an object"),
        (lambda meta: meta.update(names="weight"), "names: Input should be a valid array"),
        (lambda meta: meta.update(format="x"), "is of format x"),
        (lambda meta: meta.clear(), "it is damaged"),
    ],
)
def test_a_state_that_was_edited_by_hand_is_told(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "a.state"
    save_state(path, step_cell().state_parameters(), Progress(), CIRCUMSTANCES)
    edit(path, change)
    with pytest.raises(UserError, match=re.escape(message)) as raised:
        load_state(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_array_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    save_state(path, step_cell().state_parameters(), Progress(), CIRCUMSTANCES)
    edit(path, len, weight=np.full((2, 3), "a"))
    with pytest.raises(UserError, match="another network or optimizer: weight differs"):
        restore(step_cell().state_parameters(), load_state(path), path)


def test_a_state_of_an_older_version_has_no_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    save_state(path, step_cell().state_parameters(), Progress(), CIRCUMSTANCES)
    edit(path, lambda meta: meta["circumstances"].update(data={"images": 12, "steps_per_epoch": 3}))
    assert load_state(path).circumstances.data == Data(12, 3)


def test_a_missing_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training state .*a.state"):
        load_state(tmp_path / "a.state")


def test_a_parameter_that_is_no_number_is_found() -> None:
    cell = step_cell()
    assert first_non_finite(cell.state_parameters()) is None
    cell.network.bias.set_data(Tensor([1.0, np.inf], ms.float32))
    assert first_non_finite(cell.state_parameters()) == "bias"
