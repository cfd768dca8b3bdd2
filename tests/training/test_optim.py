"""Updates of the optimizers against their formulas in numpy."""

from collections.abc import Iterator
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.names import OPTIMIZERS as NAMES
from mindcv_shufflenet.training.optim import OPTIMIZERS, create_optimizer, is_decayed

RATES = np.array([0.1, 0.05, 0.2])
DECAY = 0.1


class Tiny(nn.Cell):
    """One decayed and one exempt parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(Tensor([[1.0, -2.0]], ms.float32), name="dense.weight")
        self.gamma = ms.Parameter(Tensor([3.0], ms.float32), name="norm.gamma")


def updated(**options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both parameters after three steps with gradients 0.5 and then 1.0 and 1.5."""
    network = Tiny()
    config = parse_config({"weight_decay": DECAY, "eps": 1e-8} | options)
    optimizer = create_optimizer(config, network, RATES)
    for scale in (1.0, 2.0, 3.0):
        optimizer(tuple(Tensor(np.full(p.shape, 0.5 * scale), ms.float32) for p in network.trainable_params()))
    return network.weight.asnumpy(), network.gamma.asnumpy()


def momentum(value: np.ndarray, decay: float, nesterov: bool) -> np.ndarray:
    velocity = np.zeros_like(value)
    for rate, scale in zip(RATES, (1.0, 2.0, 3.0), strict=True):
        gradient = 0.5 * scale + decay * value
        velocity = 0.9 * velocity + gradient
        value = value - rate * (gradient + 0.9 * velocity if nesterov else velocity)
    return value


def adam(value: np.ndarray, l2: float, decoupled: float) -> np.ndarray:
    first, second = np.zeros_like(value), np.zeros_like(value)
    for step, (rate, scale) in enumerate(zip(RATES, (1.0, 2.0, 3.0), strict=True), start=1):
        value = value * (1 - rate * decoupled)
        gradient = 0.5 * scale + l2 * value
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        value = value - corrected * first / (np.sqrt(second) + 1e-8)
    return value


@pytest.fixture(params=[ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "pynative"], autouse=True)
def mode(request: pytest.FixtureRequest) -> Iterator[None]:
    ms.set_context(mode=request.param)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


WEIGHT, GAMMA = np.array([[1.0, -2.0]]), np.array([3.0])


@pytest.mark.parametrize("opt", ["momentum", "sgd"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_with_decay_on_weights_alone(opt: str, nesterov: bool) -> None:
    weight, gamma = updated(opt=opt, use_nesterov=nesterov)
    np.testing.assert_allclose(weight, momentum(WEIGHT, DECAY, nesterov), rtol=1e-5)
    np.testing.assert_allclose(gamma, momentum(GAMMA, 0.0, nesterov), rtol=1e-5)


def test_no_filter_decays_everything() -> None:
    _, gamma = updated(weight_decay_filter="disable")
    np.testing.assert_allclose(gamma, momentum(GAMMA, DECAY, False), rtol=1e-5)


def test_adam_adds_the_decay_to_the_gradient() -> None:
    weight, gamma = updated(opt="adam")
    np.testing.assert_allclose(weight, adam(WEIGHT, DECAY, 0.0), rtol=1e-4)
    np.testing.assert_allclose(gamma, adam(GAMMA, 0.0, 0.0), rtol=1e-4)


def test_adamw_decays_beside_the_gradient() -> None:
    weight, gamma = updated(opt="adamw")
    np.testing.assert_allclose(weight, adam(WEIGHT, 0.0, DECAY), rtol=1e-4)
    np.testing.assert_allclose(gamma, adam(GAMMA, 0.0, 0.0), rtol=1e-4)


@pytest.mark.parametrize(
    ("weight_decay_filter", "exempt"),
    [("disable", set()), ("auto", {"gamma", "beta"}), ("norm_and_bias", {"gamma", "beta", "bias"})],
)
def test_filters_name_what_they_exempt(weight_decay_filter: str, exempt: set[str]) -> None:
    network = create_model("shufflenet_v2_x0_5", layout="torchvision")
    left_alone = [p.name for p in network.trainable_params() if not is_decayed(p, weight_decay_filter)]
    assert {name.rsplit(".", 1)[-1] for name in left_alone} == exempt
    assert len(left_alone) == len([p for p in network.trainable_params() if p.name.rsplit(".", 1)[-1] in exempt])


def test_each_name_has_its_optimizer() -> None:
    assert set(OPTIMIZERS) == set(NAMES)
