"""A network beside its description."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from tests.families.reference import compute
from tests.weights.networks import arrays_of


def images(channels: int = 3, size: int = 32) -> np.ndarray:
    """Two images of noise, ``[2, channels, size, size] float32``."""
    return np.random.default_rng(0).normal(size=(2, channels, size, size)).astype(np.float32)


def check_description(network: nn.Cell, size: int = 32) -> None:
    """Assert that a network in inference computes what its description does in numpy."""
    x = images(network.plan.in_channels, size)
    expected = compute(network.plan.layers, arrays_of(network), x)
    assert expected.shape == (2, network.plan.num_classes)
    assert_close(network(Tensor(x)).asnumpy(), expected)


def check_modes(network: nn.Cell, size: int = 32) -> None:
    """Assert that a network computes the same whether it is compiled or not; PyNative mode stays set."""
    x = Tensor(images(network.plan.in_channels, size))
    ms.set_context(mode=ms.GRAPH_MODE)
    compiled = network(x).asnumpy()
    ms.set_context(mode=ms.PYNATIVE_MODE)
    assert_close(network(x).asnumpy(), compiled)


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    """Assert that float32 rounding makes the difference."""
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
