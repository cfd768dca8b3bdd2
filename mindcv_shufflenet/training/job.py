"""What a training starts from, and everything that it consists of, built from the options."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mindspore import nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.loader import Loader, eval_loader, train_loader
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.models.batch_norm import moving_norms
from mindcv_shufflenet.models.freezing import freeze
from mindcv_shufflenet.models.fusion import in_precision
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.sync_batch_norm import synchronise_batch_norm
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.storage.run_directory import HeldOut, RunDirectory
from mindcv_shufflenet.training.checks.before_start import (
    check_batch_norm,
    check_same_classes,
    class_notes,
    held_out_here,
    loader_notes,
    network_notes,
    precision_notes,
    schedule_notes,
)
from mindcv_shufflenet.training.checks.learning import rate_warnings
from mindcv_shufflenet.training.record.recorder import Run
from mindcv_shufflenet.training.record.resume_point import ResumePoint, find_resume_point
from mindcv_shufflenet.training.record.state import Data
from mindcv_shufflenet.training.schedules import learning_rates
from mindcv_shufflenet.training.step import create_step
from mindcv_shufflenet.training.stopping import given_more_epochs, is_complete
from mindcv_shufflenet.training.teacher import open_teacher
from mindcv_shufflenet.training.updates import Updates
from mindcv_shufflenet.weights.provenance import Settled, resolve_alias, settle


class Start(NamedTuple):
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
        return self.source is not None and is_complete(self.settled.config, self.source.progress)

    @property
    def folder(self) -> Path:
        """The run directory; where nothing changes, that of the finished run."""
        finished = self.source.path.parent if self.source and self.is_done else None
        return finished or Path(self.settled.config.ckpt_save_dir)


class TrainingImages(NamedTuple):
    """What a training reads: the images and their batches, and notes on them; ``val_loader`` is None for none."""

    split: Split
    loader: Loader
    val_loader: Loader | None
    data: Data
    notes: list[str]


class Job(NamedTuple):
    """A training that is ready to begin.

    Attributes:
        run: options, data, network and step, as they are recorded.
        trained: the network in its training precision.
        average: a network whose weights become the moving average of the trained ones; None: there is none.
        updates: which steps end with one, and its learning rate.
        images: what it reads.
        notes: lines about network and weights.
    """

    run: Run
    trained: nn.Cell
    average: nn.Cell | None
    updates: Updates
    images: TrainingImages
    notes: list[str]


def find_start(options: Mapping[str, Any]) -> Start:
    """Find the stopped run that the options resume, or else the weights that they start from."""
    source = find_resume_point(resolve_alias(parse_config(options)), options)
    if source is None:
        settled = settle(options)
        return Start(settled, None, held_out_here(settled.held_out, Path(settled.config.data_dir)))
    stopped = source.options()
    config = resolve_alias(parse_config({**stopped, **options}))
    source = source._replace(
        progress=given_more_epochs(source.progress, parse_config(stopped, is_recorded=True), config)
    )
    held_out = RunDirectory(source.path.parent).read().held_out
    start = Start(Settled(config, None, [], frozenset(), None, held_out), source, held_out)
    return start._replace(source=source.without_rewinding()) if start.is_done else start


def open_images(config: Config, machine: Machine, held_out: HeldOut | None) -> TrainingImages:
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
    return TrainingImages(split, loader, val_loader, data, notes)


def build_job(start: Start, machine: Machine, images: TrainingImages) -> Job:
    """Build network and step, and resolve the options that depend on data, machine and network."""
    config, split, loader = start.settled.config, images.split, images.loader
    opened = open_network(start.settled, split.num_classes, is_start=True)
    network, notes = opened.network, opened.notes
    freeze(network, config.freeze)
    check_batch_norm(config, network, loader)
    ranks = current().world.size
    if config.sync_bn:
        synchronise_batch_norm(network, moving_norms(network), machine.device, ranks)
    config = config.replace(
        dataset=split.dataset or config.dataset,
        num_classes=split.num_classes,
        num_parallel_workers=machine.workers,
        device_target=machine.device,
        drop_rate=network.drop_rate,
        **network.options,
    )
    notes += class_notes(config, split, start.settled.classes) + schedule_notes(config) + loader_notes(loader)
    notes += precision_notes(config)
    notes += network_notes(config, network, has_weights=bool(start.source or start.settled.weights))
    notes += rate_warnings(config, loader.batch_size * ranks * config.gradient_accumulation_steps)
    updates = Updates.of(learning_rates(config, len(loader)), len(loader), config.gradient_accumulation_steps)
    precision = config.amp_level, config.amp_cast_list
    average = in_precision(network.inference_twin(), *precision) if config.ema else None
    trained = in_precision(network, *precision)
    teacher = open_teacher(config, split)
    step = create_step(config, trained, updates.rates, ranks, average, teacher.network)
    run = Run(config, machine, images.data, split, network, step, teacher.checksum)
    return Job(run, trained, average, updates, images, notes + teacher.notes)
