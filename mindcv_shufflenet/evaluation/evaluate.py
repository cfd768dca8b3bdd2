"""``evaluate``: top-1, top-5 and loss of a network on a split of a data set."""

import logging
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data.classes import check_known_classes, check_recorded_classes
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.engines import Forward
from mindcv_shufflenet.engines.open import find_source
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.evaluation.evaluator import Scored, score
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.parallel.agreement import compare_ranks
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.runtime.mode import mode_restored

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """How good a network is on a split.

    Attributes:
        model: its name.
        dataset: the name of the data set.
        split: the name of the split.
        images: how many there are.
        top1: percent of the images whose label has the highest logit.
        top5: percent of the images whose label is among the five highest logits.
        loss: mean cross entropy in nats.
        images_per_second: without the first batch, which compiles.
    """

    model: str
    dataset: str
    split: str
    images: int
    top1: float
    top5: float
    loss: float
    images_per_second: float


@mode_restored()
def evaluate(
    options: Mapping[str, Any], *, given: Collection[str] | None = None, console: Console | None = None
) -> Evaluation:
    """Evaluate the weights that the options name on a data set's validation split.

    Args:
        options: options by name, as a recipe has them (docs/options.md).
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        console: shows the preprocessing and a progress bar; None: nothing is shown.

    Raises:
        UserError: an option is wrong, there are no weights, or data or weights do not fit.
        RunError: the network's outputs are not numbers.
        Interrupted: a signal has come.
    """
    source = find_source(options, with_data=True, kernels=True)
    settled, config = source.settled, source.settled.config
    if not source.is_trained and not config.random_weights:
        raise UserError(
            "there is nothing to validate: give --ckpt_path FILE or --pretrained (or --random_weights for an untrained"
            " network)"
        )
    machine, adapted = set_up(config)
    split = open_data(config, config.val_split, settled.classes, settled.held_out, config.num_samples)
    check_recorded_classes(settled.classes, split)
    config = config.replace(dataset=split.dataset or config.dataset)
    guessed = check_known_classes(config, split, source.num_classes, source.name)
    opened = source.open(split.num_classes)
    compare_ranks(config, split_checksum(split, config.data_dir), opened.checksum)
    unused = notes_on_options("validate", config, options if given is None else given, current().world.size)
    for note in (*opened.notes, *unused, *split.notes, *guessed, *adapted):
        _logger.info(note)
    if console:
        console.print(f"preprocessing: {settled.preprocessing}")
    metrics, speed = measure(config, split, opened.forward, machine, console)
    return Evaluation(
        config.model, config.dataset, config.val_split, metrics.images, metrics.top1, metrics.top5, metrics.loss, speed
    )


def measure(
    config: Config, split: Split, forward: Forward, machine: Machine, console: Console | None = None
) -> tuple[Metrics, float]:
    """Run a forward pass over a split with the preprocessing of the options, and return its metrics and the images/s.

    Raises:
        Interrupted: a signal has come.
        RunError: the outputs are not numbers.
    """
    group = current()
    loader = eval_loader(config, split, machine.workers, group.world.rank, group.world.size)
    times = [time.perf_counter()]
    bar = progress("validating", len(loader), console=console or Console(quiet=True))
    with group.signals_held() as check_signals, bar as advance:

        def on_batch(_: Scored) -> None:
            times.append(time.perf_counter())
            advance(1)
            check_signals()

        metrics = score(forward, loader, on_batch)
    if not math.isfinite(metrics.loss):
        raise RunError(f"the network's outputs are not numbers (loss {metrics.loss}); its weights are of no use")
    return metrics, images_per_second(metrics.images, loader.batch_size * loader.ranks, times)


def images_per_second(images: int, batch_size: int, times: list[float]) -> float:
    """Return images/s without the first batch, which compiles, unless it is the only one; 0 where there is none.

    Args:
        images: number of images of all batches.
        batch_size: number of images of the first batch.
        times: seconds at the start and at the end of each batch.
    """
    if len(times) > 2:
        images, times = images - batch_size, times[1:]
    return images / (times[-1] - times[0]) if len(times) > 1 else 0.0
