"""The page of several runs: their figures side by side, their curves in one chart, and the options that differ."""

from collections.abc import Sequence
from typing import Any

from mindcv_shufflenet.options.tables import names_of, options_of
from mindcv_shufflenet.report.charts import Series
from mindcv_shufflenet.report.page import clock, drawn, render, state_of
from mindcv_shufflenet.report.run import Run
from mindcv_shufflenet.report.run_page import format_value

# Columns of the table of figures, and whether a higher (1) or a lower (-1) value is the better one; 0: neither.
_COLUMNS = {
    "best_top1": 1,
    "at_best": 0,
    "its_top5": 1,
    "loss_at_best": -1,
    "train_at_best": 0,
    "epochs": 0,
    "time": 0,
    "speed": 1,
    "state": 0,
    "model": 0,
    "dataset": 0,
}
_TEXTS = {"state", "model", "dataset"}
# Options that every run has for itself.
_OWN = {*names_of("machine", "command"), "ckpt_save_dir"}


def comparison_page(runs: Sequence[Run], language: str) -> str:
    """Return the page of several runs; ``language`` is the one that is shown at first."""
    names = _names(runs)
    named = [*zip(names, runs, strict=True)]
    charts = [
        *drawn("val_top1_percent", [Series(name, run.values(lambda e: e.score), _best(run)) for name, run in named]),
        *drawn("val_loss_title", [Series(n, run.values(lambda e: e.val_loss)) for n, run in named], may_be_log=True),
        *drawn("train_loss_title", [Series(n, r.values(lambda e: e.train_loss)) for n, r in named], may_be_log=True),
        *drawn("lr", [Series(name, run.values(lambda e: e.lr)) for name, run in named]),
    ]
    context = {
        "names": names,
        "columns": [{"key": key, "is_text": key in _TEXTS} for key in _COLUMNS],
        "rows": _rows(names, runs),
        "charts": charts,
        "differences": _differences(runs),
    }
    return render("comparison.jinja", language, context)


def _best(run: Run) -> float | None:
    return run.best.epoch if run.best else None


def _names(runs: Sequence[Run]) -> list[str]:
    """The names of the folders, with as many of those above them as tell the runs apart."""
    parts = [run.directory.folder.resolve().parts for run in runs]
    length = next(n for n in range(1, 100) if len({part[-n:] for part in parts}) == len({*parts}))
    return ["/".join(part[-length:]) for part in parts]


def _rows(names: list[str], runs: Sequence[Run]) -> list[dict[str, Any]]:
    figures = [_figures(run) for run in runs]
    best = {}
    for key, sign in _COLUMNS.items():
        values = [one[key][0] for one in figures if one[key][0] is not None]
        if sign and len({*values}) > 1:
            best[key] = max(values, key=lambda value: sign * value)
    return [
        {
            "name": name,
            "cells": [
                {"text": text, "classes": _classes(key, is_best=key in best and value == best[key])}
                for key, (value, text) in one.items()
            ],
        }
        for name, one in zip(names, figures, strict=True)
    ]


def _classes(key: str, *, is_best: bool) -> str:
    """The style classes of a cell."""
    return " ".join(["best"] * is_best + ["name"] * (key in _TEXTS))


def _figures(run: Run) -> dict[str, tuple[Any, Any]]:
    """The value of each column, and its text."""
    best, last = run.best, run.epochs[-1]
    weights = best if best and not best.is_average_better else None  # the log has nothing else of the average

    def number(value: float | None, form: str) -> tuple[float | None, str]:
        return (None, "-") if value is None else (value, form.format(value))

    return {
        "best_top1": number(best and best.score, "{:.2f} %"),
        "at_best": number(best and best.epoch, "{}"),
        "its_top5": number(weights and weights.val_top5, "{:.2f} %"),
        "loss_at_best": number(weights and weights.val_loss, "{:.4f}"),
        "train_at_best": number((best or last).train_top1, "{:.2f} %"),
        "epochs": number(last.epoch, "{}"),
        "time": (run.seconds, clock(run.seconds)),
        "speed": number(run.images_per_second, "{:,.0f}"),
        "state": (None, state_of(run)),
        "model": (None, run.config.model),
        "dataset": (None, run.config.dataset),
    }


def _differences(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The options that have not the same value in all runs."""
    rows = [
        (name, [format_value(getattr(run.config, name)) for run in runs]) for name in options_of() if name not in _OWN
    ]
    return [{"name": name, "options": values} for name, values in rows if len({*values}) > 1]
