"""What an evaluation has found, as a part of a page: accuracy, confusion, classes, errors, calibration."""

from typing import Any

import numpy as np
from markupsafe import Markup

from mindcv_shufflenet.evaluation.analysis import Findings, Part, WrongImage
from mindcv_shufflenet.evaluation.calibration import MIN_IMAGES, Calibration, Sureness
from mindcv_shufflenet.evaluation.confusion import most_confused
from mindcv_shufflenet.evaluation.metrics import wilson_interval
from mindcv_shufflenet.report.charts import heat_map, overlaid, picture, reliability_bars
from mindcv_shufflenet.report.page import percent, short_names
from mindcv_shufflenet.report.texts import TEXTS, alternative, filled, html
from mindcv_shufflenet.storage.run_directory import CLASS_SCORES_FILE, CONFUSION_FILE, TRAIN_CONFUSION_FILE

# The most classes whose confusion matrix has its numbers in it, and whose two matrices stand side by side.
_NUMBERED, _SIDE_BY_SIDE = 20, 12
# The longest names that stand upright over the cells of a matrix on a phone: of so few classes, and of more.
_FEW_CLASSES, _UPRIGHT_FEW, _UPRIGHT = 5, 4, 2
# Rows of the tables of confused pairs and of the classes with the lowest F1.
_PAIRS, _LOWEST = 12, 10
# From this opacity on, the ground of a cell is so deep that its number is drawn in another colour.
_DEEP = 0.6


def calibration_saved(calibration: Calibration, checkpoint: str) -> Markup:
    """Say that a temperature is in a checkpoint, or that there is none to keep.

    Args:
        calibration: with the temperature.
        checkpoint: name of the file.
    """
    if calibration.temperature == 1:
        return html("calibration_same")
    return html("calibration_saved", checkpoint=checkpoint)


def findings_context(findings: Findings, checkpoint: str, outcome: Markup) -> dict[str, Any]:
    """Return what ``findings.jinja`` reads.

    Args:
        findings: of an evaluation.
        checkpoint: name of the file with the weights.
        outcome: what became of the fitted temperature.
    """
    names = short_names(findings.class_names)
    val, train = findings.val, findings.train
    some = f"{findings.train_images:,}" if train.metrics.images < findings.train_images else ""
    classes = _class_rows(names, val)
    worst = sorted((row for row in classes if row["support"]), key=lambda row: float(row["f1"]))[:_LOWEST]
    difference = train.metrics.top1 - val.metrics.top1
    side = TEXTS["gap_higher" if difference >= 0 else "gap_lower"]
    return {
        "checkpoint": checkpoint,
        "interval": _interval(val),
        "sureness": _sureness(findings.sureness),
        "gap": html("gap", gap=f"{abs(difference):.2f}", side=side),
        "parts": [
            _part("of_val", val, names) | {"file": CONFUSION_FILE, "some": ""},
            _part("of_train", train, names) | {"file": TRAIN_CONFUSION_FILE, "some": some},
        ],
        "is_beside": len(names) <= _SIDE_BY_SIDE,
        "min_images": MIN_IMAGES,
        "class_file": CLASS_SCORES_FILE,
        "classes": classes,
        "lowest": worst if len(names) > _NUMBERED else [],
        "mean": _mean(val),
        "wrong": [_wrong(one, names) for one in findings.wrong],
        "calibration": _calibration(findings.calibration, outcome) if findings.calibration else None,
    }


def _interval(part: Part) -> Markup:
    """The interval in which the accuracy lies, from so many images."""
    low, high = wilson_interval(part.metrics.correct1, part.metrics.images)
    return html("interval", top1=f"{part.metrics.top1:.2f}", low=f"{low:.1f}", high=f"{high:.1f}")


def _sureness(found: Sureness | None) -> Markup | None:
    """From which probability on an answer counts as sure."""
    if found is None:
        return None
    shares = {"share": percent(found.share), "accuracy": percent(found.accuracy)}
    return html("sureness", threshold=percent(found.threshold), **shares)


def _part(title: str, part: Part, names: list[str]) -> dict[str, Any]:
    """A confusion matrix: with its numbers, or as a picture where there are many classes."""
    matrix, metrics = part.matrix, part.metrics
    is_numbered = len(names) <= _NUMBERED
    upright = _UPRIGHT_FEW if len(names) <= _FEW_CLASSES else _UPRIGHT
    pairs = [
        {"label": names[pair.label], "answer": names[pair.answer], "images": pair.images, "share": percent(pair.share)}
        for pair in most_confused(matrix, _PAIRS)
    ]
    alt = alternative("matrix_alt", classes=len(names), right=metrics.correct1, images=metrics.images)
    return {
        "title": title,
        "images": f"{metrics.images:,}",
        "top1": f"{metrics.top1:.2f}",
        "top5": f"{metrics.top5:.2f}",
        "loss": f"{metrics.loss:.4f}",
        "errors": metrics.images - metrics.correct1,
        "alt": alt,
        "names": names,
        "is_long": any(len(name) > upright for name in names),
        "cells": _cells(matrix) if is_numbered else [],
        "image": None if is_numbered else heat_map(matrix),
        "pairs": pairs,
    }


def _cells(matrix: np.ndarray) -> list[list[dict[str, Any]]]:
    """The cells of a matrix by row: number, kind, and how opaque its ground is."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cells = []
    for row, (counts, parts) in enumerate(zip(matrix, shares, strict=True)):
        line = []
        for column, (count, share) in enumerate(zip(counts, parts, strict=True)):
            alpha = 0.2 + 0.72 * float(np.sqrt(share))
            kind = "none" if not count else "right" if row == column else "wrong"
            line.append(
                {"images": int(count), "kind": f"{kind} full" if alpha >= _DEEP else kind, "alpha": f"{alpha:.2f}"}
            )
        cells.append(line)
    return cells


def _class_rows(names: list[str], part: Part) -> list[dict[str, Any]]:
    figures = zip(names, *part.scores, strict=True)
    return [
        {"name": name, "precision": percent(p), "recall": percent(r), "f1": percent(f), "support": int(support)}
        for name, p, r, f, support in figures
    ]


def _mean(part: Part) -> dict[str, Any]:
    """The mean of the classes that have images."""
    there = part.scores.support > 0
    precision, recall, f1 = (percent(float(np.mean(figures[there]))) for figures in part.scores[:3])
    return {"precision": precision, "recall": recall, "f1": f1, "support": int(part.scores.support.sum())}


def _wrong(one: WrongImage, names: list[str]) -> dict[str, Any]:
    label, answer, probability = names[one.label], names[one.answer], percent(one.probability)
    return {
        "image": picture(one.view),
        "heat": None if one.heat is None else picture(overlaid(one.view, one.heat)),
        "heat_alt": alternative("heat_alt", answer=answer),
        "is_small": max(one.view.shape[:2]) <= 64,
        "label": label,
        "answer": answer,
        "percent": probability,
        "alt": alternative("wrong_alt", label=label, answer=answer, percent=probability),
    }


def _calibration(found: Calibration, outcome: Markup) -> dict[str, Any]:
    shown = [("before", found.before)] + ([("after", found.after)] if found.temperature != 1 else [])
    values = {"temperature": f"{found.temperature:.3g}"}
    panels = []
    for key, one in shown:
        ece = f"{100 * one.ece:.2f}"
        alt = alternative("reliability_alt", title=filled(key, **values), ece=ece)
        panels.append({"title": html(key, **values), "ece": ece, "alt": alt, "bars": reliability_bars(one, 240.0)})
    return {"panels": panels, "fit_images": found.fit_images, "test_images": found.test_images, "outcome": outcome}
