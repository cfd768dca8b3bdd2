"""Validation gives the same figures for every batch size, and leaves the network as it was."""

from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import Request, open_split
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.evaluation.evaluator import evaluate
from mindcv_shufflenet.models.registry import create_model
from mindcv_shufflenet.options.config import parse_config

pytestmark = pytest.mark.usefixtures("small")


def test_the_batch_size_changes_nothing() -> None:
    split = open_split("digits", Request(Path(), "val"))
    network = create_model("shufflenet_v2_x0_5", stem="cifar", num_classes=10)
    network.set_train(True)
    figures = []
    for batch_size in (7, 64, 360, 512):
        config = parse_config({"dataset": "digits", "image_resize": 16, "crop_pct": 1.0, "batch_size": batch_size})
        metrics = evaluate(network, network, eval_loader(config, split, workers=2))
        figures.append((metrics.images, metrics.correct1, metrics.correct5, pytest.approx(metrics.loss, rel=1e-6)))
    assert all(figure == figures[0] for figure in figures)
    assert figures[0][0] == 360
    assert network.training


def test_top_k_is_that_of_the_logits() -> None:
    split = open_split("digits", Request(Path(), "val"))
    network = create_model("shufflenet_v2_x0_5", stem="cifar", num_classes=10)
    config = parse_config({"dataset": "digits", "image_resize": 16, "crop_pct": 1.0, "batch_size": 100})
    seen: list[np.ndarray] = []

    def forward(images: object) -> object:
        seen.append(network(images))
        return seen[-1]

    metrics = evaluate(network, forward, eval_loader(config, split, workers=2))
    logits = np.concatenate([tensor.asnumpy() for tensor in seen])[: len(split)]
    assert metrics.top1 == pytest.approx(100 * (logits.argmax(axis=1) == split.labels).mean())
