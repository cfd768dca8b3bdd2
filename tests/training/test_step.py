"""The training step: its loss and its update against numpy, in every mode."""

from collections.abc import Iterator
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.models.batch_norm import freeze_statistics, moving_norms, moving_statistics
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.parallel.collectives import AllRanks, OneRank
from mindcv_shufflenet.parallel.sync_batch_norm import SyncBatchNorm, synchronise_batch_norm
from mindcv_shufflenet.runtime.mode import compiled
from mindcv_shufflenet.runtime.precision import mixed_precision
from mindcv_shufflenet.training.accumulation import Accumulator
from mindcv_shufflenet.training.ema import MovingAverage
from mindcv_shufflenet.training.loss_scale import create_loss_scale
from mindcv_shufflenet.training.losses.cross_entropy import CrossEntropy
from mindcv_shufflenet.training.step import TrainStep

IMAGES, CLASSES, FEATURES = 6, 4, 5
RNG = np.random.default_rng(0)
X = RNG.standard_normal((IMAGES, FEATURES)).astype(np.float32)
LABEL = np.array([0, 1, 2, 3, 0, 1], np.int32)
VOTE = Tensor(1.0, ms.float32)
WEIGHT = RNG.standard_normal((CLASSES, FEATURES)).astype(np.float32)


class Linear(nn.Cell):
    """A dense layer with a mask on its input."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Dense(FEATURES, CLASSES, weight_init=Tensor(WEIGHT), has_bias=False)

    def construct(self, x: Tensor, mask: Tensor | None = None, path_mask: Tensor | None = None) -> Tensor:
        x = x if path_mask is None else x + path_mask
        return self.dense(x if mask is None else x * mask)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def by_hand(x: np.ndarray, target: np.ndarray, smoothing: float, limit: float | None) -> tuple[float, np.ndarray, int]:
    """Loss, weight after one plain gradient step with rate 0.1, and hits."""
    label = target.argmax(axis=1)
    target = target * (1 - smoothing) + smoothing / CLASSES
    probability = softmax(x @ WEIGHT.T)
    gradient = (probability - target).T @ x / IMAGES
    if limit is not None:
        gradient *= min(1, limit / np.linalg.norm(gradient))
    loss = -(target * np.log(probability)).sum(axis=1).mean()
    return loss, WEIGHT - 0.1 * gradient, int((probability.argmax(axis=1) == label).sum())


def numbers(outputs: tuple[Tensor, ...]) -> list[float]:
    return [float(output.asnumpy()) for output in outputs]


@pytest.fixture(params=[{"mode": 0}, {"mode": 1}, {"mode": 1, "jit": False}], ids=["graph", "jit", "eager"])
def execution(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    ms.set_context(mode=ms.GRAPH_MODE if request.param["mode"] == 0 else ms.PYNATIVE_MODE)
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize(
    ("smoothing", "scale", "limit", "masked", "mixed"),
    [
        (0.0, 1.0, None, False, False),
        (0.1, 1024.0, None, True, False),
        (0.1, 1.0, 0.05, False, True),
        (0.0, 8.0, 100.0, True, True),
    ],
)
def test_step(
    execution: dict[str, Any], smoothing: float, scale: float, limit: float | None, masked: bool, mixed: bool
) -> None:
    network = Linear()
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    loss_scale = create_loss_scale(parse_config({"loss_scale": scale}))
    cell = TrainStep(network, CrossEntropy(smoothing), optimizer, OneRank(), loss_scale, limit)
    step = compiled(parse_config(execution), cell)
    mask = (RNG.random(X.shape) < 0.5).astype(np.float32) * 2 if masked else None
    target = np.eye(CLASSES, dtype=np.float32)[LABEL]
    if mixed:
        target = np.float32(0.7) * target + np.float32(0.3) * np.roll(target, 3, axis=0)
    label = Tensor(target if mixed else LABEL)
    outputs = step(Tensor(X), label, *(None if mask is None else Tensor(mask) for _ in range(2)), VOTE)
    loss, correct, stop, skipped = numbers(outputs)
    expected_loss, expected_weight, hits = by_hand(X if mask is None else (X + mask) * mask, target, smoothing, limit)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    np.testing.assert_allclose(network.dense.weight.asnumpy(), expected_weight, rtol=1e-4, atol=1e-6)
    assert (correct, stop, skipped) == (hits, 1, 0)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accumulated_batches_are_one_large_batch(execution: dict[str, Any], reduction: str) -> None:
    """Two batches of unlike size give the update of one batch of all their images; the second group begins at zero."""
    weights = []
    for parts in ([slice(0, 4), slice(4, 6)], [slice(0, 6)]):
        network = Linear()
        optimizer = nn.Momentum(network.trainable_params(), [0.1, 0.01], 0.9)
        accumulator = Accumulator(optimizer.parameters, reduction)
        cell = TrainStep(
            network, CrossEntropy(0.0, reduction), optimizer, OneRank(), None, 0.5, accumulator=accumulator
        )
        step = compiled(parse_config(execution), cell)
        for _ in range(2):
            for part in parts:
                step(Tensor(X[part]), Tensor(LABEL[part]), None, None, VOTE, part is parts[-1])
        weights.append(network.dense.weight.asnumpy())
        assert optimizer.global_step.asnumpy() == 2
    assert np.abs(weights[0] - WEIGHT).max() > 1e-3
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5, atol=1e-6)


def test_average_follows_the_updates(execution: dict[str, Any]) -> None:
    network, average = Linear(), Linear()
    average.dense.weight.set_data(Tensor(np.zeros_like(WEIGHT)))  # forgotten: the average begins at the weights
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    mean = MovingAverage(network, average, 0.9)
    cell = TrainStep(network, CrossEntropy(), optimizer, OneRank(), average=mean)
    step = compiled(parse_config(execution), cell)
    expected = WEIGHT.astype(np.float64)
    for update in range(1, 4):
        step(Tensor(X), Tensor(LABEL), None, None, VOTE)
        decay = 0.9 * (1 - np.exp(-update / 2000))
        expected = decay * expected + (1 - decay) * network.dense.weight.asnumpy()
    np.testing.assert_allclose(average.dense.weight.asnumpy(), expected, rtol=1e-5)
    assert [*mean.arrays()] == ["dense.weight"]
    assert np.array_equal(mean.arrays()["dense.weight"], average.dense.weight.asnumpy())


@pytest.mark.parametrize(
    ("options", "scales"),
    [
        ({"loss_scale_type": "dynamic", "loss_scale": 8.0}, [8.0, 4.0, 4.0]),
        ({"loss_scale": 8.0, "drop_overflow_update": True}, None),
    ],
    ids=["dynamic", "fixed"],
)
def test_an_overflow_changes_nothing_but_the_scale(
    execution: dict[str, Any], options: dict[str, Any], scales: list[float] | None
) -> None:
    network, average = Linear(), Linear()
    optimizer = nn.Momentum(network.trainable_params(), [0.1, 0.2, 0.3], 0.9)
    loss_scale = create_loss_scale(parse_config(options))
    cell = TrainStep(
        network, CrossEntropy(), optimizer, OneRank(), loss_scale, 1.0, average=MovingAverage(network, average, 0.5)
    )
    step = compiled(parse_config(execution), cell)
    before: list[dict[str, np.ndarray]] = []
    skipped: list[float] = []
    seen: list[float] = []
    for x in (X, X * 1e38, X):
        before.append({parameter.name: parameter.asnumpy().copy() for parameter in cell.get_parameters()})
        skipped.append(numbers(step(Tensor(x), Tensor(LABEL), None, None, VOTE))[3])
        if scales:
            seen.append(float(cell.scale_value.asnumpy()))
    assert skipped == [0, 1, 0]
    assert seen == (scales or [])
    kept = [name for name in before[1] if np.array_equal(before[1][name], before[2][name])]
    changed = {*before[1]} - {*kept}
    assert changed == {"global_step"} | ({"scale_value", "counter"} if scales else set())
    assert np.isfinite(network.dense.weight.asnumpy()).all()
    assert not np.array_equal(network.dense.weight.asnumpy(), before[2]["dense.weight"])


class Normed(nn.Cell):
    """A dense layer behind a BatchNorm, whose moving statistics a step moves."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(FEATURES)
        self.dense = nn.Dense(FEATURES, CLASSES, weight_init=Tensor(WEIGHT), has_bias=False)

    def construct(self, x: Tensor, mask: Tensor | None = None, path_mask: Tensor | None = None) -> Tensor:
        return self.dense(self.norm(x))


class Doubled(nn.Cell):
    """An all-reduce with a rank that has computed the same."""

    def construct(self, x: Tensor) -> Tensor:
        return 2 * x


@pytest.mark.parametrize("frozen", [False, True])
def test_ranks_with_the_same_images_train_as_one(frozen: bool) -> None:
    ms.set_context(mode=ms.PYNATIVE_MODE)
    weights, figures = [], []
    loss_scale = create_loss_scale(parse_config({"loss_scale": 8.0}))
    for ranks in (1, 2):
        network = Normed()
        if frozen:
            network.norm.gamma.requires_grad = network.norm.beta.requires_grad = False
            freeze_statistics(network.norm)
        optimizer = nn.SGD(network.trainable_params(), 0.1)
        reduce: nn.Cell = OneRank()
        if ranks == 2:
            reduce = AllRanks(optimizer.parameters, moving_statistics(network), 2, nn.Identity(), Doubled())
        step = TrainStep(network, CrossEntropy(), optimizer, reduce, loss_scale, 1.0)
        figures.append(numbers(step(Tensor(X), Tensor(LABEL), None, None, VOTE)))
        weights.append([parameter.asnumpy() for parameter in network.get_parameters()])
    assert figures[1] == pytest.approx([figures[0][0], 2 * figures[0][1], *figures[0][2:]], rel=1e-6)
    assert len(weights[0]) == 5
    assert np.array_equal(weights[0][0], np.zeros(FEATURES)) == frozen
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-6)


@pytest.mark.parametrize("level", ["O2", "O3"])
def test_synchronised_statistics_stay_float32(level: str) -> None:
    """In float16 they would be rounded at every step, and not move."""
    network = create_model("shufflenet_v2_x0_5", stem="cifar")
    synchronise_batch_norm(network, moving_norms(network), "CPU", 2)
    cells = [cell for _, cell in mixed_precision(network, level).cells_and_names()]
    norms = [cell.get_flags() for cell in cells if isinstance(cell, SyncBatchNorm)]
    assert len(norms) == 56
    assert all(flags["fp32"] and not flags["fp16"] for flags in norms)
    assert all(cell.get_flags()["fp16"] for cell in cells if isinstance(cell, nn.Conv2d))
