"""``validate``: top-1, top-5 and loss of a checkpoint."""

import argparse
import math
import time
from contextlib import nullcontext

from mindspore import nn
from rich.console import Console
from rich.progress import Progress

from mindcv_shufflenet import signals
from mindcv_shufflenet.commands.setup import (
    build_network,
    check_known_classes,
    check_recorded_classes,
    compare_ranks,
    create_console,
    evenly_spaced,
    open_data,
    read_config,
    unread_options,
    write_json,
)
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.evaluation.evaluator import evaluate
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.network import open_weights, settle
from mindcv_shufflenet.options import schema
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.training.step import compiled, mixed_precision
from mindcv_shufflenet.weights.load import load_weights

# Groups of options that validation has no use for.
_TRAINING = (schema.RunOptions, schema.OptimizerOptions, schema.ScheduleOptions, schema.LossOptions)
# Options of other groups that it has no use for either.
_OTHERS = {
    "train_crop",
    "crop_padding",
    "scale",
    "ratio",
    "hflip",
    "vflip",
    "color_jitter",
    "shuffle",
    "drop_remainder",
    "resume_opt",
    "aug_repeats",
    "mixup",
    "cutmix",
    "cutmix_prob",
    "re_prob",
    "re_scale",
    "re_ratio",
    "re_value",
    "re_max_attempts",
    "drop_rate",
    "amp_level",
    "loss_scale",
    "val_while_train",
    "val_interval",
    "log_interval",
    "reset_classifier",
    "allow_missing",
}
UNREAD = {name for group in _TRAINING for name in group.__annotations__} | _OTHERS


def run(arguments: argparse.Namespace) -> None:
    """Validate as the options say and print the figures."""
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    weights = open_weights(config)
    if weights is None and not config.random_weights:
        raise UserError(
            "there is nothing to validate: give --ckpt_path FILE or --pretrained (or --random_weights for an untrained"
            " network)"
        )
    settled = settle(config, arguments.options, weights, with_data=True)
    config, notes = settled.config, settled.notes
    notes += arguments.notes + unread_options(arguments.given, UNREAD, "validate")
    machine, adapted = set_up(config)
    split = open_data(config, config.val_split, settled.classes, settled.held_out)
    check_recorded_classes(settled.classes, split)
    config = config.replace(dataset=split.dataset or config.dataset)
    notes += [*split.notes, *check_known_classes(config, split, weights)]
    if config.num_samples is not None:
        split = evenly_spaced(split, config.num_samples)
    network = build_network(config, split.num_classes)
    if weights:
        notes += load_weights(network, weights)
    compare_ranks(config, split_checksum(split, config.data_dir), network)
    for note in notes + adapted:
        console.print(f"note: {note}")
    console.print(
        f"preprocessing: {config.resize_backend} resize to {int(config.image_resize / config.crop_pct)},"
        f" crop {config.image_resize}, {config.channel_order}, mean {config.mean}, std {config.std}"
    )

    metrics, speed = measure(config, split, network, machine, console)
    result = {
        "model": config.model,
        "dataset": config.dataset,
        "images": metrics.images,
        "top1": metrics.top1,
        "top5": metrics.top5,
        "loss": metrics.loss,
        "images_per_second": speed,
    }
    console.print(
        f"{config.model} on {config.dataset} {config.val_split}:"
        f" top-1 {metrics.top1:.3f} %, top-5 {metrics.top5:.3f} %, loss {metrics.loss:.4f},"
        f" {metrics.images} images, {speed:.0f} images/s"
    )
    write_json(arguments.json, result)


def measure(
    config: Config, split: Split, network: nn.Cell, machine: Machine, console: Console
) -> tuple[Metrics, float]:
    """Run a network over a split with the preprocessing of the options, and return its metrics and the images/s.

    Raises:
        Interrupted: a signal has come.
        RunError: its outputs are not numbers.
    """
    network = mixed_precision(network, config.val_amp_level)
    world = current().world
    loader = eval_loader(config, split, machine.workers, world.rank, world.size)
    times = [time.perf_counter()]
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    # several ranks cannot agree that a signal has come: it ends them as it does others
    with signals.held() if world.size == 1 else nullcontext(), bar:
        task = bar.add_task("validating", total=len(loader))

        def on_batch() -> None:
            times.append(time.perf_counter())
            bar.advance(task)
            if world.size == 1:
                signals.check()

        metrics = evaluate(network, compiled(config, network), loader, on_batch)
    if not math.isfinite(metrics.loss):
        raise RunError(f"the network's outputs are not numbers (loss {metrics.loss}); its weights are of no use")
    return metrics, _speed(metrics.images, loader.batch_size * loader.ranks, times)


def _speed(images: int, batch_size: int, times: list[float]) -> float:
    """Return images/s without the first batch, which compiles, unless it is the only one; 0 where there is none."""
    if len(times) > 2:
        images, times = images - batch_size, times[1:]
    return images / (times[-1] - times[0]) if len(times) > 1 else 0.0
