"""The road of evaluation: batches of a loader -> logits -> metrics, and whoever else wants the logits."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.data.loader import Loader
from mindcv_shufflenet.engines import Forward
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.parallel.group import current


class Scored(NamedTuple):
    """Some images and what a network says of them: ``logits [N, num_classes] float32``, ``label [N] int32``."""

    logits: np.ndarray
    label: np.ndarray


# Sees the images of each batch.
Observer = Callable[[Scored], None]


def scored_batches(forward: Forward, loader: Loader) -> Iterator[Scored]:
    """Yield the logits of a loader's images batch by batch, without those of its padding."""
    for batch in loader.batches():
        yield Scored(forward(batch.image)[batch.valid], batch.label[batch.valid])


def score(forward: Forward, loader: Loader, *observers: Observer) -> Metrics:
    """Run a network over a loader; where there are several ranks, each over its part of the images.

    Args:
        forward: maps images ``[N, C, H, W] float32`` to logits ``[N, num_classes] float32``.
        loader: pads and marks its last batch, so that all batches have one shape.
        observers: called after each batch with what this rank has computed: a confusion matrix, a progress bar.

    Returns:
        The metrics of the images of all ranks, on every rank.
    """
    metrics = Metrics()
    for scored in scored_batches(forward, loader):
        metrics.add(*scored)
        for observer in observers:
            observer(scored)
    return Metrics.of_all(current().gather(vars(metrics)))
