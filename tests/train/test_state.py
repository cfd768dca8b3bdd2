"""The training state survives the disk, and a wrong one is told."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.train.engine import TrainStep
from mindcv_shufflenet.train.losses import CrossEntropy
from mindcv_shufflenet.train.state import Progress, State, first_non_finite, load_state, restore, save_state


def step_cell(features: int = 3, momentum: float = 0.9) -> TrainStep:
    network = nn.Dense(features, 2)
    optimizer = nn.Momentum(network.trainable_params(), [0.1, 0.2, 0.3], momentum)
    return TrainStep(network, CrossEntropy(), optimizer)


def train(cell: TrainStep) -> None:
    gradients = tuple(Tensor(np.full(p.shape, 0.25), ms.float32) for p in cell.optimizer.parameters)
    cell.optimizer(gradients)


def test_everything_that_training_changes_comes_back(tmp_path: Path) -> None:
    first = step_cell()
    train(first)
    progress = Progress(epoch=1, step=2, loss_sum=0.1 + 0.2, best_top1=50.0, rows=[{"epoch": 1, "val_top1": None}])
    path = tmp_path / "a.state"
    save_state(path, first, progress, {"cores": 2})

    state = load_state(path)
    second = step_cell(momentum=0.5)
    restore(second, state, path)
    assert (state.progress, state.circumstances) == (progress, {"cores": 2})
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
    save_state(path, step_cell(), Progress(), {})
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


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    save_state(path, step_cell(features=3), Progress(), {})
    with pytest.raises(UserError, match="another network or optimizer: moments.weight differs"):
        restore(step_cell(features=4), load_state(path), path)


def test_a_missing_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training state .*a.state"):
        load_state(tmp_path / "a.state")


def test_a_parameter_that_is_no_number_is_found() -> None:
    cell = step_cell()
    assert first_non_finite(cell) is None
    cell.network.bias.set_data(Tensor([1.0, np.inf], ms.float32))
    assert first_non_finite(cell) == "bias"
