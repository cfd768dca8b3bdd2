"""``write_report``: the record of a run, or of several side by side, as one HTML file and tables in CSV."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from rich.console import Console

from mindcv_shufflenet.errors import UserError, unknown_name
from mindcv_shufflenet.evaluation.analysis import Findings, Part, analyse
from mindcv_shufflenet.evaluation.calibration import Calibration
from mindcv_shufflenet.report.comparison_page import comparison_page
from mindcv_shufflenet.report.findings_part import calibration_saved
from mindcv_shufflenet.report.gradcam import explained
from mindcv_shufflenet.report.run import Run, read_run
from mindcv_shufflenet.report.run_page import run_page
from mindcv_shufflenet.report.texts import LANGUAGES, html
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.storage.files import atomic_write_csv, atomic_write_text, exclusive, is_writable
from mindcv_shufflenet.storage.run_directory import (
    CLASS_SCORES_FILE,
    CONFUSION_FILE,
    REPORT_FILE,
    REPORT_MARKER,
    TRAIN_CONFUSION_FILE,
    is_of_report,
)
from mindcv_shufflenet.weights.checkpoint import change_metadata
from mindcv_shufflenet.weights.load import read_weights

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        file: the page.
        tables: the CSV files beside it.
        runs: the run directories.
        best_top1: of each run, in percent; None where it was not validated.
        top1: of the evaluated weights of a single run on the validation images, in percent; None where nothing was
            evaluated, as with its fellows.
        top5: likewise.
        train_top1: likewise, on the training images without augmentation.
        ece: expected calibration error of the half of the validation images that the temperature was not fitted on, in
            percent.
        calibrated_ece: the same with the temperature.
        temperature: what the logits are divided by.
    """

    file: Path
    tables: tuple[Path, ...]
    runs: tuple[Path, ...]
    best_top1: tuple[float | None, ...]
    top1: float | None = None
    top5: float | None = None
    train_top1: float | None = None
    ece: float | None = None
    calibrated_ece: float | None = None
    temperature: float | None = None


@mode_restored()
def write_report(
    runs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    output: str | os.PathLike[str] | None = None,
    full: bool = False,
    language: str = "en",
    options: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> Report:
    """Write the report of a run, finished or still running, or compare several.

    The weights of one run are evaluated on its validation images and on training images; several runs are compared by
    their logs. A temperature that calibrates the probabilities goes into the checkpoint, unless the run is at work or
    the options name other images. Tables of an earlier report go where nothing could be evaluated.

    Args:
        runs: a run directory, or several.
        output: the HTML file; tables go beside it. None: ``report.html`` in the run directory, of several runs in the
            present folder.
        full: evaluate all training images, not only as many as there are validation images.
        language: ``en`` or ``zh``, which the page shows at first; it holds both.
        options: of the evaluation, by name, such as ``data_dir`` where the images have moved.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: a folder is no run or has no log, or the page or a table cannot be written or would replace another
            file.
        RunError: the network's outputs are not numbers.
    """
    if language not in LANGUAGES:
        raise UserError(unknown_name("language", language, LANGUAGES))
    folders = [Path(runs)] if isinstance(runs, str | os.PathLike) else [Path(run) for run in runs]
    if not folders:
        raise UserError("there is no run to report on: give a run directory")
    found = [read_run(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    single = found[0].directory.folder if len(found) == 1 else Path()
    file = Path(output or single / REPORT_FILE)
    _check_free(file, [] if len(found) > 1 else _tables_beside(file))
    if len(found) == 1:
        return _report_run(found[0], file, full, language, options or {}, console)
    atomic_write_text(file.resolve(), comparison_page(found, language))
    return Report(file, (), tuple(run.directory.folder for run in found), tuple(map(_best_top1, found)))


def _report_run(
    run: Run, file: Path, full: bool, language: str, options: Mapping[str, Any], console: Console | None
) -> Report:
    """Evaluate one run and write its page and tables, or the page alone where nothing can be evaluated."""
    read, scores = (run.directory.folder,), (_best_top1(run),)
    findings, reason = _evaluate(run, options, full, console)
    if findings is None:
        atomic_write_text(file.resolve(), run_page(run, None, reason, Markup(), language))
        for table in _tables_beside(file):
            table.unlink(missing_ok=True)
        return Report(file, (), read, scores)
    calibration = findings.calibration
    kept = _keep_temperature(run, calibration, run.changed_by(options)) if calibration else Markup()
    atomic_write_text(file.resolve(), run_page(run, findings, reason, kept, language))
    return Report(
        file,
        write_tables(file.parent, findings),
        read,
        scores,
        findings.val.metrics.top1,
        findings.val.metrics.top5,
        findings.train.metrics.top1,
        calibration and 100 * calibration.before.ece,
        calibration and 100 * calibration.after.ece,
        calibration and calibration.temperature,
    )


def _best_top1(run: Run) -> float | None:
    return run.best.score if run.best else None


def _tables_beside(file: Path) -> list[Path]:
    """The paths of the tables of a page."""
    return [file.parent / name for name in (CONFUSION_FILE, TRAIN_CONFUSION_FILE, CLASS_SCORES_FILE)]


def _check_free(file: Path, tables: Sequence[Path]) -> None:
    """Refuse to replace what is no file of an earlier report, and a folder that cannot be written.

    Raises:
        UserError: naming the first one.
    """
    if file.parent.is_dir() and not is_writable(file.parent):
        raise UserError(f"cannot write {file}: give --output a file in a folder that can be written")
    if file in tables:
        raise UserError(f"{file} is where a table of the report goes: give --output another name")
    for path in (file, *tables):
        if path.exists() and not is_of_report(path):
            raise UserError(f"{path} is there already and is no earlier report: give --output another place")


def _evaluate(
    run: Run, options: Mapping[str, Any], full: bool, console: Console | None
) -> tuple[Findings | None, Markup]:
    """Evaluate the weights of a run, or say why that cannot be: what the log tells is reported all the same."""
    if run.checkpoint is None:
        return None, html("not_evaluated", reason=html("no_checkpoint"))
    try:
        own = run.evaluation_options(options)
        findings = analyse(own, num_samples=run.config.num_samples, full=full, console=console)
        return explained(findings, own), Markup()
    except UserError as error:
        _logger.info("the report has no confusion matrix: %s", error)
        return None, html("not_evaluated", reason=str(error))


def _keep_temperature(run: Run, calibration: Calibration, changed: Sequence[str]) -> Markup:
    """Write the temperature into the checkpoint, and say what became of it.

    It stays out while the training is at work, and where the images are not those of the run.

    Args:
        run: the run.
        calibration: with the temperature.
        changed: names of the options by which the images are others.
    """
    checkpoint = run.checkpoint
    metadata = read_weights(checkpoint).metadata if checkpoint else None
    if checkpoint is None or metadata is None:
        return Markup()
    if changed:
        return html("calibration_other_images", options=", ".join(f"--{name}" for name in changed))
    if metadata.temperature != calibration.temperature:
        if run.is_running or not is_writable(run.directory.folder):
            return html("calibration_not_saved")
        with exclusive(run.directory.folder):
            change_metadata(checkpoint, metadata._replace(temperature=calibration.temperature))
    return calibration_saved(calibration, checkpoint.name)


def write_tables(folder: Path, findings: Findings) -> tuple[Path, ...]:
    """Write the confusion matrices and the figures of each class as CSV files into a folder, and return their paths."""
    names = findings.class_names
    tables: dict[str, tuple[list[str], list[list[Any]]]] = {
        CONFUSION_FILE: _matrix_rows(names, findings.val),
        TRAIN_CONFUSION_FILE: _matrix_rows(names, findings.train),
        CLASS_SCORES_FILE: (
            [_marked("class"), *findings.val.scores._fields],
            [[name, *figures] for name, *figures in zip(names, *findings.val.scores, strict=True)],
        ),
    }
    for name, (head, rows) in tables.items():
        atomic_write_csv((folder / name).resolve(), head, rows)
    return tuple(folder / name for name in tables)


def _matrix_rows(names: Sequence[str], part: Part) -> tuple[list[str], list[list[Any]]]:
    """A confusion matrix as a head of answers, and a row a label."""
    rows = np.asarray(part.matrix).tolist()
    return [_marked("label"), *names], [[name, *row] for name, row in zip(names, rows, strict=True)]


def _marked(name: str) -> str:
    """The name of a table's first column, which tells that the table is a report's."""
    return f"{REPORT_MARKER}: {name}"
