"""The page of one run: its figures, curves, confusion matrices, classes, errors, calibration and recipe."""

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
from markupsafe import Markup

from mindcv_shufflenet.evaluation.analysis import Findings, Part, WrongImage
from mindcv_shufflenet.evaluation.calibration import MIN_IMAGES, Calibration
from mindcv_shufflenet.evaluation.confusion import most_confused
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.report.charts import Series, heat_map, picture, reliability_bars
from mindcv_shufflenet.report.page import DrawnChart, clock, drawn, percent, render, short, state_of
from mindcv_shufflenet.report.run import Run
from mindcv_shufflenet.report.texts import TEXTS, alternative, filled, html
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.processor import processor
from mindcv_shufflenet.storage.run_directory import CLASS_SCORES_FILE, CONFUSION_FILE, TRAIN_CONFUSION_FILE

# The most classes whose confusion matrix has its numbers in it, and whose two matrices stand side by side.
_NUMBERED, _SIDE_BY_SIDE = 20, 12
# The longest names that stand upright over the cells of a matrix on a phone: of so few classes, and of more.
_FEW_CLASSES, _UPRIGHT_FEW, _UPRIGHT = 5, 4, 2
# Rows of the tables of confused pairs and of the classes with the lowest F1.
_PAIRS, _LOWEST = 12, 10
# From this opacity on, the ground of a cell is so deep that its number is drawn in another colour.
_DEEP = 0.6


def run_page(run: Run, findings: Findings | None, reason: Markup, outcome: Markup, language: str) -> str:
    """Return the page of a run.

    Args:
        run: what its directory tells.
        findings: what its weights answer; None where they were not evaluated.
        reason: why not.
        outcome: what became of the fitted temperature.
        language: that is shown at first.
    """
    context = {
        "model": run.config.model,
        "name": run.name,
        "dataset": run.config.dataset,
        "state": state_of(run),
        "tiles": _tiles(run),
        "charts": _charts(run),
        "average": _average(run),
        "recipe": _recipe(run),
        "options_file": str(run.directory.options),
        "environment": _environment(),
        "findings": findings is not None,
        "not_evaluated": reason,
    }
    return render("run.jinja", language, context | (_found(run, findings, outcome) if findings else {}))


def _tiles(run: Run) -> list[dict[str, Any]]:
    best = run.best
    tiles: list[tuple[str, str, Markup | str]] = []
    if best:
        at = html("of_average" if best.is_average_better else "at_epoch", epoch=best.epoch)
        tiles.append(("best_top1", f"{best.score:.2f} %", at))
        if best.val_top5 is not None and not best.is_average_better:  # the log has that of the weights alone
            tiles.append(("its_top5", f"{best.val_top5:.2f} %", html("at_epoch", epoch=best.epoch)))
    else:
        tiles.append(("best_top1", "-", html("not_validated")))
    tiles.append(("time", clock(run.seconds), html("at_epoch", epoch=run.epochs[-1].epoch)))
    if run.images_per_second:
        tiles.append(("speed", f"{run.images_per_second:,.0f}", html("speed_detail")))
    config = run.config
    model = config.model_name.model
    own = {name: getattr(config, name) for name in find_family(model).options}
    cost = describe(
        model,
        image_size=config.image_resize,
        num_classes=config.num_classes,
        in_channels=config.in_channels,
        **own,
    ).cost
    tiles.append(("parameters", f"{cost.parameters:,}", html("num_classes", classes=config.num_classes)))
    pixels = html("image_size", size=config.image_resize)
    tiles.append(("multiply_adds", f"{cost.multiply_adds / 1e6:,.1f} M", pixels))
    return [{"key": key, "value": value, "detail": detail} for key, value, detail in tiles]


def _charts(run: Run) -> list[DrawnChart]:
    best = run.best.epoch if run.best else None
    return [
        *drawn(
            "loss",
            [
                Series(html("training"), run.values(lambda epoch: epoch.train_loss)),
                Series(html("validation"), run.values(lambda epoch: epoch.val_loss), best),
            ],
            may_be_log=True,
        ),
        *drawn(
            "top1_percent",
            [
                Series(html("training"), run.values(lambda epoch: epoch.train_top1)),
                Series(html("validation"), run.values(lambda epoch: epoch.val_top1), best),
                Series(html("ema_top1"), run.values(lambda epoch: epoch.ema_top1), best),
            ],
        ),
        *drawn("lr", [Series(html("lr"), run.values(lambda epoch: epoch.lr))]),
    ]


def _average(run: Run) -> Markup | None:
    """Say whether the moving average of the weights scored higher than the weights; None if there is none."""
    averages = run.values(lambda epoch: epoch.ema_top1)
    owns = run.values(lambda epoch: epoch.val_top1)
    if not averages or not owns:
        return None
    ema, own = (max(value for _, value in values) for values in (averages, owns))
    key = "ema_helped" if ema > own else "ema_no_help"
    return html(key, ema=f"{ema:.2f}", own=f"{own:.2f}", difference=f"{ema - own:+.2f}")


def _recipe(run: Run) -> list[list[dict[str, str]]]:
    """The options that differ from their defaults, in two columns."""
    rows = [
        {"name": name, "value": format_value(value), "default": format_value(default)}
        for name, (value, default) in run.recipe().items()
    ]
    middle = -(-len(rows) // 2)
    return [half for half in (rows[:middle], rows[middle:]) if half]


def format_value(value: Any) -> str:
    """Return the value of an option as people write it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value))
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _environment() -> Markup:
    own = processor()
    packages = (("MindSpore", "mindspore"), ("ONNX Runtime", "onnxruntime"), ("NumPy", "numpy"))
    versions = ", ".join(f"{title} {version(name)}" for title, name in packages)
    cores = html("cores", count=count_cores())
    return Markup("{} · Python {} · {} · {}").format(versions, platform.python_version(), own.name, cores)


def _found(run: Run, findings: Findings, outcome: Markup) -> dict[str, Any]:
    """What the template reads of the evaluation."""
    names = [short(name) for name in findings.class_names]
    val, train = findings.val, findings.train
    checkpoint = run.checkpoint
    some = f"{findings.train_images:,}" if train.metrics.images < findings.train_images else ""
    classes = _class_rows(names, val)
    worst = sorted((row for row in classes if row["support"]), key=lambda row: float(row["f1"]))[:_LOWEST]
    difference = train.metrics.top1 - val.metrics.top1
    side = TEXTS["gap_higher" if difference >= 0 else "gap_lower"]
    return {
        "checkpoint": checkpoint.name if checkpoint else "",
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
        "pairs": [] if is_numbered else pairs,
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
