"""``train``: train a network on a data set, or resume a training that was stopped."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.loader import Loader, eval_loader, train_loader
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.evaluation.evaluator import Observer, score
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.parallel.agreement import compare_ranks
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.parallel.sync_batch_norm import synchronise_batch_norm
from mindcv_shufflenet.parallel.vote import create_vote
from mindcv_shufflenet.parallel.watchdog import outlive_launcher
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.runtime.mode import compiled, mode_restored
from mindcv_shufflenet.runtime.precision import mixed_precision
from mindcv_shufflenet.storage.run_directory import HeldOut, RunDirectory
from mindcv_shufflenet.training.checks import (
    check_batch_norm,
    check_same_classes,
    class_notes,
    held_out_here,
    loader_notes,
    schedule_notes,
)
from mindcv_shufflenet.training.display import Display
from mindcv_shufflenet.training.dropout import DropoutMasks
from mindcv_shufflenet.training.recorder import Recorder, Run
from mindcv_shufflenet.training.result import TrainResult, result_of
from mindcv_shufflenet.training.resume import resume
from mindcv_shufflenet.training.resume_point import ResumePoint, find_resume_point
from mindcv_shufflenet.training.schedules import learning_rates
from mindcv_shufflenet.training.state import Data, Progress, weights_checksum
from mindcv_shufflenet.training.step import create_step
from mindcv_shufflenet.training.stopping import EpochsDone, SignalReceived, Stopping
from mindcv_shufflenet.training.trainer import Trainer
from mindcv_shufflenet.weights.provenance import Settled, resolve_alias, settle
from mindcv_shufflenet.weights.records import find_record

_logger = logging.getLogger(__name__)


@mode_restored()
def train(
    options: Mapping[str, Any], *, given: Collection[str] | None = None, console: Console | None = None
) -> TrainResult:
    """Train as the options say.

    Each of several ranks calls this with the same options, after :func:`parallel.group.join`.

    Args:
        options: by name, as a recipe has them (docs/options.md).
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        console: shows how the training goes on; None: nothing is shown. What the user may not expect is logged.

    Raises:
        UserError: an option is wrong, or data or weights are missing or do not fit.
        RunError: the loss or a weight is not a number, or the ranks disagree; the last saved state is kept.
        Interrupted: a signal has come; the state is saved.
    """
    console = console or Console(quiet=True, force_terminal=False)
    start = _find_start(options)
    machine, adapted = set_up(start.settled.config)
    images = _open_images(start.settled.config, machine, start.held_out)
    job = _build(start, machine, images)
    progress, resumed = _resume(start, job)
    unused = notes_on_options("train", start.settled.config, options if given is None else given, current().world.size)
    for note in (*job.notes, *unused, *images.notes, *adapted, *resumed):
        _logger.info(note)
    config = job.run.config
    console.print(
        f"{config.model}, {config.num_classes} classes,"
        f" {len(images.split)} images in {len(images.loader)} steps an epoch, {machine}"
    )
    # all ranks have now read what rank 0 is about to write over
    compare_ranks(config, asdict(images.data), weights_checksum(job.run.step))
    if start.is_done:
        more = f" (the run has {progress.epoch})" if progress.epoch > config.epoch_size else ""
        done = f"all {config.epoch_size} epochs are done{more}"
        console.print(f"{done}, so nothing changes; give a larger --epoch_size to train on")
    else:
        progress = _run(start.source, job, progress, console)
        current().barrier()  # rank 0 has written the files that the result names
    return result_of(config, start.folder, progress)


class _Start(NamedTuple):
    """What a training starts from.

    Attributes:
        settled: the options, and the weights that a new run starts from.
        source: the stopped run that is resumed; None for a new one.
        held_out: images that are not trained on, since the weights were not; None: nothing tells of such.
    """

    settled: Settled
    source: ResumePoint | None
    held_out: HeldOut | None

    @property
    def is_done(self) -> bool:
        """Whether the run that is resumed has nothing left to train."""
        return self.source is not None and self.source.progress.epoch >= self.settled.config.epoch_size

    @property
    def folder(self) -> Path:
        """The run directory; where nothing changes, that of the finished run."""
        finished = self.source.path.parent if self.source and self.is_done else None
        return finished or Path(self.settled.config.ckpt_save_dir)


class _Images(NamedTuple):
    """What a training reads: the images and their batches, and notes on them; ``val_loader`` is None for none."""

    split: Split
    loader: Loader
    val_loader: Loader | None
    data: Data
    notes: list[str]


class _Job(NamedTuple):
    """A training that is ready to begin.

    Attributes:
        run: options, data, network and step, as they are recorded.
        trained: the network in its training precision.
        rates: learning rate of each step.
        images: what it reads.
        notes: lines about network and weights.
    """

    run: Run
    trained: nn.Cell
    rates: np.ndarray
    images: _Images
    notes: list[str]


def _find_start(options: Mapping[str, Any]) -> _Start:
    """Find the stopped run that the options resume, or else the weights that they start from."""
    source = find_resume_point(resolve_alias(parse_config(options)), options)
    if source is None:
        settled = settle(options)
        return _Start(settled, None, held_out_here(settled.held_out, Path(settled.config.data_dir)))
    config = resolve_alias(parse_config({**source.options(), **options}))
    held_out = RunDirectory(source.path.parent).read().held_out
    start = _Start(Settled(config, None, [], frozenset(), None, held_out), source, held_out)
    return start._replace(source=source.without_rewinding()) if start.is_done else start


def _open_images(config: Config, machine: Machine, held_out: HeldOut | None) -> _Images:
    """Open the training images, and those of the validation if there is one."""
    world = current().world
    split = open_data(config, config.train_split, held_out=held_out, num_samples=config.num_samples)
    notes = list(split.notes)
    loader = train_loader(config, split, machine.workers, world.rank, world.size)
    val_loader, val_checksum = None, None
    if config.val_while_train:
        val_split = open_data(config, config.val_split, held_out=held_out)
        notes += [note for note in val_split.notes if note not in notes]
        check_same_classes(config, split, val_split)
        val_loader = eval_loader(config, val_split, machine.workers, world.rank, world.size)
        val_checksum = split_checksum(val_split, config.data_dir)
    data = Data(len(split), len(loader), split_checksum(split, config.data_dir), val_checksum)
    return _Images(split, loader, val_loader, data, notes)


def _build(start: _Start, machine: Machine, images: _Images) -> _Job:
    """Build network and step, and resolve the options that depend on data, machine and network."""
    config, split, loader = start.settled.config, images.split, images.loader
    opened = open_network(start.settled, split.num_classes, is_start=True)
    network, notes = opened.network, opened.notes
    if start.source is None and start.settled.weights is None and find_record(config.model):
        notes.append(f"the weights begin at random; --pretrained begins with those of {config.model}")
    check_batch_norm(config, network, loader)
    ranks = current().world.size
    if config.sync_bn:
        synchronise_batch_norm(network, machine.device, ranks)
    config = config.replace(
        dataset=split.dataset or config.dataset,
        num_classes=split.num_classes,
        num_parallel_workers=machine.workers,
        device_target=machine.device,
        drop_rate=network.drop_rate,
        **network.options,
    )
    notes += class_notes(config, split, start.settled.classes) + schedule_notes(config) + loader_notes(loader)
    rates = learning_rates(config, len(loader))
    trained = mixed_precision(network, config.amp_level)
    step = create_step(config, trained, rates, ranks)
    return _Job(Run(config, machine, images.data, split, network, step), trained, rates, images, notes)


def _resume(start: _Start, job: _Job) -> tuple[Progress, list[str]]:
    """Return where the training begins, and notes; bring network and optimizer there."""
    if start.source is None:
        return Progress(), []
    run = job.run
    return resume(start.source, run.circumstances, run.network, run.step, run.split.class_to_index)


def _run(source: ResumePoint | None, job: _Job, progress: Progress, console: Console) -> Progress:
    """Train in the run directory, which no other process may do meanwhile."""
    run, steps, group = job.run, len(job.images.loader), current()
    config = run.config
    if source:
        where = f"epoch {progress.epoch + 1} of {config.epoch_size}, step {progress.step} of {steps}"
        console.print(f"goes on from {source.checkpoint or source.path}: {where}")
    outlive_launcher()
    vote = create_vote(group.world, run.machine.device)
    with Recorder.begin(run, progress, source) as recorder, SignalReceived.held() as signal_received:
        trainer = Trainer(
            compiled(config, run.step),
            job.images.loader,
            job.rates,
            DropoutMasks(config.drop_rate or 0.0, run.network.num_features, config.seed, group.world),
            _validation(job),
            recorder,
            Display(console, config.epoch_size, steps),
            Stopping([EpochsDone(config.epoch_size), signal_received], group, vote),
            group,
            epochs=config.epoch_size,
            val_interval=config.val_interval,
            log_interval=config.log_interval,
        )
        return trainer.run(progress)


def _validation(job: _Job) -> Callable[[Observer], Metrics] | None:
    """Return what validates the network as it is; None if nothing is validated."""
    if job.images.val_loader is None:
        return None
    return partial(score, MindSporeEngine(job.trained, job.run.config), job.images.val_loader)
