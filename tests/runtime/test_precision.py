"""Mixed precision: what is computed in which type."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.runtime.precision import cell_class, mixed_precision
from tests.weights.networks import random_network

IMAGES = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
NETWORKS: list[dict[str, Any]] = [
    {"name": "shufflenet_v2_x0_5"},
    {"name": "shufflenet_v2_x0_5", "layout": "torchvision", "se": True, "residual": True},
    {"name": "shufflenet_v1_g3_x0_5"},
    {"name": "shufflenet_v2_plus_small"},
    {"name": "mobilenet_v1_025"},
    {"name": "mobilenet_v2_035_224"},
]


def is_float16(cell: nn.Cell) -> bool:
    return bool(cell.get_flags().get("fp16"))


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("options", NETWORKS, ids=lambda options: " ".join(map(str, options.values())))
def test_o1_is_close_to_float32(options: dict[str, Any]) -> None:
    network = random_network(**options, num_classes=4)
    expected = network(Tensor(IMAGES)).asnumpy()
    logits = mixed_precision(network, "O1")(Tensor(IMAGES))
    cells = [cell for _, cell in network.cells_and_names() if not cell.name_cells()]
    assert {type(cell) for cell in cells if is_float16(cell)} == {nn.Conv2d, nn.Dense}
    assert not any(isinstance(cell, nn.Conv2d | nn.Dense) for cell in cells if not is_float16(cell))
    assert logits.dtype == ms.float16
    assert not np.array_equal(logits.asnumpy(), expected)
    np.testing.assert_allclose(logits.asnumpy(), expected, atol=0.05 * np.abs(expected).max())


def test_cells_of_a_list() -> None:
    o1 = mixed_precision(create_model("shufflenet_v2_x0_5"), "O1", ["Dense"])
    assert {type(cell) for _, cell in o1.cells_and_names() if is_float16(cell)} == {nn.Dense}
    o2 = mixed_precision(create_model("shufflenet_v2_x0_5"), "O2", ["nn.Dense", "nn.BatchNorm2d"])
    in_float32 = {type(cell) for _, cell in o2.cells_and_names() if cell.get_flags().get("fp32")}
    assert in_float32 == {nn.Dense, nn.BatchNorm2d}


def test_a_cell_that_mindspore_has_not() -> None:
    with pytest.raises(UserError, match=r"no cell Conv2D \(did you mean Conv2d\?\); give names such as"):
        mixed_precision(create_model("shufflenet_v2_x0_5"), "O1", ["Conv2D"])
    with pytest.raises(UserError, match="no cell probability"):
        cell_class("probability")
