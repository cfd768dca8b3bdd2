"""``fit``: from a folder of photos to a working model, within a time."""

import math
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from mindcv_shufflenet.console import notes_held_back
from mindcv_shufflenet.deploy.export.export import Export
from mindcv_shufflenet.errors import Interrupted, RunError, UserError
from mindcv_shufflenet.evaluation.analysis import analyse
from mindcv_shufflenet.fitting.budget import HEAD_SHARE, LABELS_SHARE, MAX_SECONDS, MIN_SECONDS, SCAN_SHARE, Budget
from mindcv_shufflenet.fitting.features import FeatureReader, set_head, unfold
from mindcv_shufflenet.fitting.finetune import Plan, Tuned, fine_tune
from mindcv_shufflenet.fitting.head import HeadFitter, judged_right, margins_of, suspected
from mindcv_shufflenet.fitting.issues import Issue, find_issues, label_issues, meaning
from mindcv_shufflenet.fitting.keep import keep_calibration, keep_exported, keep_int8, keep_weights
from mindcv_shufflenet.fitting.layout import COPIES, FitFolder, sort_copies, write_photos
from mindcv_shufflenet.fitting.material import FEW, FirstModel, Material
from mindcv_shufflenet.fitting.near_duplicates import groups_of
from mindcv_shufflenet.fitting.page import fit_page
from mindcv_shufflenet.fitting.photos import Photos, scan
from mindcv_shufflenet.fitting.result import FitResult, result_of, right_on
from mindcv_shufflenet.fitting.sheet import draw_sheet
from mindcv_shufflenet.fitting.split import FOLDS, folds_of, split_photos
from mindcv_shufflenet.fitting.start import Start, choose_start
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.batch_norm import has_folded_norms
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.tables import names_of, unread
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.report.gradcam import explained
from mindcv_shufflenet.report.write import write_tables
from mindcv_shufflenet.runtime.cores import count_workers
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.storage.files import atomic_write_csv, atomic_write_text, exclusive
from mindcv_shufflenet.storage.run_directory import RunDirectory, classes_of
from mindcv_shufflenet.training.display import clock
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import metadata_of

# Images of a training step, where the user names no number.
_BATCH_SIZE = 32


@mode_restored()
def fit(
    photos: str | Path,
    output: str | Path = "fit",
    *,
    seconds: float = 600.0,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    console: Console | None = None,
    begin: float | None = None,
) -> FitResult:
    """Look at photos, train a network on them as well as a time allows, and export it.

    Args:
        photos: a folder of class folders, or one with ``train`` and ``val``, which hold them.
        output: the folder for what comes out.
        seconds: that it may take, a minute or more.
        options: by name, as a recipe has them: of the network, its weights and its images.
        overwrite: replace an earlier fit.
        console: shows how it goes on; None: nothing is shown.
        begin: reading of ``time.perf_counter`` at the beginning of the time; None: now.

    Returns:
        What came out; also where a signal has ended the training early.

    Raises:
        UserError: an option is wrong, there are no class folders, or the output is there.
        RunError: nothing was learned in the time.
        Interrupted: a signal has come while there was no training; the best weights so far are kept, if there are any.
    """
    budget = Budget(seconds, begin)
    console = console or Console(quiet=True, force_terminal=False)
    own = {"batch_size": _BATCH_SIZE, **(options or {})}
    others = unread("fit", own)
    if others:
        raise UserError(others[0])
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise UserError(f"{seconds:g} s is no time for a fit: give 1m to 168h")
    if not Path(photos).is_dir():
        is_file = Path(photos).is_file()
        raise UserError(f"{photos} is a file: give a folder of photos" if is_file else f"there is no folder {photos}")
    start = choose_start(own)
    files = FitFolder(Path(output), start.model)
    is_new = not files.folder.exists()
    try:
        with exclusive(files.folder), notes_held_back():
            _check_output(files, Path(photos))
            files.recover()
            if files.is_fit and not overwrite:
                raise UserError(f"{output} has an earlier fit: give --out another folder, or --overwrite")
            return _Fit(files, budget, console).run(Path(photos), start)
    except (Interrupted, KeyboardInterrupt) as error:
        kept = f"; the weights in {output} stay" if files.is_fit else ""
        if isinstance(error, KeyboardInterrupt):
            error = Interrupted("SIGINT, before the work was done", 128 + signal.SIGINT)
        raise Interrupted(f"{error}{kept}", error.status) from None
    finally:
        if is_new:
            with suppress(OSError):  # it is not empty
                files.folder.rmdir()


def _check_output(files: FitFolder, photos: Path) -> None:
    """Refuse an output that would replace or mix with something else than a fit.

    Raises:
        UserError: something else is there, or one of the folders lies in the other.
    """
    folder = files.folder
    inner, outer = folder.resolve(), photos.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise UserError(f"--out {folder} and {photos} overlap: give --out another folder")
    if not files.is_free:
        raise UserError(f"{folder} exists and is no earlier fit: give --out another folder")


class _Fit:
    """One fit at work.

    Args:
        files: what it writes.
        budget: its time.
        console: shows how it goes on.
    """

    def __init__(self, files: FitFolder, budget: Budget, console: Console) -> None:
        self.files = files
        self.budget = budget
        self.console = console

    def run(self, folder: Path, start: Start) -> FitResult:
        """Do all of it."""
        config = start.settled.config
        set_up(config)
        open_network(start.settled, 2, is_start=True)  # weights that do not fit are told at once
        self._say(f"looking at the photos of {folder}")
        with TemporaryDirectory(dir=self.files.folder, prefix=COPIES) as copies:
            side = math.ceil(config.image_resize / config.crop_pct)
            workers, _ = count_workers(config.num_parallel_workers)
            photos = scan(folder, Path(copies), SCAN_SHARE * self.budget.seconds, side, workers, self.console)
            start = start.for_photos(photos.short_side)
            self._say(start.note)
            network, reader = self._open(start, photos, workers)
            photos = photos.thinned(self.budget.affordable)
            with self.files.successor():
                return self._fit(start, photos, network, reader)

    def _fit(self, start: Start, photos: Photos, network: Network, reader: FeatureReader) -> FitResult:
        """Do what comes after the look at the photos."""
        material = self._split(start, photos)
        issues, first = find_issues(material.photos, material.groups), None
        if start.is_pretrained:
            first, doubts = self._fit_head(material, network, reader.read(material.copies, self.console))
            issues += doubts
        self._tell(issues, material.copies)
        tuned = self._tune(material, network, first)
        return self._finish(material, issues, first, tuned)

    def _split(self, start: Start, photos: Photos) -> Material:
        """Hold some photos out, and sort the copies."""
        groups = groups_of(photos.stats)
        is_val = photos.in_validation
        if is_val is None:
            is_val = split_photos(photos.labels, groups)
        material = Material(start, photos, groups, is_val, sort_copies(self.files, photos, groups, is_val))
        self._say(
            f"{counted(len(photos), 'photo')} of {counted(material.classes, 'class', 'classes')}:"
            f" {int((~is_val).sum())} to learn from, {int(is_val.sum())} to check with"
        )
        if photos.passed_over:
            self._say(f"{photos.passed_over} more are left out, to keep within the time; give a longer --time")
        return material

    def _open(self, start: Start, photos: Photos, workers: int) -> tuple[Network, FeatureReader]:
        """Open the network, ready for training, and measure how long a photo takes."""
        opened = open_network(start.settled, len(photos.class_names), is_start=True)
        if start.is_pretrained and has_folded_norms(opened.network):
            self._say("BatchNorm was folded into these weights; its statistics are measured on the photos")
            unfold(opened.network, opened.preprocessing, photos.copies, self.console)
        reader = FeatureReader(opened.network, opened.preprocessing, workers)
        self.budget.layers = len(opened.network.plan.layers)
        self.budget.seconds_per_photo = reader.seconds_per_photo(photos.copies)
        return opened.network, reader

    def _fit_head(self, material: Material, network: Network, features: np.ndarray) -> tuple[FirstModel, list[Issue]]:
        """Fit a classifier on features that were computed once, and look for wrong labels with it."""
        photos, is_val, classes = material.photos, material.is_val, material.classes
        fitter = HeadFitter(features, photos.labels, classes, has_bias=network.get_classifier().has_bias)
        chosen = fitter.choose(is_val, HEAD_SHARE * self.budget.seconds)
        set_head(network, chosen.head)
        self._save_first(material, network)
        seconds = self.budget.spent
        is_right = chosen.head.probabilities(features[is_val]).argmax(axis=1) == photos.labels[is_val]
        is_cross_validated, issues = False, list[Issue]()
        if FOLDS * chosen.seconds > LABELS_SHARE * self.budget.seconds:
            self._say("there is no time to look for wrong labels; give a longer --time")
        else:
            probabilities = fitter.out_of_fold(folds_of(photos.labels, material.groups), chosen.strength)
            margins = margins_of(probabilities, photos.labels)
            write_photos(self.files, photos, material.groups, material.copies, margins)
            issues = label_issues(photos, suspected(probabilities, photos.labels), margins, probabilities)
            judged = judged_right(probabilities, photos.labels)
            if material.is_small and len(judged):
                is_cross_validated, is_right = True, judged
        first = FirstModel(int(is_right.sum()), len(is_right), seconds, is_cross_validated)
        self._say(f"first model: {right_on(first.right, first.images)}")
        return first, issues

    def _save_first(self, material: Material, network: Network) -> None:
        """Save the network with the first classifier, and keep it until there is a better one."""
        config = material.start.settled.config.replace(
            dataset="folder", num_classes=material.classes, in_channels=3, **network.options
        )
        names = material.photos.class_names
        classes = classes_of(list(names), {name: index for index, name in enumerate(names)})
        self.files.head.parent.mkdir()
        save_checkpoint(network, self.files.head, metadata_of(config, classes))
        keep_weights(self.files, self.files.head)

    def _tell(self, issues: Sequence[Issue], copies: Sequence[Path]) -> None:
        """Write what is unusual, and say how much of each kind there is."""
        atomic_write_csv(self.files.issues, ("kind", "subject", "detail"), (one[:3] for one in issues))
        has_sheet = draw_sheet(self.files.sheet, issues, copies)
        for kind, count in Counter(one.kind for one in issues).items():
            example = next(one for one in issues if one.kind == kind)
            self._say(f"{kind} ({count}): {meaning(kind)}; for example {example.subject}: {example.detail}")
        if issues:
            where = f"{self.files.issues}, {self.files.sheet}" if has_sheet else str(self.files.issues)
            self._say(f"all of them: {where}")

    def _tune(self, material: Material, network: Network, first: FirstModel | None) -> Tuned | None:
        """Train the other layers too, if that can be judged; keep what is better.

        Raises:
            RunError: there are no weights to keep, as nothing was trained.
            Interrupted: likewise, because of a signal.
        """
        if material.is_small:
            self._say(f"fewer than {FEW} photos: the classifier alone is trained")
            return None
        plan = Plan(
            self._options(material.start) | ({"ckpt_path": str(self.files.head)} if first else {}),
            [stage.name for stage in network.feature_info[:-1]],
            material.photos.short_side,
            material.start.settled.config.image_resize,
            int((~material.is_val).sum()),
            int(material.is_val.sum()),
            is_pretrained=material.start.is_pretrained,
        )
        tuned = fine_tune(self.files, plan, self.budget, self._say)
        if tuned and tuned.top1 is not None and tuned.top1 >= (first.top1 if first else 0):
            keep_weights(self.files, RunDirectory(self.files.training).best(self.files.model))
        elif first is None:
            if tuned and tuned.interrupted:
                raise Interrupted("the training was ended before anything was learned", tuned.interrupted)
            raise RunError("nothing was learned in the time: give a longer --time, or weights to start from")
        elif tuned:
            why = "it ended before its first epoch" if tuned.top1 is None else "the first one validates better"
            self._say(f"the first model is kept: {why}")
        return tuned

    def _options(self, start: Start) -> dict[str, Any]:
        """Return the options of training and evaluation: of the network, its images and the copies of the photos."""
        own = {name: value for name, value in start.options.items() if name not in names_of("weights", "command")}
        own["model"] = self.files.model
        return own | {"dataset": "folder", "data_dir": str(self.files.photos)}

    def _finish(
        self, material: Material, issues: Sequence[Issue], first: FirstModel | None, tuned: Tuned | None
    ) -> FitResult:
        """Calibrate and export what is kept, and write the page."""
        self._say("exporting and writing the report")
        options = self._options(material.start) | {"ckpt_path": str(self.files.checkpoint)}
        findings = analyse(options | {"engine": "onnxruntime"}, console=self.console)
        keep_calibration(self.files, findings)
        keep_exported(self.files, options)
        int8 = self._keep_int8(options)
        result = result_of(self.files, material, issues, first, tuned, findings, int8, self.budget.spent)
        findings = explained(findings, options)
        write_tables(self.files.folder, findings)
        atomic_write_text(self.files.report, fit_page(self.files, result, findings, issues))
        return replace(result, seconds=self.budget.spent)

    def _keep_int8(self, options: Mapping[str, Any]) -> Export | None:
        """Export to int8 too, where that can be had."""
        try:
            return keep_int8(self.files, options)
        except (UserError, RunError) as error:
            self._say(f"there is no int8 file: {error}")
            return None

    def _say(self, line: str) -> None:
        """Show a line with the time."""
        self.console.print(f"{clock(self.budget.spent)}  {line}")
