"""``train``: train a network on a data set, or resume a training that was stopped."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.evaluation.evaluator import score
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.parallel.agreement import compare_ranks
from mindcv_shufflenet.parallel.group import alone, current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.parallel.vote import create_vote
from mindcv_shufflenet.parallel.watchdog import outlive_launcher
from mindcv_shufflenet.runtime.mode import compiled, mode_restored
from mindcv_shufflenet.training.checks.inputs import check_inputs
from mindcv_shufflenet.training.checks.learning import Baseline, Guessable, new_warnings
from mindcv_shufflenet.training.display import Display
from mindcv_shufflenet.training.job import Job, Start, build_job, find_start, open_images
from mindcv_shufflenet.training.kernels import find_kernels, products_in
from mindcv_shufflenet.training.masks import create_masks
from mindcv_shufflenet.training.record.recorder import Recorder
from mindcv_shufflenet.training.record.resume import resume
from mindcv_shufflenet.training.record.resume_point import ResumePoint
from mindcv_shufflenet.training.record.state import Progress, weights_checksum
from mindcv_shufflenet.training.result import TrainResult, result_of
from mindcv_shufflenet.training.stopping import Rule, SignalReceived, Stopping, describe_end, ends
from mindcv_shufflenet.training.trainer import Trainer
from mindcv_shufflenet.training.validation import Validate, Validation

_logger = logging.getLogger(__name__)


@mode_restored()
def train(
    options: Mapping[str, Any],
    *,
    given: Collection[str] | None = None,
    console: Console | None = None,
    rules: Sequence[Rule] = (),
) -> TrainResult:
    """Train as the options say.

    Each of several ranks calls this with the same options, after :func:`parallel.group.join`.

    Args:
        options: by name, as a recipe has them (docs/options.md).
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        console: shows how the training goes on; None: nothing is shown. What the user may not expect is logged.
        rules: that may stop the training, beside those of the options.

    Raises:
        UserError: an option is wrong, or data or weights are missing or do not fit.
        RunError: the loss or a weight is not a number, or the ranks disagree; the last saved state is kept.
        Interrupted: a signal has come, or a rule gave a reason to stop inside an epoch; the state is saved.
    """
    console = console or Console(quiet=True, force_terminal=False)
    start = find_start(options)
    check_inputs(start.settled.config)
    machine, adapted = set_up(start.settled.config)
    images = open_images(start.settled.config, machine, start.held_out)
    machine, computed = find_kernels(start.settled.config, machine)
    job = build_job(start, machine, images)
    progress, resumed = _resume(start, job)
    unused = notes_on_options("train", start.settled.config, options if given is None else given, current().world.size)
    for note in (*job.notes, *unused, *images.notes, *adapted, *computed, *resumed):
        _logger.info(note)
    config = job.run.config
    console.print(
        f"{config.model}, {counted(images.split.num_classes, 'class', 'classes')},"
        f" {counted(len(images.split), 'image')} in {counted(len(images.loader), 'step')} an epoch, {machine}"
    )
    # all ranks have now read what rank 0 is about to write over
    compare_ranks(config, asdict(images.data), [weights_checksum(job.run.step.state_parameters()), job.run.teacher])
    if start.is_done:
        advice = "--epoch_size" if progress.epoch >= config.epoch_size else "--epoch_size or --early_stopping 0"
        console.print(f"{describe_end(config, progress)}, so nothing changes; give a larger {advice} to train on")
    else:
        progress = _run(start.source, job, progress, console, rules)
        _report(config, start.folder, console)
        current().barrier()  # rank 0 has written the files that the result names
        if progress.epoch < config.epoch_size:
            console.print(describe_end(config, progress))
    return result_of(config, start.folder, progress)


def _resume(start: Start, job: Job) -> tuple[Progress, list[str]]:
    """Return where the training begins, and notes; bring network and optimizer there."""
    if start.source is None:
        return Progress(), []
    run = job.run
    return resume(start.source, run.circumstances, run.network, run.step, job.updates, run.split.class_to_index)


def _run(source: ResumePoint | None, job: Job, progress: Progress, console: Console, rules: Sequence[Rule]) -> Progress:
    """Train in the run directory, which no other process may do meanwhile."""
    run, steps, group = job.run, len(job.images.loader), current()
    config, network = run.config, run.network
    if source:
        where = f"epoch {progress.epoch + 1} of {config.epoch_size}, step {progress.step} of {steps}"
        console.print(f"goes on from {source.checkpoint or source.path}: {where}")
    outlive_launcher()
    vote = create_vote(group.world, run.machine.device)
    precision = products_in(config.cpu_precision)
    with precision, Recorder.begin(run, progress, source) as recorder, SignalReceived.held() as signal_received:
        trainer = Trainer(
            compiled(config, run.step),
            job.images.loader,
            job.updates,
            create_masks(network.drop_rate, network.num_features, network.path_rates, config.seed, group.world),
            _validation(job),
            recorder,
            Display(console, config.epoch_size, steps),
            Stopping([*ends(config), *rules, signal_received], group, vote),
            group,
            partial(new_warnings, baseline=_baseline_of(job)),
            config.log_interval,
        )
        return trainer.run(progress)


def _baseline_of(job: Job) -> Baseline:
    """Return what tells whether the training learns."""
    images = job.images
    looks = len(images.loader.places()) * images.loader.ranks
    val = Guessable.of(images.val_loader.split.labels) if images.val_loader else None
    return Baseline(job.run.config, Guessable.of(images.split.labels, looks), val)


def _report(config: Config, folder: Path, console: Console) -> None:
    """Write the report of the finished run on rank 0. The training has succeeded, whatever becomes of the report."""
    if not config.report or not current().is_first:
        return
    from mindcv_shufflenet.report.write import write_report  # matplotlib is slow to import

    try:
        with alone():
            write_report(folder, console=console)
    except Exception as error:
        _logger.info("there is no report: %s", str(error).partition("\n")[0] or type(error).__name__)
        _logger.debug("why there is no report", exc_info=True)


def _validation(job: Job) -> Validation | None:
    """Return what validates the weights and their average; None if nothing is validated."""
    config, loader = job.run.config, job.images.val_loader
    if loader is None:
        return None

    def validate(network: nn.Cell) -> Validate:
        return partial(score, MindSporeEngine(network, config), loader)

    average = None if job.average is None else validate(job.average)
    return Validation(validate(job.trained), average, config.val_interval, config.epoch_size)
