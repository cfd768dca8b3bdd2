"""``validate``: top-1, top-5 and loss of a checkpoint."""

import argparse
import math
import time

from rich.progress import Progress

from mindcv_shufflenet import parallel, schema
from mindcv_shufflenet.commands.setup import (
    NETWORK_OPTIONS,
    PREPROCESSING_OPTIONS,
    build_network,
    check_recorded_classes,
    create_console,
    evenly_spaced,
    follow_recorded_options,
    open_data,
    unread_options,
    write_json,
)
from mindcv_shufflenet.config import parse_config
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.evaluate.evaluator import evaluate
from mindcv_shufflenet.train.engine import compiled, mixed_precision
from mindcv_shufflenet.weights.checkpoint import load_weights

# Groups of options that validation has no use for.
_TRAINING = (schema.RunOptions, schema.OptimizerOptions, schema.ScheduleOptions, schema.LossOptions)
UNREAD = {name for group in _TRAINING for name in group.__annotations__} | {
    *("train_crop", "scale", "ratio", "hflip", "vflip", "color_jitter", "shuffle", "drop_remainder", "resume_opt"),
    *("re_prob", "re_scale", "re_ratio", "re_value", "re_max_attempts", "drop_rate", "amp_level", "loss_scale"),
    *("val_while_train", "val_interval", "log_interval"),
}


def run(arguments: argparse.Namespace) -> None:
    """Validate as the options say and print the figures."""
    config = parse_config(arguments.options)
    console = create_console(arguments.json)
    if not config.ckpt_path and not config.random_weights:
        raise UserError(
            "there is nothing to validate: give --ckpt_path FILE (or --random_weights for an untrained network)"
        )
    config, notes = follow_recorded_options(config, arguments.options, NETWORK_OPTIONS + PREPROCESSING_OPTIONS)
    notes += unread_options(arguments.given, UNREAD, "validate")
    machine, adapted = parallel.init(config)
    split = open_data(config, config.val_split)
    check_recorded_classes(config, split)
    if config.num_samples is not None:
        split = evenly_spaced(split, config.num_samples)
    network = build_network(config, split.num_classes)
    if config.ckpt_path:
        load_weights(network, config.ckpt_path)
    for note in notes + adapted:
        console.print(f"note: {note}")
    console.print(
        f"preprocessing: {config.resize_backend} resize to {int(config.image_resize / config.crop_pct)},"
        f" crop {config.image_resize}, mean {config.mean}, std {config.std}"
    )

    network = mixed_precision(network, config.val_amp_level)
    loader = eval_loader(config, split, machine.workers)
    times = [time.perf_counter()]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("validating", total=len(loader))

        def on_batch() -> None:
            times.append(time.perf_counter())
            bar.advance(task)

        metrics = evaluate(network, compiled(config, network), loader, on_batch)
    if not math.isfinite(metrics.loss):
        raise RunError(f"the network's outputs are not numbers (loss {metrics.loss}); its weights are of no use")
    result = {
        "model": config.model,
        "dataset": config.dataset,
        "images": metrics.images,
        "top1": metrics.top1,
        "top5": metrics.top5,
        "loss": metrics.loss,
        "images_per_second": _speed(metrics.images, loader.batch_size, times),
    }
    console.print(
        f"{config.model} on {config.dataset} {config.val_split}:"
        f" top-1 {metrics.top1:.3f} %, top-5 {metrics.top5:.3f} %, loss {metrics.loss:.4f},"
        f" {metrics.images} images, {result['images_per_second']:.0f} images/s"
    )
    write_json(arguments.json, result)


def _speed(images: int, batch_size: int, times: list[float]) -> float:
    """Return images/s without the first batch, which compiles, unless it is the only one."""
    if len(times) > 2:
        images, times = images - batch_size, times[1:]
    return images / (times[-1] - times[0])
