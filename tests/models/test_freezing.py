"""Frozen parts: which parameters they are, and that a step leaves them and their statistics alone."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.batch_norm import batch_norms, moving_norms, moving_statistics
from mindcv_shufflenet.models.freezing import freeze
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.parallel.collectives import OneRank
from mindcv_shufflenet.parallel.sync_batch_norm import SyncBatchNorm, synchronise_batch_norm
from mindcv_shufflenet.training.losses.cross_entropy import CrossEntropy
from mindcv_shufflenet.training.step import TrainStep
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import random_network

pytestmark = pytest.mark.usefixtures("pynative")


def frozen(model: str, *parts: str) -> Network:
    network = random_network(model, num_classes=4)
    assert isinstance(network, Network)
    freeze(network, parts)
    return network


def values(network: nn.Cell) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


@pytest.mark.parametrize(
    ("model", "parts", "moved"),
    [
        (MODEL, ["backbone"], ["classifier."]),
        ("mobilenet_v2_035_224", ["backbone"], ["classifier."]),
        (MODEL_V1, ["backbone"], ["classifier."]),
        (MODEL, ["first_conv", "stage2", "features.1.branch_*"], ["features.2.", "conv_last.", "classifier."]),
        (MODEL, ["stage3"], ["first_conv.", "features.0.", "features.2.", "conv_last.", "classifier."]),
    ],
)
def test_a_step_moves_all_but_the_frozen_parts(model: str, parts: list[str], moved: list[str]) -> None:
    """Weights and statistics, bit for bit, with weight decay; behind a frozen part gradients go on."""
    network = frozen(model, *parts)
    before = values(network)
    optimizer = nn.SGD(network.trainable_params(), 0.1, weight_decay=0.1)
    step = TrainStep(network, CrossEntropy(), optimizer, OneRank())
    image = Tensor(np.random.default_rng(0).standard_normal((4, 3, 64, 64)).astype(np.float32))
    step(image, Tensor([0, 1, 1, 2], ms.int32), None, None, Tensor(0.0, ms.float32))
    after = values(network)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    trained = {name for name in before if name.startswith(tuple(moved))}
    assert changed <= trained
    assert {name for name in trained if not name.endswith(("gamma", "beta"))} <= changed  # a shift may cancel out
    statistics = {parameter.name for parameter in moving_statistics(network)}
    assert statistics == {name for name in trained if "moving" in name}


def test_frozen_statistics_are_not_those_of_all_ranks() -> None:
    network = frozen(MODEL, "first_conv", "stage2")
    synchronise_batch_norm(network, moving_norms(network), "CPU", 2)
    norms = batch_norms(network)
    assert {isinstance(norm, SyncBatchNorm) for norm in norms} == {True, False}
    assert all(isinstance(norm, SyncBatchNorm) == norm.gamma.requires_grad for norm in norms)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["backbon"], rf"freeze=backbon: {MODEL} has no such part \(did you mean backbone\?\); it has backbone, stem,"),
        (["first_conv", "layer9.*"], "has no such part; it has backbone, stem, stage2, stage3, stage4, and parameters"),
        (["*.moving_mean"], r"freeze=\*.moving_mean: .* has no such part"),
        (["*"], r"freeze=\* leaves nothing to train: name fewer parts, or backbone"),
        (["backbone", "classifier"], "freeze=backbone classifier leaves nothing to train"),
    ],
)
def test_what_cannot_be_frozen_is_told(parts: list[str], message: str) -> None:
    network = create_model(MODEL)
    count = len(network.trainable_params())
    with pytest.raises(UserError, match=message):
        freeze(network, parts)
    assert len(network.trainable_params()) == count
