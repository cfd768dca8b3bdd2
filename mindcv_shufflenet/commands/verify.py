"""``verify``: validate published weights, compare with their published score, and look for what explains a gap."""

import argparse
import math
from typing import Any

from rich.table import Table

from mindcv_shufflenet.commands.setup import (
    build_network,
    create_console,
    evenly_spaced,
    open_data,
    read_config,
    write_json,
)
from mindcv_shufflenet.commands.validate import measure
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.network import open_weights, settle
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.weights.load import load_weights
from mindcv_shufflenet.weights.records import Record, default_record

# Images on which the published scores were measured.
PUBLISHED_IMAGES = 50_000
# A difference that other image libraries and rounding make, in percentage points.
TOLERANCE = 0.2


def run(arguments: argparse.Namespace) -> None:
    """Print published and measured scores, and what other preprocessing gives where they differ."""
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    record = default_record(config.model)
    config = config.replace(model=record.name, pretrained=not config.ckpt_path)
    weights = open_weights(config)
    assert weights is not None
    settled = settle(config, arguments.given, weights)
    config, notes = settled.config, settled.notes
    machine, adapted = set_up(config)
    split = open_data(config, config.val_split)
    notes += split.notes
    if config.num_samples is not None:
        split = evenly_spaced(split, config.num_samples)
    network = build_network(config, split.num_classes)
    notes += load_weights(network, weights)
    for note in notes + adapted:
        console.print(f"note: {note}")

    def score(changed: Config) -> Metrics:
        return measure(changed, split, network, machine, console)[0]

    measured = score(config)
    margin = _margin(record.top1, measured.images)
    table = Table(title=f"{record.name}, {measured.images:,} images", show_edge=False, pad_edge=False)
    for column in ("preprocessing", "top-1", "top-5"):
        table.add_column(column)
    table.add_row(f"published ({record.source})", f"{record.top1:.2f}", f"{record.top5:.2f}")
    table.add_row("the record's", f"{measured.top1:.2f}", f"{measured.top5:.2f}")
    tried = []
    if abs(measured.top1 - record.top1) > TOLERANCE:
        for text, changes in _variations(record):
            metrics = score(config.replace(**changes))
            table.add_row(text, f"{metrics.top1:.2f}", f"{metrics.top5:.2f}")
            tried.append({"preprocessing": text, "top1": metrics.top1, "top5": metrics.top5})
    console.print(table)
    verdict, agrees = _verdict(record, measured, margin, tried)
    console.print(verdict)
    write_json(
        arguments.json,
        {
            "model": record.name,
            "images": measured.images,
            "published": {"top1": record.top1, "top5": record.top5, "source": record.source},
            "measured": {"top1": measured.top1, "top5": measured.top5, "loss": measured.loss},
            "margin": margin,
            "tried": tried,
            "agrees": agrees,
            "verdict": verdict,
        },
    )
    if not agrees:
        raise RunError(f"{record.name} does not reach its published score on these images")


def _margin(top1: float, images: int) -> float:
    """Percentage points within which 95 % of samples of that many of the images score (normal approximation)."""
    share, left = top1 / 100, max(0, 1 - images / PUBLISHED_IMAGES)
    return 196 * math.sqrt(left * share * (1 - share) / images) + TOLERANCE


def _variations(record: Record) -> list[tuple[str, dict[str, Any]]]:
    """One change of the preprocessing at a time: what it is called, and the options."""
    other = "opencv" if record.resize_backend == "pillow" else "pillow"
    swapped = "bgr" if record.channel_order == "rgb" else "rgb"
    resizes = [size for size in (232, 256) if size != record.resize]
    return [
        (f"resize by {other}", {"resize_backend": other}),
        *((f"short side {size}", {"crop_pct": record.image_resize / size}) for size in resizes),
        ("no crop margin", {"crop_pct": 1.0}),
        (f"channels {swapped}", {"channel_order": swapped, "mean": record.mean[::-1], "std": record.std[::-1]}),
    ]


def _verdict(record: Record, measured: Metrics, margin: float, tried: list[dict[str, Any]]) -> tuple[str, bool]:
    """Say in a sentence or two whether the scores agree and what may explain a gap."""
    gap = measured.top1 - record.top1
    if abs(gap) <= TOLERANCE:
        return f"agrees: {gap:+.2f} points of top-1", True
    reasons = []
    if measured.images < PUBLISHED_IMAGES:
        reasons.append(
            f"partial data: {measured.images:,} of {PUBLISHED_IMAGES:,} images, on which top-1 varies by"
            f" {margin:.2f} points either way"
        )
    if gap > margin:
        reasons.append("images that are easier than the validation set, as training images are")
    better = [attempt for attempt in tried if abs(attempt["top1"] - record.top1) < abs(gap)]
    reasons += [f"{attempt['preprocessing']} ({attempt['top1']:.2f})" for attempt in better if gap < 0]
    agrees = gap >= -margin
    head = "lower" if gap < -margin else "higher" if gap > margin else "agrees within what these images can tell"
    return (
        f"{head}: {gap:+.2f} points of top-1; what could explain it: {'; '.join(reasons) or 'nothing tried here'}",
        agrees,
    )
