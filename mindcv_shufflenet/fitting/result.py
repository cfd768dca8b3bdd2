"""How a fit ended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mindcv_shufflenet.deploy.export.export import Export
from mindcv_shufflenet.evaluation.analysis import Findings
from mindcv_shufflenet.evaluation.metrics import wilson_interval
from mindcv_shufflenet.fitting.finetune import Tuned
from mindcv_shufflenet.fitting.issues import Issue
from mindcv_shufflenet.fitting.layout import FitFolder
from mindcv_shufflenet.fitting.material import FirstModel, Material
from mindcv_shufflenet.lines import counted


@dataclass(frozen=True)
class FitResult:
    """How a fit ended, and which of its files are there.

    Attributes:
        model: name of the network.
        photos: that could be read.
        classes: how many there are.
        issues: number of issues of each kind.
        top1: accuracy in percent: of the kept weights on the photos for validation, or of cross-validation.
        top1_low: lower bound of the 95 % interval of ``top1``.
        top1_high: upper bound.
        right: photos with a right answer, of ``images``.
        images: photos that ``top1`` is of.
        is_cross_validated: ``top1`` is that of five classifiers, each asked about photos that it was not fitted on.
        first_top1: of the first model, a classifier alone; None: there was none.
        first_seconds: from the start to that model.
        trained_top1: of the training after it, the best; None where there was none.
        epochs: of that training.
        best_epoch: of them, the one with ``trained_top1``; 0: there is none.
        temperature: what the logits are divided by.
        threshold: the least probability of a sure answer; None: no answer is sure.
        sure_share: of the validation photos, those with a sure answer, in percent.
        sure_top1: of these, the right ones, in percent.
        int8_top1: of the int8 file, in percent.
        seconds: of all.
        interrupted: exit status of the signal that has ended the training early; 0: none has.
        checkpoint: the weights.
        onnx: for ONNX Runtime.
        int8: the same in int8; None: int8 could not be had.
        script: classifies photos with the ONNX files.
        report: the page.
        issues_file: what is unusual about the photos, CSV.
    """

    model: str
    photos: int
    classes: int
    issues: dict[str, int]
    top1: float
    top1_low: float
    top1_high: float
    right: int
    images: int
    is_cross_validated: bool
    first_top1: float | None
    first_seconds: float | None
    trained_top1: float | None
    epochs: int
    best_epoch: int
    temperature: float
    threshold: float | None
    sure_share: float | None
    sure_top1: float | None
    int8_top1: float | None
    seconds: float
    interrupted: int
    checkpoint: Path
    onnx: Path
    int8: Path | None
    script: Path
    report: Path
    issues_file: Path


def result_of(
    files: FitFolder,
    material: Material,
    issues: Sequence[Issue],
    first: FirstModel | None,
    tuned: Tuned | None,
    findings: Findings,
    int8: Export | None,
    seconds: float,
) -> FitResult:
    """Return how a fit ended.

    Args:
        files: that it has written.
        material: what it has worked with.
        issues: that were found.
        first: the first model; None: there was none.
        tuned: what the training after it has left; None: there was none.
        findings: of the evaluation of the weights that are kept.
        int8: what is known of the int8 file; None: there is none.
        seconds: that it has taken.
    """
    metrics, sure = findings.val.metrics, findings.sureness
    is_cross_validated = bool(first and first.is_cross_validated)
    right, images = (first.right, first.images) if first and is_cross_validated else (metrics.correct1, metrics.images)
    low, high = wilson_interval(right, images)
    return FitResult(
        model=files.model,
        photos=len(material.photos),
        classes=material.classes,
        issues=dict(Counter(one.kind for one in issues)),
        top1=100 * right / images,
        top1_low=low,
        top1_high=high,
        right=right,
        images=images,
        is_cross_validated=is_cross_validated,
        first_top1=first and first.top1,
        first_seconds=first and first.seconds,
        trained_top1=tuned.top1 if tuned else None,
        epochs=tuned.epochs if tuned else 0,
        best_epoch=tuned.best_epoch if tuned else 0,
        temperature=findings.calibration.temperature if findings.calibration else 1.0,
        threshold=sure and sure.threshold,
        sure_share=sure and 100 * sure.share,
        sure_top1=sure and 100 * sure.accuracy,
        int8_top1=(int8.int8 or {}).get("top1_int8") if int8 else None,
        seconds=seconds,
        interrupted=tuned.interrupted if tuned else 0,
        checkpoint=files.checkpoint,
        onnx=files.onnx,
        int8=files.int8 if int8 else None,
        script=files.script,
        report=files.report,
        issues_file=files.issues,
    )


def right_on(right: int, images: int) -> str:
    """Return an accuracy with its interval, in words."""
    low, high = wilson_interval(right, images)
    photos = counted(images, "photo")
    return f"right on {100 * right / images:.1f} % of {photos} ({low:.1f} to {high:.1f} % is likely)"
