"""Checkpoints: exact, whole or absent, and refused with a reason."""

import stat
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.checkpoint import read_checkpoint, save_checkpoint
from mindcv_shufflenet.weights.load import load_weights, read_weights


def network(seed: int = 0, name: str = "shufflenet_v2_x0_5", **options: Any) -> nn.Cell:
    ms.set_seed(seed)
    return create_model(name, **({"num_classes": 10} | options))


def values(cell: nn.Cell) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in cell.get_parameters()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.ckpt"
    save_checkpoint(network(), path)
    return path


def test_weights_come_back_bit_for_bit(path: Path) -> None:
    other = network(seed=1)
    load_weights(other, path)
    expected = values(network())
    assert all((value == expected[name]).all() for name, value in values(other).items())
    assert [entry.name for entry in path.parent.iterdir()] == ["model.ckpt"]


def test_mindspore_itself_reads_the_file_and_others_may(path: Path) -> None:
    assert sorted(ms.load_checkpoint(str(path))) == sorted(values(network()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_optimizer_of_a_mindcv_checkpoint_is_left_out(tmp_path: Path) -> None:
    cell = network()
    optimizer = nn.Momentum(cell.trainable_params(), [0.1, 0.2], 0.9)
    step = nn.TrainOneStepCell(nn.WithLossCell(cell, nn.CrossEntropyLoss()), optimizer)
    path = tmp_path / "mindcv.ckpt"
    ms.save_checkpoint(step, str(path))
    assert "moments.classifier.weight" in ms.load_checkpoint(str(path))
    assert sorted(read_checkpoint(path).sets[""]) == sorted(values(cell))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 7}, r"classifier.weight is \(10, 1024\) there and \(7, 1024\) here; .*--num_classes"),
        ({"name": "shufflenet_v2_x1_0"}, r"does not fit the network: .* more\).*its model, its layout"),
        (
            {"layout": "torchvision"},
            r"weights of layout megvii and the network is of layout torchvision; give --layout megvii",
        ),
        (
            {"in_channels": 1},
            r"first_conv.0.weight is \(24, 3, 3, 3\) there and \(24, 1, 3, 3\) here.*or its in_channels",
        ),
    ],
)
def test_another_network_is_refused_and_left_untouched(path: Path, options: dict[str, Any], message: str) -> None:
    cell = network(seed=1, **options)
    before = values(cell)
    with pytest.raises(UserError, match=message) as caught:
        load_weights(cell, path)
    assert str(path) in str(caught.value)
    assert all((value == before[name]).all() for name, value in values(cell).items())


def test_left_over_parameters_are_refused(path: Path) -> None:
    cell = network()
    cell.extra = nn.Dense(2, 2)
    save_checkpoint(cell, path)
    with pytest.raises(UserError, match=r"2 that are not: extra\.weight, extra\.bias; take them out"):
        load_weights(network(), path)


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(path: Path, kept: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    with pytest.raises(UserError, match=r"model\.ckpt"):
        load_weights(network(), path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no checkpoint"):
        read_weights(tmp_path / "model.ckpt")
    (tmp_path / "text.ckpt").write_text("no checkpoint\n" * 100)
    with pytest.raises(UserError, match="damaged or no MindSpore file"):
        read_weights(tmp_path / "text.ckpt")
    (tmp_path / "model.h5").write_bytes(b"\x89HDF")
    with pytest.raises(
        UserError,
        match=r"known kind: those of MindSpore, safetensors, numpy, ONNX, PyTorch",
    ):
        read_weights(tmp_path / "model.h5")


def test_a_single_wrong_bit_is_found(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for place in range(1000, len(whole), len(whole) // 7):
        damaged = whole.copy()
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"damaged or no MindSpore file"):
            load_weights(network(), path)
