"""Which operators compute what is opened on MindSpore."""

import pytest
from mindspore import nn

from mindcv_shufflenet.engines.open import find_source
from mindcv_shufflenet.kernels.library import library
from tests.kernels.called import uses_kernels
from tests.small import MODEL


@pytest.mark.skipif(library() is None, reason="there are no kernels on this machine")
@pytest.mark.parametrize(("level", "kernels", "used"), [("O0", False, False), ("O0", True, True), ("O1", True, False)])
def test_kernels_compute_float32_where_they_are_asked_for(level: str, kernels: bool, used: bool) -> None:
    options = {"model": MODEL, "stem": "cifar", "random_weights": True, "val_amp_level": level}
    network = find_source(options, kernels=kernels).open(10).network
    assert isinstance(network, nn.Cell)
    assert uses_kernels(network) == used
