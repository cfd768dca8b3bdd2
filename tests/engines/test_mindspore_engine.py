"""A network as a function from images to logits."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.options.config import parse_config

IMAGES = np.random.default_rng(0).standard_normal((4, 3, 2, 2)).astype(np.float32)


class Network(nn.Cell):
    """BatchNorm and a mean, whose outputs in training and in inference differ; float16 if wanted."""

    def __init__(self, dtype: Any = ms.float32) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.dtype = dtype

    def construct(self, x: Tensor) -> Tensor:
        return self.norm(x).mean((2, 3)).astype(self.dtype)


@pytest.mark.parametrize("options", [{"mode": 0}, {"mode": 1}, {"mode": 1, "jit": False}])
@pytest.mark.parametrize("is_training", [True, False])
def test_inference_whatever_the_network_did_before(options: dict[str, Any], is_training: bool) -> None:
    ms.set_context(mode=ms.PYNATIVE_MODE if options["mode"] else ms.GRAPH_MODE)
    network = Network().set_train(is_training)
    logits = MindSporeEngine(network, parse_config(options))(IMAGES)
    np.testing.assert_allclose(logits, IMAGES.mean((2, 3)) / np.sqrt(1 + 1e-5), rtol=1e-4, atol=1e-6)
    assert network.training == is_training


def test_logits_are_float32_in_every_precision() -> None:
    logits = MindSporeEngine(Network(ms.float16).set_train(False), parse_config({}))(IMAGES)
    assert logits.dtype == np.float32


def test_a_failure_leaves_the_network_as_it_was() -> None:
    network = Network().set_train(True)
    with pytest.raises((ValueError, RuntimeError)):
        MindSporeEngine(network, parse_config({}))(IMAGES[0])
    assert network.training
