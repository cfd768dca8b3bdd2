"""``validate``: top-1, top-5 and loss of a checkpoint."""

import argparse
import time

from mindspore import amp

from mindcv_shufflenet import parallel
from mindcv_shufflenet.commands.setup import (
    build_network,
    create_console,
    evenly_spaced,
    follow_recorded_network,
    open_data,
    write_json,
)
from mindcv_shufflenet.config import parse_config
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluate.evaluator import evaluate
from mindcv_shufflenet.train.engine import compiled
from mindcv_shufflenet.weights.checkpoint import load_weights

PREPROCESSING = ("image_resize", "crop_pct", "interpolation", "resize_backend")


def run(arguments: argparse.Namespace) -> None:
    """Validate as the options say and print the figures."""
    config = parse_config(arguments.options)
    console = create_console(arguments.json)
    if not config.ckpt_path and not config.random_weights:
        raise UserError(
            "there is nothing to validate: give --ckpt_path FILE (or --random_weights for an untrained network)"
        )
    config, notes = follow_recorded_network(config, arguments.options, PREPROCESSING)
    machine, adapted = parallel.init(config)
    split = open_data(config, config.val_split)
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

    network.set_train(False)
    evaluated = network if config.val_amp_level == "O0" else amp.auto_mixed_precision(network, config.val_amp_level)
    start = time.perf_counter()
    metrics = evaluate(evaluated, compiled(config, evaluated), eval_loader(config, split, machine.workers))
    result = {
        "model": config.model,
        "dataset": config.dataset,
        "images": metrics.images,
        "top1": metrics.top1,
        "top5": metrics.top5,
        "loss": metrics.loss,
        "images_per_second": metrics.images / (time.perf_counter() - start),
    }
    console.print(
        f"{config.model} on {config.dataset} {config.val_split}:"
        f" top-1 {metrics.top1:.3f} %, top-5 {metrics.top5:.3f} %, loss {metrics.loss:.4f},"
        f" {metrics.images} images, {result['images_per_second']:.0f} images/s"
    )
    write_json(arguments.json, result)
