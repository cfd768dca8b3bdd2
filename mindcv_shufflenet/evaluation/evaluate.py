"""``evaluate``: top-1, top-5 and loss of a network on a split of a data set."""

import logging
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data.classes import check_known_classes, check_recorded_classes
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.evaluation.evaluator import Scored, score
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.parallel.agreement import checksum, compare_ranks
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.runtime.precision import mixed_precision
from mindcv_shufflenet.weights.provenance import settle

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
        options: by name, as a recipe has them (docs/options.md).
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        console: shows the preprocessing and a progress bar; None: nothing is shown.

    Raises:
        UserError: an option is wrong, there are no weights, or data or weights do not fit.
        RunError: the network's outputs are not numbers.
        Interrupted: a signal has come.
    """
    settled = settle(options, with_data=True)
    config, weights = settled.config, settled.weights
    if weights is None and not config.random_weights:
        raise UserError(
            "there is nothing to validate: give --ckpt_path FILE or --pretrained (or --random_weights for an untrained"
            " network)"
        )
    machine, adapted = set_up(config)
    split = open_data(config, config.val_split, settled.classes, settled.held_out, config.num_samples)
    check_recorded_classes(settled.classes, split)
    config = config.replace(dataset=split.dataset or config.dataset)
    guessed = check_known_classes(config, split, weights.num_classes if weights else None)
    opened = open_network(settled, split.num_classes)
    network = opened.network
    compare_ranks(
        config, split_checksum(split, config.data_dir), checksum(p.asnumpy() for p in network.get_parameters())
    )
    unused = notes_on_options("validate", config, options if given is None else given, current().world.size)
    for note in (*opened.notes, *unused, *split.notes, *guessed, *adapted):
        _logger.info(note)
    if console:
        console.print(f"preprocessing: {opened.preprocessing}")
    metrics, speed = measure(config, split, network, machine, console)
    return Evaluation(
        config.model, config.dataset, config.val_split, metrics.images, metrics.top1, metrics.top5, metrics.loss, speed
    )


def measure(
    config: Config, split: Split, network: nn.Cell, machine: Machine, console: Console | None = None
) -> tuple[Metrics, float]:
    """Run a network over a split with the preprocessing of the options, and return its metrics and the images/s.

    Raises:
        Interrupted: a signal has come.
        RunError: its outputs are not numbers.
    """
    forward = MindSporeEngine(mixed_precision(network, config.val_amp_level), config)
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
        images: of all batches.
        batch_size: images of the first batch.
        times: in seconds, of the start and of the end of each batch.
    """
    if len(times) > 2:
        images, times = images - batch_size, times[1:]
    return images / (times[-1] - times[0]) if len(times) > 1 else 0.0
