"""``average_checkpoints``: one checkpoint out of several of a run, as in stochastic weight averaging."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore import nn
from rich.console import Console

from mindcv_shufflenet.data.loader import train_loader
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.errors import UserError, checked_keywords
from mindcv_shufflenet.evaluation.evaluate import measure
from mindcv_shufflenet.models.batch_norm import moving_norms, recompute_statistics
from mindcv_shufflenet.models.freezing import freeze
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.runtime.mode import compiled, mode_restored
from mindcv_shufflenet.signals import checked
from mindcv_shufflenet.storage.files import is_writable
from mindcv_shufflenet.storage.run_directory import CheckpointName, RunDirectory, read_run_of
from mindcv_shufflenet.weights.average import average_weights
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import Weights, load_weights, read_weights
from mindcv_shufflenet.weights.metadata import Metadata
from mindcv_shufflenet.weights.provenance import Settled, settle
from mindcv_shufflenet.weights.target import check_target

_logger = logging.getLogger(__name__)

# Options of a run that say how it began.
_OF_START = ("ckpt_path", "ckpt_key", "pretrained", "reset_classifier", "allow_missing")


class Score(NamedTuple):
    """How good weights are on the validation images: their file, top-1 and top-5 in percent, loss in nats."""

    file: str
    top1: float
    top5: float
    loss: float


@dataclass(frozen=True)
class AveragedCheckpoint:
    """An averaged checkpoint.

    Attributes:
        model: its network.
        output: its file.
        members: the files of which it is the average.
        recomputed: images over which the BatchNorm statistics were computed anew; 0: they are averaged too.
        scores: of each member and of the average, which comes last; empty unless asked for.
    """

    model: str
    output: Path
    members: tuple[Path, ...]
    recomputed: int
    scores: tuple[Score, ...]

    @property
    def title(self) -> str:
        """What it is."""
        return _title(self.members)


@mode_restored()
@checked_keywords
def average_checkpoints(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    last: int | None = None,
    epochs: tuple[int, int] | None = None,
    recompute_bn: int = 0,
    validate: bool = False,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> AveragedCheckpoint:
    """Average the weights of checkpoints and write the result as a checkpoint that says what it is.

    Args:
        sources: a run directory, whose numbered checkpoints are averaged, or checkpoints of one network.
        output: the file to write; its suffix tells the kind. None: ``MODEL-average.ckpt`` in the folder of the last
            checkpoint.
        last: average that many of the latest numbered checkpoints of the run; None: all.
        epochs: average those of this epoch up to that one.
        recompute_bn: compute the BatchNorm statistics anew over so many training images, as the training augments them;
            one checkpoint will do then. 0: the statistics are averaged, as the weights are.
        validate: score the members and the average on the validation images.
        overwrite: replace an output that is there.
        options: of data and machine, by name (docs/options.md), where those of the run do not hold.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: there are too few checkpoints, they are of different networks or classes, the images cannot be
            had, or the output is there, is a run's own file, or cannot be written.
        Interrupted: a signal has come; nothing is written.
    """
    members = _members(sources, last, epochs, 1 if recompute_bn else 2)
    weights = [read_weights(path) for path in members]
    arrays = average_weights(weights)
    model = _model_of(weights[-1])
    target = Path(output) if output else members[-1].parent / f"{model}-average.ckpt"
    _check_target(target, members, overwrite)
    averaged = weights[-1]._replace(arrays=arrays, source=str(target))
    scores: tuple[Score, ...] = ()
    images = 0
    if recompute_bn or validate:
        averaging = _AveragingNetwork.open(members[-1], averaged, options or {}, console)
        images = averaging.recompute(recompute_bn) if recompute_bn else 0
        arrays = averaging.arrays()
        averaged = averaged._replace(arrays=arrays)
        scores = tuple(averaging.scores([*weights, averaged])) if validate else ()
    write_arrays(arrays, target, _metadata(weights[-1], model, members, images).dump())
    return AveragedCheckpoint(model, target, members, images, scores)


def _members(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    last: int | None,
    epochs: tuple[int, int] | None,
    least: int,
) -> tuple[Path, ...]:
    """Return the checkpoints that are meant, so many at least.

    Raises:
        UserError: files are given with a choice of epochs, there is no such epoch, or there are too few.
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else sources
    paths = [Path(path) for path in given]
    if len(paths) == 1 and paths[0].is_dir():
        return _of_run(paths[0], last, epochs, least)
    if last or epochs:
        raise UserError("--last and --epochs choose among the checkpoints of a run: give its folder alone")
    if folder := next((path for path in paths if path.is_dir()), None):
        raise UserError(f"{folder} is a folder: give one run directory, or files")
    files = tuple({path.resolve(): path for path in paths}.values())
    if len(files) < least:
        only = f"{files[0]} alone" if files else "nothing"
        raise UserError(f"there is {only} to average: give two checkpoints or more, or --recompute_bn")
    return files


def _of_run(folder: Path, last: int | None, epochs: tuple[int, int] | None, least: int) -> tuple[Path, ...]:
    """Return the numbered checkpoints of a run, by epoch."""
    if last and epochs:
        raise UserError("--last and --epochs are both given; leave one out")
    directory = RunDirectory(folder)
    run = directory.read()
    if not run.options:
        raise UserError(f"{folder} holds no run: {'; '.join(run.notes) or 'give a run directory, or checkpoints'}")
    found = {
        name.epoch: path
        for path in directory.numbered_files(str(run.options["model"]).partition(".")[0])
        if (name := CheckpointName.parse(path.name)) and name.epoch
    }
    there = sorted(found)
    first, end = epochs or (0, max(there, default=0))
    chosen = [epoch for epoch in there if first <= epoch <= end][-(last or 0) :]
    if len(chosen) < max(least, last or 0):
        kept = f"those of epochs {', '.join(map(str, there))}" if there else "none"
        raise UserError(
            f"{folder} has {len(chosen)} of the checkpoints that are asked for; there are {kept}: train with"
            " --keep_checkpoint_max N to keep more, or give files"
        )
    return tuple(found[epoch] for epoch in chosen)


def _model_of(weights: Weights) -> str:
    """Return the model of a checkpoint.

    Raises:
        UserError: nothing tells it.
    """
    told = weights.metadata.options["model"] if weights.metadata else read_run_of(weights.source).options
    model = told if isinstance(told, str) else (told or {}).get("model")
    if not model:
        raise UserError(f"{weights.source} does not say of which model it is: convert it with --model first")
    return str(model).partition(".")[0]


def _check_target(target: Path, members: Sequence[Path], overwrite: bool) -> None:
    if target.resolve() in [path.resolve() for path in members]:
        raise UserError(f"{target} is one of the checkpoints that are averaged: give --output another name")
    if not is_writable(target.parent):
        raise UserError(f"cannot write {target}: give --output a file in a folder that is there and can be written")
    check_target(target, overwrite)


def _metadata(last: Weights, model: str, members: Sequence[Path], images: int) -> Metadata:
    own = last.metadata or Metadata({"model": model})
    norm = f"BatchNorm statistics over {images} training images" if images else "BatchNorm statistics averaged too"
    names = ", ".join(path.name for path in members)
    title = f"{_title(members)} ({names})" if len(members) > 1 else _title(members)
    return own._replace(epoch=None, origin=f"{title}; {norm}")


def _title(members: Sequence[Path]) -> str:
    return f"average of {len(members)} checkpoints" if len(members) > 1 else f"weights of {members[0].name}"


class _AveragingNetwork(NamedTuple):
    """The network with averaged weights, and what its images are read by.

    Attributes:
        settled: options and weights.
        network: parts of it are frozen, as in the training.
        machine: what it runs on.
        console: shows a progress bar; None: nothing is shown.
    """

    settled: Settled
    network: nn.Cell
    machine: Machine
    console: Console | None

    @classmethod
    def open(
        cls, member: Path, averaged: Weights, options: Mapping[str, Any], console: Console | None
    ) -> "_AveragingNetwork":
        """Build the network; options and images are those of the last member's run where none are given."""
        recorded = read_run_of(str(member)).options or {}
        kept = {name: value for name, value in recorded.items() if name not in _OF_START}
        settled = settle({**kept, **options, "ckpt_path": str(member)}, with_data=True)
        settled = settled._replace(weights=averaged)
        machine, adapted = set_up(settled.config)
        opened = open_network(settled)
        freeze(opened.network, settled.config.freeze)
        for note in (*notes_on_options("average", settled.config, options), *adapted):
            _logger.info(note)
        return cls(settled, opened.network, machine, console)

    def recompute(self, images: int) -> int:
        """Compute the BatchNorm statistics anew over so many training images, a whole number of batches.

        Raises:
            UserError: none would be computed, or the images cannot be had.
        """
        config = self.settled.config
        if not moving_norms(self.network):
            raise UserError(
                f"freeze={' '.join(config.freeze)} keeps all BatchNorm statistics of {config.model}: leave"
                " --recompute_bn out"
            )
        split = open_data(config, config.train_split, held_out=self.settled.held_out, num_samples=config.num_samples)
        batches = self._first(train_loader(config, split, self.machine.workers).batches(), images)
        return recompute_statistics(self.network, compiled(config, self.network), checked(batches))

    @staticmethod
    def _first(batches: Iterator[Any], images: int) -> Iterator[np.ndarray]:
        """Yield batches until there are so many images."""
        for batch in batches:
            yield batch.image
            images -= len(batch.image)
            if images <= 0:
                return

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters of the network."""
        return {parameter.name: parameter.asnumpy() for parameter in self.network.get_parameters()}

    def scores(self, members: Sequence[Weights]) -> Iterator[Score]:
        """Score weights on the validation images, one after the other."""
        config = self.settled.config
        split = open_data(config, config.val_split, self.settled.classes, self.settled.held_out)
        engine = MindSporeEngine(self.network.set_train(False), config)
        for weights in members:
            load_weights(self.network, weights)
            metrics, _ = measure(config, split, engine, self.machine, self.console)
            yield Score(weights.source, metrics.top1, metrics.top5, metrics.loss)
