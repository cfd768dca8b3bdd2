"""Parameters and multiply-adds of any network, counted while it computes; ``families/costs.py`` reads a description."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import checked_keywords
from mindcv_shufflenet.families.costs import Complexity
from mindcv_shufflenet.models.fusion import unfused


@checked_keywords
def count(network: nn.Cell, image_size: int = 224, in_channels: int = 3) -> Complexity:
    """Count what one image ``[1, in_channels, image_size, image_size]`` costs.

    Counted as :func:`mindcv_shufflenet.families.costs.layer_costs` does, on every convolution and dense layer that is
    called, of other programs too.
    """
    macs = 0

    def add(cell: nn.Cell, _: Any, output: Tensor) -> None:
        nonlocal macs
        macs += int(np.prod(output.shape)) * int(np.prod(cell.weight.shape[1:]))

    with unfused(network):  # a kernel calls none of the cells that it stands for
        layers = [cell for _, cell in network.cells_and_names() if isinstance(cell, nn.Conv2d | nn.Dense)]
        hooks = [layer.register_forward_hook(add) for layer in layers]
        training = network.training
        network.set_train(False)
        try:
            with _pynative():
                network(Tensor(np.zeros((1, in_channels, image_size, image_size), np.float32)))
        finally:
            network.set_train(training)
            for hook in hooks:
                hook.remove()
    return Complexity(sum(p.size for p in network.trainable_params()), macs)


@contextmanager
def _pynative() -> Iterator[None]:
    """Run eagerly for a while: hooks see no calls inside a graph."""
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=mode)
