"""Answers that are made up, of a network with as many classes as a test needs."""

from pathlib import Path

import numpy as np

from mindcv_shufflenet.evaluation.analysis import Findings, Part, WrongImage
from mindcv_shufflenet.evaluation.calibration import calibrate
from mindcv_shufflenet.evaluation.confusion import class_scores, confusion
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.report.run import Run, read_run


def made_up(run: Path, num_classes: int, each: int = 50) -> tuple[Run, Findings]:
    """A run, and findings of so many images of each class; all images of class 7 are taken for class 8."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(num_classes), each).astype(np.int32)
    logits = rng.normal(size=(len(label), num_classes)).astype(np.float32)
    logits[np.arange(len(label)), label] += 3
    logits[label == 7, 8] += 9
    metrics = Metrics()
    metrics.add(logits, label)
    answers = label, logits.argmax(axis=1), num_classes
    part = Part(metrics, confusion(*answers), class_scores(*answers))
    view = rng.integers(0, 256, (224, 224, 3), np.uint8)
    wrong = [WrongImage(np.zeros((3, 224, 224), np.float32), view, 7, 8, 0.9)] * 12
    names = tuple(f"class <{number}>, other name" for number in range(num_classes))
    return read_run(run), Findings(names, part, part, 100_000, calibrate(logits, label), None, wrong)
