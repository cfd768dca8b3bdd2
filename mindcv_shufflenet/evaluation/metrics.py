"""Accuracy and loss, counted image by image."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import binomtest


@dataclass
class Metrics:
    """Sums over images; the properties are what people read."""

    images: int = 0
    correct1: int = 0
    correct5: int = 0
    losses: list[float] = field(default_factory=list)

    @property
    def top1(self) -> float:
        """Share of images whose label has the highest logit, in percent."""
        return 100 * self.correct1 / self.images

    @property
    def top5(self) -> float:
        """Share of images whose label is among the five highest logits, in percent."""
        return 100 * self.correct5 / self.images

    @property
    def loss(self) -> float:
        """Mean cross entropy in nats, without label smoothing; the order of the images does not change a bit of it."""
        return math.fsum(self.losses) / self.images

    def add(self, logits: np.ndarray, label: np.ndarray) -> None:
        """Count some images.

        Among equal logits the lower class comes first, as argmax has it. NaN is never correct.

        Args:
            logits: ``[N, num_classes]``.
            label: ``[N] int32``.
        """
        logits = logits.astype(np.float64)
        own = logits[np.arange(len(label)), label]
        tied_before = (logits == own[:, None]) & (np.arange(logits.shape[1]) < label[:, None])
        rivals = ((logits > own[:, None]) | tied_before | np.isnan(logits)).sum(axis=1)
        rivals[np.isnan(own)] = logits.shape[1] + 5
        self.images += len(label)
        self.correct1 += int((rivals < 1).sum())
        self.correct5 += int((rivals < 5).sum())
        highest = logits.max(axis=1)
        self.losses += (highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)) - own).tolist()

    @classmethod
    def of_all(cls, parts: Iterable[dict[str, Any]]) -> "Metrics":
        """Return the metrics of all images, of the fields (``vars``) of metrics that share them out."""
        whole = cls()
        for part in (cls(**fields) for fields in parts):
            whole.images += part.images
            whole.correct1 += part.correct1
            whole.correct5 += part.correct5
            whole.losses += part.losses
        return whole


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """Return the bounds of the 95 % confidence interval of an accuracy, in percent (Wilson 1927)."""
    found = binomtest(right, images).proportion_ci(0.95, method="wilson")
    return 100 * found.low, 100 * found.high
