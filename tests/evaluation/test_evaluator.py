"""Validation gives the same figures for every batch size, and leaves the network as it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import Request, open_split
from mindcv_shufflenet.data.loader import Batch, eval_loader
from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.evaluation.evaluator import Scored, score, scored_batches
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from tests.small import MODEL


def test_the_batch_size_changes_nothing() -> None:
    split = open_split("digits", Request(Path(), "val"))
    network = create_model(MODEL, stem="cifar", num_classes=10)
    network.set_train(True)
    figures = []
    for batch_size in (7, 64, 360, 512):
        config = parse_config({"dataset": "digits", "image_resize": 16, "crop_pct": 1.0, "batch_size": batch_size})
        metrics = score(MindSporeEngine(network, config), eval_loader(config, split, workers=2))
        figures.append((metrics.images, metrics.correct1, metrics.correct5, pytest.approx(metrics.loss, rel=1e-6)))
    assert all(figure == figures[0] for figure in figures)
    assert figures[0][0] == 360
    assert network.training


class Padded:
    """Batches of three images of two classes, the last of one image and padding that no network would score well."""

    def __init__(self, logits: np.ndarray, label: np.ndarray) -> None:
        self.logits, self.label = logits, label

    def batches(self) -> Iterator[Batch]:
        for start in range(0, len(self.label), 3):
            part, own = self.logits[start : start + 3], self.label[start : start + 3]
            padding = 3 - len(own)
            padded = np.pad(part, [(0, padding), (0, 0)], constant_values=99)
            yield Batch(padded, np.pad(own, (0, padding)), np.arange(3) < len(own))


LOGITS = np.array([[2, 1], [0, 1], [1, 0], [0, 3], [5, 4], [1, 2], [9, 0]], np.float32)
LABEL = np.array([0, 1, 1, 1, 0, 0, 0], np.int32)


def test_padding_is_left_out_and_observers_see_every_image() -> None:
    """The images are their own logits."""
    loader: Any = Padded(LOGITS, LABEL)
    seen: list[Scored] = []
    counts: list[int] = []
    metrics = score(lambda images: images, loader, seen.append, lambda scored: counts.append(len(scored.label)))
    np.testing.assert_array_equal(np.concatenate([scored.logits for scored in seen]), LOGITS)
    np.testing.assert_array_equal(np.concatenate([scored.label for scored in seen]), LABEL)
    assert counts == [3, 3, 1]
    assert (metrics.images, metrics.correct1, metrics.correct5) == (7, 5, 7)
    assert [scored.label.tolist() for scored in scored_batches(lambda images: images, loader)] == [
        scored.label.tolist() for scored in seen
    ]
