"""BatchNorm over all ranks takes the place of each BatchNorm, wherever a network keeps it."""

from typing import Any

import pytest
from mindspore import nn

from mindcv_shufflenet.models.base import unfuse
from mindcv_shufflenet.models.batch_norm import moving_norms
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.parallel.sync_batch_norm import SyncBatchNorm, synchronise_batch_norm
from tests.small import MODEL, MODEL_V1


def cells_that_compute(part: Any) -> list[nn.Cell]:
    if isinstance(part, tuple):
        return [cell for inner in part for cell in cells_that_compute(inner)]
    return [cell for _, cell in part.cells_and_names()]


@pytest.mark.parametrize(
    "name", [MODEL, MODEL_V1, "mobilenet_v1_025", "mobilenet_v2_035_224", "shufflenet_v2_plus_small"]
)
def test_no_norm_stays_of_one_rank(name: str) -> None:
    network = unfuse(create_model(name))
    norms = [cell for _, cell in network.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    names = {parameter.name for parameter in network.get_parameters()}
    synchronise_batch_norm(network, moving_norms(network), "CPU", 2)
    cells = cells_that_compute((*network.stages, network.last, network.head))
    assert not any(isinstance(cell, nn.BatchNorm2d) for cell in cells)
    assert sum(isinstance(cell, SyncBatchNorm) for cell in cells) == len(norms)
    assert {parameter.name for parameter in network.get_parameters()} == names
