"""Networks whose cells the kernels compute, beside the same networks computed by MindSpore's own operators."""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.kernels import cells
from mindcv_shufflenet.kernels.library import library
from mindcv_shufflenet.models.base import unfuse
from mindcv_shufflenet.models.batch_norm import freeze_statistics, moving_norms, moving_statistics
from mindcv_shufflenet.models.fusion import fuse, in_precision
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.parallel.sync_batch_norm import synchronise_batch_norm
from tests.families.comparison import images
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import random_network

pytestmark = pytest.mark.skipif(library() is None, reason="there are no kernels on this machine")

NETWORKS: tuple[dict[str, Any], ...] = (
    {"name": "shufflenet_v2_x0_5", "stem": "cifar"},
    {"name": "shufflenet_v2_x0_5", "layout": "torchvision", "pool": "pad", "activation": "leaky_relu"},
    {"name": MODEL, "se": True, "residual": True},
    {"name": MODEL_V1},
    {"name": "shufflenet_v2_plus_small", "drop_rate": 0.0},
    {"name": "mobilenet_v1_025"},
    {"name": "mobilenet_v2_035_224", "drop_rate": 0.0},
)


def kernels_of(network: nn.Cell) -> Counter[str]:
    """Return how often a network is computed by each kernel."""

    def fused(value: object) -> Iterator[cells.Fused]:
        if isinstance(value, cells.Fused):
            yield value
        elif isinstance(value, tuple | list):
            for part in value:
                yield from fused(part)

    owners = [cell for _, cell in network.cells_and_names()]
    names = ("computed_stages", "computed_last", "computed", "cell_list")
    found = [part for owner in owners for name in names for part in fused(getattr(owner, name, ()))]
    return Counter(type(part).__name__ for part in found)


def losses(network: nn.Cell, steps: int) -> list[float]:
    """Train on one batch and return the loss of each step; rounding errors grow from step to step."""
    optimizer = nn.Momentum(network.trainable_params(), 0.001, 0.9)
    x = Tensor(np.random.default_rng(0).standard_normal((8, 3, 64, 64)).astype(np.float32))
    loss, y = nn.CrossEntropyLoss(), Tensor(np.arange(8, dtype=np.int32) % 5)
    gradients = ms.value_and_grad(lambda x: loss(network(x), y), None, optimizer.parameters)
    found = []
    network.set_train(True)
    for _ in range(steps):
        value, gradient = gradients(x)
        optimizer(gradient)
        found.append(float(value))
    network.set_train(False)
    return found


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("options", NETWORKS, ids=lambda options: " ".join(map(str, options.values())))
def test_kernels_compute_what_the_cells_do(options: dict[str, Any]) -> None:
    network = random_network(**options, num_classes=5)
    stock = unfuse(copy.deepcopy(network))
    assert (bool(kernels_of(network)), bool(kernels_of(stock))) == (True, False)
    assert [p.name for p in network.get_parameters()] == [p.name for p in stock.get_parameters()]
    expected = stock(Tensor(images())).asnumpy()
    np.testing.assert_allclose(
        network(Tensor(images())).asnumpy(), expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )
    assert losses(network, 2) == pytest.approx(losses(stock, 2), rel=2e-3)
    for found, parameter in zip(moving_statistics(network), moving_statistics(stock), strict=True):
        expected = parameter.asnumpy()
        np.testing.assert_allclose(found.asnumpy(), expected, rtol=0, atol=5e-3 * np.abs(expected).max())


def test_which_kernels_compute_a_network() -> None:
    network = fuse(build("shufflenet_v2_x1_0"))
    found = kernels_of(network)
    assert (found["ShuffleBlock"], found["NormMaxPool"], found["NormDepthwiseNorm"] >= 3) == (13, 1, True)
    assert not kernels_of(unfuse(network))
    assert kernels_of(fuse(network)) == found


def test_cells_that_a_kernel_would_compute_otherwise_are_left_to_themselves() -> None:
    network = build("shufflenet_v2_x0_5", stem="cifar")
    whole = kernels_of(fuse(network))["ShuffleBlock"]
    network.features[1].branch_main[7] = nn.LeakyReLU(0.1)  # its kernel has one activation for both
    network.features[2].branch_main[0] = nn.Conv2d(24, 24, 1, group=2)
    assert kernels_of(fuse(network))["ShuffleBlock"] == whole - 2
    padded = nn.SequentialCell(nn.Conv2d(2, 2, 1, pad_mode="pad", padding=1), nn.Conv2d(2, 2, 1))
    assert [type(cell).__name__ for cell in fuse(padded).cell_list] == ["Conv2d", "Pointwise"]


def test_a_norm_over_ranks_or_of_another_kind_is_left_to_its_cell(pynative: None) -> None:
    """A kernel would normalise by the statistics of this rank alone."""
    network = unfuse(build("shufflenet_v2_x0_5", stem="cifar"))
    synchronise_batch_norm(network, moving_norms(network), "CPU", 2)
    assert {*kernels_of(fuse(network))} == {"FirstConvolution", "Pointwise"}


def test_other_precisions_are_computed_by_the_cells() -> None:
    assert not kernels_of(in_precision(build(MODEL), "O1"))
    assert kernels_of(in_precision(build(MODEL), "O0"))


def test_frozen_statistics_stay(pynative: None) -> None:
    network = random_network(MODEL, num_classes=5)
    for norm in (frozen := moving_norms(network)[:7]):
        freeze_statistics(norm)
    before = [parameter.asnumpy().copy() for norm in frozen for parameter in (norm.moving_mean, norm.moving_variance)]
    moving = moving_norms(network)[0].moving_mean.asnumpy().copy()
    losses(network, 1)
    after = [parameter.asnumpy() for norm in frozen for parameter in (norm.moving_mean, norm.moving_variance)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert not np.array_equal(moving_norms(network)[0].moving_mean.asnumpy(), moving)
