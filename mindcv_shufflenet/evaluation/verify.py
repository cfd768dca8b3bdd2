"""``verify``: evaluate published weights, compare with their published score, and look for what explains a gap."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.engines.open import find_source
from mindcv_shufflenet.evaluation.evaluate import measure
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.names import traits_of
from mindcv_shufflenet.options.tables import notes_on_options, read_by
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.weights.provenance import resolve_alias
from mindcv_shufflenet.weights.records import get_pretrained_cfg
from mindcv_shufflenet.weights.records.base import Record

# A difference that other image libraries and rounding make, in percentage points.
TOLERANCE = 0.2

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """The score with another preprocessing: what was changed, top-1 and top-5 in percent."""

    preprocessing: str
    top1: float
    top5: float


@dataclass(frozen=True)
class Verification:
    """A published score beside the measured one.

    Attributes:
        record: the published weights and their score.
        images: how many were measured.
        top1: measured, in percent.
        top5: measured, in percent.
        loss: measured, mean cross entropy in nats.
        margin: percentage points of top-1 within which so few images may differ from all of them.
        tried: other preprocessing, where the scores differ.
        agrees: whether the measured top-1 is not lower than chance allows.
        verdict: a sentence for people.
    """

    record: Record
    images: int
    top1: float
    top5: float
    loss: float
    margin: float
    tried: tuple[Attempt, ...]
    agrees: bool
    verdict: str


@mode_restored()
def verify(options: Mapping[str, Any], *, console: Console | None = None) -> Verification:
    """Evaluate the published weights that ``model`` names, and compare with their published score.

    Args:
        options: options by name, as a recipe has them. ``model`` may be without a tag, which means mindcv's weights;
            ``ckpt_path`` is a copy of the weights' file.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: there are no published weights of that name, or data or weights do not fit.
        RunError: the network's outputs are not numbers.
    """
    record = get_pretrained_cfg(resolve_alias(parse_config(options)).model)
    read = {name: value for name, value in options.items() if name in read_by("verify")}
    weights = {"model": record.name, "pretrained": not options.get("ckpt_path")}
    source = find_source({"dataset": record.dataset, **read, **weights})
    config = source.settled.config
    machine, adapted = set_up(config)
    split = open_data(config, config.val_split, num_samples=config.num_samples)
    opened = source.open(split.num_classes)
    unused = notes_on_options("verify", config, options)
    for note in (*opened.notes, *unused, *split.notes, *adapted):
        _logger.info(note)

    def score(changed: Config) -> Metrics:
        return measure(changed, split, opened.forward, machine, console)[0]

    measured = score(config)
    tried: list[Attempt] = []
    if abs(measured.top1 - record.top1) > TOLERANCE:
        for text, changes in variations(record):
            metrics = score(config.replace(**changes))
            tried.append(Attempt(text, metrics.top1, metrics.top5))
    margin = margin_of(record.top1, measured.images, record.images)
    verdict, agrees = _judge(record, measured, margin, tried, config.dataset)
    return Verification(
        record, measured.images, measured.top1, measured.top5, measured.loss, margin, tuple(tried), agrees, verdict
    )


def margin_of(top1: float, images: int, population: int) -> float:
    """Return the percentage points within which 95 % of samples of ``images`` out of ``population`` images score.

    Normal approximation of a sample without replacement, plus ``TOLERANCE``.
    """
    share, left = top1 / 100, max(0, 1 - images / population)
    return 196 * math.sqrt(left * share * (1 - share) / images) + TOLERANCE


def variations(record: Record) -> list[tuple[str, dict[str, Any]]]:
    """Return changes of the preprocessing, one at a time: what it is called, and the options.

    Images that are not cropped, such as those of 32 pixels, have no margin whose width may be in doubt.
    """
    own = record.preprocessing
    other = "opencv" if own.resize_backend == "pillow" else "pillow"
    swapped = "bgr" if own.channel_order == "rgb" else "rgb"
    margins: list[tuple[str, dict[str, Any]]] = []
    if own.crop_pct < 1:
        resizes = {232 * own.image_resize // 224, 256 * own.image_resize // 224} - {own.resize}
        margins = [(f"short side {size}", {"crop_pct": own.image_resize / size}) for size in sorted(resizes)]
        margins.append(("no crop margin", {"crop_pct": 1.0}))
    return [
        (f"resize by {other}", {"resize_backend": other}),
        *margins,
        (f"channels {swapped}", {"channel_order": swapped, "mean": own.mean[::-1], "std": own.std[::-1]}),
    ]


def _judge(record: Record, measured: Metrics, margin: float, tried: list[Attempt], dataset: str) -> tuple[str, bool]:
    """Say in a sentence or two whether the scores agree and what may explain a gap."""
    gap = measured.top1 - record.top1
    if abs(gap) <= TOLERANCE:
        return f"agrees: {gap:+.2f} points of top-1", True
    reasons = []
    if dataset not in (record.dataset, "folder") and not traits_of(dataset).is_packed:
        reasons.append(f"other images: these are of {dataset}, and the score is of {record.dataset}")
    if measured.images < record.images:
        reasons.append(
            f"partial data: {measured.images:,} of {record.images:,} images, on which top-1 varies by"
            f" {margin:.2f} points either way"
        )
    if gap > margin:
        reasons.append("images that are easier than the validation set, as training images are")
    if record.remark:
        reasons.append(record.remark)
    better = [attempt for attempt in tried if abs(attempt.top1 - record.top1) < abs(gap)]
    reasons += [f"{attempt.preprocessing} ({attempt.top1:.2f})" for attempt in better if gap < 0]
    agrees = gap >= -margin
    head = "lower" if gap < -margin else "higher" if gap > margin else "agrees within what these images can tell"
    return (
        f"{head}: {gap:+.2f} points of top-1; what could explain it: {'; '.join(reasons) or 'nothing tried here'}",
        agrees,
    )
