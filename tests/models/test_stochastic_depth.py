"""Stochastic depth: which branches are left out, by how much the others are scaled, and what has none."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import shufflenet_v2, shufflenet_v2_large
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.stochastic_depth import DrawPaths, ResidualBlock, add_branch, branch_rates
from mindcv_shufflenet.network import create_model
from tests.small import MODEL, MODEL_V1

pytestmark = pytest.mark.usefixtures("pynative")

MODELS = [
    (MODEL_V1, {}, 1, [2 / 3]),
    ("short_shufflenet_v2", {"residual": True}, 1, [1 / 3]),
    ("short_shufflenet_v2", {"residual": True, "layout": "torchvision", "se": True}, 1, [1 / 3]),
    ("short_shufflenet_v2_large", {}, 2, [1 / 5, 1]),
    ("mobilenet_v2_035_224", {"stem": "cifar"}, 10, [n / 16 for n in (2, 4, 5, 7, 8, 9, 11, 12, 14, 15)]),
]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variants with blocks of stride 1 in the first stage, and in the last."""
    v2 = shufflenet_v2.Variant((2, 1, 1), (16, 48, 96, 192, 128))
    large = shufflenet_v2_large.Variant((8, 8, 16), (2, 1, 1, 2), (16, 32, 64, 128), 32, groups=2)
    monkeypatch.setitem(shufflenet_v2.FAMILY.variants, "short_shufflenet_v2", v2)
    monkeypatch.setitem(shufflenet_v2_large.FAMILY.variants, "short_shufflenet_v2_large", large)


def network_of(model: str, options: dict[str, Any], rate: float = 0.5) -> Network:
    network = create_model(model, num_classes=5, drop_path_rate=rate, **options)
    assert isinstance(network, Network)
    return network


def residual_blocks(network: Network) -> list[ResidualBlock]:
    cells = [cell for chain in network.stages for cell in chain]
    return [cell for cell in cells if isinstance(cell, ResidualBlock) and cell.is_residual]


@pytest.mark.parametrize(("model", "options", "branches", "shares"), MODELS)
def test_a_branch_that_is_left_out_does_not_count(
    model: str, options: dict[str, Any], branches: int, shares: list[float]
) -> None:
    """Its weights may be anything, for that image alone; the others are as without a mask."""
    network = network_of(model, options)
    np.testing.assert_allclose(network.path_rates, 0.5 * np.array(shares))
    assert len(residual_blocks(network)) == branches
    names = [parameter.name for parameter in network.get_parameters()]
    assert names == [p.name for p in create_model(model, num_classes=5, **options).get_parameters()]
    network.set_train(False)
    image = Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32))
    mask = np.ones((2, branches), np.float32)
    np.testing.assert_array_equal(network(image, None, Tensor(mask)).asnumpy(), network(image).asnumpy())
    mask[0] = 0
    before = network(image, None, Tensor(mask)).asnumpy()
    for block in residual_blocks(network):
        for parameter in block.get_parameters():
            parameter.set_data(parameter + 0.1)
    after = network(image, None, Tensor(mask)).asnumpy()
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.allclose(after[1], before[1])


def test_a_branch_is_scaled_for_each_image() -> None:
    rng = np.random.default_rng(0)
    shortcut, branch = (rng.standard_normal((3, 2, 4, 4)).astype(np.float32) for _ in range(2))
    path = np.array([[0], [1.25], [2]], np.float32)
    total = add_branch(Tensor(shortcut), Tensor(branch), Tensor(path)).asnumpy()
    np.testing.assert_allclose(total, shortcut + branch * path[:, :, None, None], rtol=1e-6)
    half = Tensor(branch, ms.float16)
    assert add_branch(half, half, Tensor(path)).dtype == ms.float16


def test_the_rates_grow_linearly_over_the_blocks() -> None:
    network = create_model("shufflenet_v1_g3_10", drop_path_rate=0.3)
    np.testing.assert_allclose(network.path_rates, [0.3 * n / 15 for n in range(16) if n not in (0, 4, 12)])
    assert branch_rates([], 0.5) == ()


def test_a_loop_of_ones_own_draws_while_training() -> None:
    draws = DrawPaths([0.0, 0.5])
    x = Tensor(np.zeros((4000, 3), np.float32))
    draws.set_train(False)
    assert draws(x) == ()
    draws.set_train()
    first, second = (path.asnumpy() for path in draws(x))
    assert first.shape == (4000, 1)
    assert (first == 1).all()
    assert set(np.unique(second)) == {0, 2}
    assert abs(second.mean() - 1) < 0.1
    network = network_of(MODEL_V1, {}, 0.9)
    images = Tensor(np.random.default_rng(0).standard_normal((16, 3, 32, 32)).astype(np.float32))
    network.set_train()
    assert not np.array_equal(network(images).asnumpy(), network(images).asnumpy())
    maps = create_model(MODEL_V1, features_only=True, drop_path_rate=0.9).set_train()
    assert not np.array_equal(maps(images)[-1].asnumpy(), maps(images)[-1].asnumpy())
    network.set_drop_path_rate(0.0)
    assert np.array_equal(network(images).asnumpy(), network(images).asnumpy())


@pytest.mark.parametrize(
    ("model", "rate", "message"),
    [
        (MODEL, 0.1, f"{MODEL} has no residual branch to leave out; give it residual=True, or leave"),
        ("mobilenet_v1_025", 0.1, "mobilenet_v1_025 has no residual branch to leave out; leave drop_path_rate out"),
        (MODEL_V1, 1.0, "drop_path_rate=1.0: it must be at least 0 and below 1"),
    ],
)
def test_what_has_no_branch_says_so(model: str, rate: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_model(model, drop_path_rate=rate)
    assert create_model(MODEL, drop_path_rate=0.0).drop_path_rate == 0
