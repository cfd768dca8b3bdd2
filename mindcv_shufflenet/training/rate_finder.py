"""The learning-rate finder: a few steps at rates that rise, and the last rate before the loss rises.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3: that rate is
the highest one of a cycle.
"""

import math
import time
from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor
from sklearn.isotonic import IsotonicRegression

from mindcv_shufflenet import signals
from mindcv_shufflenet.data.loader import Batch, Loader
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.mode import compiled, mode_restored
from mindcv_shufflenet.training.job import build_job, find_start, open_images
from mindcv_shufflenet.training.kernels import find_kernels, products_in
from mindcv_shufflenet.training.masks import create_masks
from mindcv_shufflenet.training.step import create_step

# Steps, and the rates of the first and of the last one.
_STEPS, _LOWEST, _HIGHEST = 60, 1e-4, 1e-2
# The loss counts as risen when it has gone back so much of the way to chance level, log(classes).
_LOST = 0.2
# The first steps compile and fill the loader; they tell nothing of the speed.
_WARM = 3


class RateSearch(NamedTuple):
    """What the finder has found.

    Attributes:
        rate: the highest learning rate of a schedule that rises and falls.
        seconds_per_step: of a training step with its images, the median.
        seconds_to_start: from the call to the end of the first step: what a training takes before it is at work.
        steps_per_epoch: of the training.
    """

    rate: float
    seconds_per_step: float
    seconds_to_start: float
    steps_per_epoch: int


@mode_restored()
def find_rate(options: Mapping[str, Any]) -> RateSearch:
    """Train some steps at rising learning rates. Nothing is written, and the weights are thrown away.

    Args:
        options: of the training, by name, as :func:`~mindcv_shufflenet.train` takes them.

    Raises:
        UserError: an option is wrong, or data or weights are missing or do not fit.
        Interrupted: a signal has come that the caller holds.
    """
    begin = time.perf_counter()
    start = find_start(options)
    machine, _ = set_up(start.settled.config)
    images = open_images(start.settled.config, machine, start.held_out)
    machine, _ = find_kernels(start.settled.config, machine)
    job = build_job(start, machine, images)
    config, network = job.run.config, job.run.network
    rates = np.geomspace(_LOWEST, _HIGHEST, _STEPS)
    step = compiled(config, create_step(config, job.trained, rates))
    world = current().world
    masks = create_masks(network.drop_rate, network.num_features, network.path_rates, config.seed, world)
    vote = Tensor(0.0, ms.float32)
    losses: list[float] = []
    ends: list[float] = []
    with products_in(config.cpu_precision):
        for number, batch in enumerate(islice(_endless(images.loader), _STEPS)):
            drawn = [None if mask is None else Tensor(mask) for mask in masks.draw(len(batch.label), number)]
            loss, *_ = step(Tensor.from_numpy(batch.image), Tensor.from_numpy(batch.label), *drawn, vote, True)
            losses.append(float(loss.asnumpy()))
            ends.append(time.perf_counter())
            signals.check()
            if not math.isfinite(losses[-1]):
                break
    between = np.diff(ends).tolist()
    return RateSearch(
        choose_rate(rates, np.array(losses), math.log(network.get_classifier().out_channels)),
        float(np.median(between[_WARM:] if len(between) > _WARM else between or [0.0])),
        ends[0] - begin,
        len(images.loader),
    )


def choose_rate(rates: np.ndarray, losses: np.ndarray, guessing: float) -> float:
    """Return the last rate at which the loss has not risen.

    Batches have losses that differ by far more than the loss rises at first. So the rise is that of the line that never
    falls and is nearest to the losses (isotonic regression).

    Args:
        rates: rising, ``[N]``.
        losses: of the steps that were done, ``[N]`` or fewer, the last one perhaps not finite.
        guessing: the loss of a network that knows nothing.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return float(rates[0])
    line = IsotonicRegression().fit_transform(np.arange(len(finite)), finite)
    return float(rates[np.flatnonzero(line <= line[0] + _LOST * max(0, guessing - line[0]))[-1]])


def _endless(loader: Loader) -> Iterator[Batch]:
    """Yield the batches of epoch after epoch."""
    for epoch in count():
        yield from loader.batches(epoch)
