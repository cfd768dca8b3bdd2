"""Mixed precision: which cells compute in float16."""

import mindspore as ms
from mindspore import nn


def mixed_precision(network: nn.Cell, level: str) -> nn.Cell:
    """Return the network computing in MindSpore's mixed precision ``O0`` (float32) to ``O3`` (float16).

    A cell whose class sets ``keeps_float32`` computes in float32 at every level.
    """
    if level == "O0":
        return network
    network = ms.amp.auto_mixed_precision(network, level)
    for _, cell in network.cells_and_names():
        if getattr(cell, "keeps_float32", False):
            cell.to_float(ms.float32)
    return network
