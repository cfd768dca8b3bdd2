"""Metrics against sorting, whatever the batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mindcv_shufflenet.evaluation.metrics import Metrics

RNG = np.random.default_rng(0)


@given(images=st.integers(1, 40), classes=st.integers(1, 12), batch=st.integers(1, 50), levels=st.integers(1, 6))
def test_metrics_equal_a_stable_sort_for_every_batch_size(images: int, classes: int, batch: int, levels: int) -> None:
    """Few levels make ties."""
    logits = RNG.integers(levels, size=(images, classes)).astype(np.float32)
    label = RNG.integers(classes, size=images)
    metrics = Metrics()
    for start in range(0, images, batch):
        metrics.add(logits[start : start + batch], label[start : start + batch])
    ranks = np.argsort(-logits, axis=1, kind="stable")
    assert metrics.images == images
    assert metrics.top1 == pytest.approx(100 * (ranks[:, 0] == label).mean())
    assert metrics.top5 == pytest.approx(100 * (ranks[:, :5] == label[:, None]).any(axis=1).mean())
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert metrics.loss == pytest.approx(-np.log(probability[np.arange(images), label]).mean(), rel=1e-6, abs=1e-9)


def test_a_network_that_gives_nan_is_never_right() -> None:
    metrics = Metrics()
    metrics.add(np.full((4, 3), np.nan), np.array([0, 1, 2, 0]))
    assert metrics.top5 == 0


def test_large_logits_do_not_overflow() -> None:
    metrics = Metrics()
    metrics.add(np.array([[1e30, 0.0]], np.float32), np.array([0]))
    assert metrics.loss == 0
