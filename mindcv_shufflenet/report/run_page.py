"""The page of one run: its figures, curves, confusion matrices, classes, errors, calibration and recipe."""

import platform
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from mindcv_shufflenet.evaluation.analysis import Findings
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.report.charts import Series
from mindcv_shufflenet.report.findings_part import findings_context
from mindcv_shufflenet.report.page import DrawnChart, clock, drawn, render, state_of
from mindcv_shufflenet.report.run import Run
from mindcv_shufflenet.report.texts import html
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.processor import processor


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
        "charts": charts_of(run),
        "average": _average(run),
        "recipe": _recipe(run),
        "options_file": str(run.directory.options),
        "environment": _environment(),
        "findings": findings is not None,
        "not_evaluated": reason,
    }
    return render("run.jinja", language, context | _found(run, findings, outcome))


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


def charts_of(run: Run) -> list[DrawnChart]:
    """Return the curves of a run."""
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


def _found(run: Run, findings: Findings | None, outcome: Markup) -> dict[str, Any]:
    """What the template reads of the evaluation, if there is one."""
    if findings is None:
        return {}
    return findings_context(findings, run.checkpoint.name if run.checkpoint else "", outcome)
