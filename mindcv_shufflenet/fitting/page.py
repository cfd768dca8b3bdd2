"""The page of a fit: how good the model is, what is unusual about the photos, and what to do next."""

import base64
import shlex
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from mindcv_shufflenet.evaluation.analysis import Findings
from mindcv_shufflenet.fitting.issues import KINDS, Issue, text_key
from mindcv_shufflenet.fitting.layout import FitFolder
from mindcv_shufflenet.fitting.result import FitResult
from mindcv_shufflenet.report.findings_part import calibration_saved, findings_context
from mindcv_shufflenet.report.page import clock, render
from mindcv_shufflenet.report.run import read_run
from mindcv_shufflenet.report.run_page import charts_of
from mindcv_shufflenet.report.texts import alternative, html

# Issues of a kind that the page lists; the table beside it has all.
_LISTED = 20


def fit_page(files: FitFolder, result: FitResult, evaluated: Findings, found: Sequence[Issue]) -> str:
    """Return the page.

    Args:
        files: of the fit.
        result: how it ended.
        evaluated: what the kept weights answer.
        found: what is unusual about the photos.
    """
    name, calibration = files.checkpoint.name, evaluated.calibration
    outcome = calibration_saved(calibration, name) if calibration else Markup()
    context = {
        "model": result.model,
        "name": files.folder.resolve().name,
        "photos": result.photos,
        "tiles": _tiles(files, result),
        "script": shlex.quote(str(files.script)),
        "files": [path.name for path in (*files.weights, files.labels, files.table) if path.is_file()],
        "kinds": [_of_kind(kind, found) for kind in KINDS if any(one.kind == kind for one in found)],
        "issues_file": files.issues.name,
        "sheet": _sheet(files),
        "sheet_alt": alternative("fit_sheet_alt"),
        "charts": charts_of(read_run(files.training)) if result.epochs else [],
    }
    return render("fit.jinja", "en", context | findings_context(evaluated, name, outcome))


def _tiles(files: FitFolder, result: FitResult) -> list[dict[str, Any]]:
    """The figures at the top."""
    likely = html("fit_likely", low=f"{result.top1_low:.1f}", high=f"{result.top1_high:.1f}")
    tiles = [
        ("fit_cross_validated" if result.is_cross_validated else "fit_right", f"{result.top1:.1f} %", likely),
        ("fit_photos", f"{result.photos:,}", html("num_classes", classes=result.classes)),
    ]
    if result.first_top1 is not None and result.first_seconds is not None:
        detail = html("fit_after", time=clock(result.first_seconds))
        tiles.append(("fit_first", f"{result.first_top1:.1f} %", detail))
    if result.trained_top1 is not None:
        at = html("fit_best_epoch", epoch=result.best_epoch, epochs=result.epochs)
        tiles.append(("fit_trained", f"{result.trained_top1:.1f} %", at))
    if result.int8_top1 is not None:
        int8, float32 = (f"{path.stat().st_size / 1e6:.1f}" for path in (files.int8, files.onnx))
        detail = html("fit_int8_detail", int8=int8, float32=float32)
        tiles.append(("fit_int8", f"{result.int8_top1:.1f} %", detail))
    tiles.append(("fit_time", clock(result.seconds), Markup()))
    return [{"key": key, "value": value, "detail": detail} for key, value, detail in tiles]


def _of_kind(kind: str, found: Sequence[Issue]) -> dict[str, Any]:
    """What the page lists of a kind of issues."""
    own = [one for one in found if one.kind == kind]
    return {
        "name": html(text_key(kind)),
        "meaning": html(text_key(kind, "means")),
        "count": len(own),
        "issues": own[:_LISTED],
    }


def _sheet(files: FitFolder) -> str | None:
    """The contact sheet as a data URI."""
    if not files.sheet.is_file():
        return None
    return f"data:image/png;base64,{base64.b64encode(files.sheet.read_bytes()).decode()}"
