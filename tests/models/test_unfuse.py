"""Which operators compute a network: the kernels, or MindSpore's own ones, whose cells call their hooks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.kernels.library import library, use_bfloat16
from mindcv_shufflenet.models.base import unfuse
from mindcv_shufflenet.models.complexity import count
from mindcv_shufflenet.models.fusion import fuse
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.network import create_model, open_network
from mindcv_shufflenet.runtime.processor import processor
from tests.kernels.called import images, uses_kernels
from tests.small import MODEL

pytestmark = pytest.mark.skipif(library() is None, reason="there are no kernels on this machine")

OPTIONS: dict[str, Any] = {"num_classes": 10, "stem": "cifar"}
OPEN = Tensor(shape=[None, 3, 16, 16], dtype=ms.float32)


def test_kernels_compute_what_create_model_builds_alone() -> None:
    assert uses_kernels(create_model(MODEL, **OPTIONS))
    assert uses_kernels(create_model(MODEL, features_only=True, stem="cifar"))
    assert not uses_kernels(build(MODEL, **OPTIONS))
    assert not uses_kernels(open_network({"model": MODEL} | OPTIONS).network)
    assert not uses_kernels(create_model(MODEL, **OPTIONS).inference_twin())


def test_counting_is_the_same_and_leaves_the_kernels() -> None:
    network = create_model(MODEL, **OPTIONS)
    counted = count(network, 16)
    assert uses_kernels(network)
    assert counted == count(unfuse(network), 16)
    assert not uses_kernels(network)


def test_a_compiled_network_changes_over() -> None:
    network = create_model(MODEL, **OPTIONS).set_train(False)
    names = [parameter.name for parameter in network.get_parameters()]
    fused = network(images()).asnumpy()
    stock = unfuse(network)(images()).asnumpy()
    assert not np.array_equal(fused, stock)
    np.testing.assert_allclose(fused, stock, atol=1e-5 * np.abs(stock).max())
    np.testing.assert_array_equal(fuse(network)(images()).asnumpy(), fused)
    assert [parameter.name for parameter in network.get_parameters()] == names


def test_an_open_shape_is_computed_without_kernels() -> None:
    network = create_model(MODEL, **OPTIONS).set_train(False)
    network.set_inputs(OPEN)
    assert [network(images(batch)).shape for batch in (1, 3)] == [(1, 10), (3, 10)]


class Wrapped(nn.Cell):
    """A network inside somebody's own cell."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, x: Tensor) -> Tensor:
        return self.network(x)


def test_an_open_shape_of_a_cell_around_it_says_what_to_do() -> None:
    network = Wrapped(create_model(MODEL, **OPTIONS).set_train(False))
    network.set_inputs(OPEN)
    with pytest.raises(UserError, match=r"call mindcv_shufflenet\.unfuse\(network\) first"):
        network(images())


@pytest.mark.parametrize("around", [lambda network: network, Wrapped])
def test_a_file_of_mindspore_is_without_kernels(tmp_path: Path, around: Callable[[nn.Cell], nn.Cell]) -> None:
    network = around(create_model(MODEL, **OPTIONS).set_train(False))
    ms.export(network, OPEN, file_name=str(tmp_path / "network"), file_format="MINDIR")
    assert str(library()).encode() not in (tmp_path / "network.mindir").read_bytes()
    loaded = nn.GraphCell(ms.load(str(tmp_path / "network.mindir")))
    expected = network(images()).asnumpy()
    np.testing.assert_allclose(loaded(images()).asnumpy(), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.skipif("AMX-BF16" not in processor().instructions, reason="this processor has no AMX")
def test_bfloat16_rounds_what_1x1_convolutions_multiply(pynative: None) -> None:
    network = create_model(MODEL, **OPTIONS).set_train(False)
    float32 = network(images()).asnumpy()
    assert use_bfloat16(True)
    rounded = network(images()).asnumpy()
    assert not use_bfloat16(False)
    difference = np.abs(rounded - float32).max() / np.abs(float32).max()
    assert 1e-5 < difference < 0.05
    np.testing.assert_array_equal(network(images()).asnumpy(), float32)
