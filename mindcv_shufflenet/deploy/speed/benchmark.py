"""``benchmark``: the speed of networks on this machine, measured in turn."""

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx
from rich.console import Console

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.deploy.int8.calibration import Calibration
from mindcv_shufflenet.deploy.int8.quantize import quantize
from mindcv_shufflenet.deploy.speed.contenders import Contender, Subject, find_contenders, find_subjects
from mindcv_shufflenet.deploy.speed.timed import MATRIX
from mindcv_shufflenet.deploy.speed.worker import Worker
from mindcv_shufflenet.engines.runtimes import target_on
from mindcv_shufflenet.errors import UserError, check_counts
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.runtime.processor import Processor, processor

_COMMAND = [sys.executable, "-m", "mindcv_shufflenet.deploy.speed.timed"]


@dataclass
class Measurement:
    """How fast a contender is.

    Attributes:
        contender: what was timed.
        version: version of the runtime.
        speeds: images/s of each round.
        latencies: milliseconds of each batch, of all rounds.
        memory: the most bytes that its process had in memory.
    """

    contender: Contender
    version: str
    speeds: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    memory: int = 0

    def add(self, times: Sequence[float], memory: int) -> None:
        """Add a round: the seconds of its batches, and the memory so far."""
        self.speeds.append(self.contender.batch_size * len(times) / sum(times))
        self.latencies += [1000 * seconds for seconds in times]
        self.memory = memory

    @property
    def images_per_second(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.speeds)

    @property
    def spread(self) -> float:
        """Half of the difference between the fastest and the slowest round, in percent of the median."""
        return 50 * (max(self.speeds) - min(self.speeds)) / self.images_per_second

    def latency(self, percent: float) -> float:
        """Return the milliseconds within which so many percent of the batches were computed."""
        return float(np.percentile(self.latencies, percent))


@dataclass(frozen=True)
class Benchmark:
    """How fast contenders are, and on what.

    Attributes:
        processor: this machine's.
        cores: number of cores that this process may use.
        peak: float32 operations/s of the fastest product of two large matrices in numpy, measured in the same turns.
        measurements: one for each contender.
    """

    processor: Processor
    cores: int
    peak: float
    measurements: list[Measurement]

    def share_of_peak(self, one: Measurement) -> float | None:
        """Return the percentage of ``peak`` that the multiply-adds of a network make, two operations each.

        In int8 and bf16 it may be above 100.
        """
        cost = one.contender.subject.cost
        return 100 * 2 * cost.multiply_adds * one.images_per_second / self.peak if cost else None


@mode_restored()
def benchmark(
    models: str | Sequence[str],
    options: Mapping[str, Any] | None = None,
    *,
    engines: Sequence[str] = ("onnxruntime",),
    precisions: Sequence[str] = ("fp32",),
    batch_sizes: Sequence[int] = (1, 8),
    repeats: int = 5,
    seconds: float = 1.0,
    needs_top1: bool = False,
    console: Console | None = None,
) -> Benchmark:
    """Measure the speed of networks with newly drawn weights, and of exported files.

    Each contender (a model on an engine in a precision at a batch size) is a process of its own. They take turns, one
    round each, so that a slow spell of the machine meets all of them.

    Args:
        models: names, patterns such as ``shufflenet_v2_*``, and paths of ONNX files.
        options: ``image_resize``, ``num_classes``, ``device_target`` and network options, by name (docs/options.md).
        engines: names out of ``mindspore``, ``onnxruntime``, ``openvino``.
        precisions: names out of ``fp32``, ``bf16``, ``int8``; what an engine does not have is left out for it.
        batch_sizes: images at once.
        repeats: rounds.
        seconds: duration of a contender's round; one batch is computed at least.
        needs_top1: refuse models of which none has a published top-1, before anything is measured.
        console: shows a progress bar; None: nothing is shown.

    Raises:
        UserError: nothing matches, an option is wrong, or an engine is not installed or has none of the precisions.
        RunError: a process has ended.
        Interrupted: a signal has come.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    config = parse_config(given, verb="benchmark")
    check_counts(repeats=repeats, **{f"batch_sizes={[*batch_sizes]}": batch for batch in batch_sizes})
    if not 0 < seconds <= 3600:
        raise UserError(f"seconds={seconds}: it must be above 0 and at most 3600")
    network_options = {name: given[name] for name in (*names_of("network"), "num_classes") if name in given}
    size = config.image_resize if "image_resize" in given else None
    subjects = find_subjects([models] if isinstance(models, str) else models, size, network_options)
    contenders = find_contenders(subjects, engines, precisions, batch_sizes)
    if needs_top1 and all(one.top1 is None for one in subjects):
        raise UserError("none of these models has a published top-1 with these options: leave out --plot")
    shown = progress("measuring", len(contenders) * (1 + repeats), console=console or Console(quiet=True))
    with tempfile.TemporaryDirectory() as folder, shown as advance:
        tasks = _Tasks(Path(folder), network_options, config.device_target)
        measured, peak = _in_turns(contenders, tasks, repeats, seconds, advance)
    return Benchmark(processor(), count_cores(), peak, measured)


def _in_turns(
    contenders: Sequence[Contender], tasks: "_Tasks", repeats: int, seconds: float, advance: Callable[[int], object]
) -> tuple[list[Measurement], float]:
    """Measure contenders in turn, and the peak of the machine with them."""
    measured: list[Measurement] = []
    products: list[float] = []
    with ExitStack() as stack:
        product = {"package": "numpy", "kind": "numpy", "shape": [MATRIX, MATRIX]}
        matrices = stack.enter_context(Worker("numpy", _COMMAND, product))
        workers = []
        for one in contenders:
            workers.append(stack.enter_context(Worker(one.title, _COMMAND, tasks.task(one))))
            measured.append(Measurement(one, workers[-1].facts["version"]))
            advance(1)
        for _ in range(repeats):
            products += matrices.run(min(seconds, 1)).times
            for worker, measurement in zip(workers, measured, strict=True):
                measurement.add(*worker.run(seconds))
                advance(1)
    return measured, 2 * MATRIX**3 / min(products)


class _Tasks:
    """Makes the task of each contender; models are written once for all batch sizes.

    Args:
        folder: where they are written.
        network_options: options of the networks that are built.
        device_target: MindSpore's device.
    """

    def __init__(self, folder: Path, network_options: Mapping[str, Any], device_target: str) -> None:
        self.folder, self.network_options, self.device_target = folder, dict(network_options), device_target

    def task(self, one: Contender) -> dict[str, Any]:
        """Return what ``create`` in ``timed.py`` takes."""
        subject, size = one.subject, one.subject.image_size
        task = {"package": one.engine, "shape": [one.batch_size, subject.in_channels, size, size]}
        if one.engine == "mindspore":
            network = {"model": subject.name, "network_options": self.network_options}
            return task | network | {"kind": "mindspore", "device_target": self.device_target}
        path = subject.file or self._exported(subject, one.engine, one.precision)
        floats = None if one.precision == "int8" else one.precision  # of what is not in int8: the runtime's choice
        return task | {"kind": "onnx", "engine": one.engine, "path": str(path), "precision": floats}

    def _exported(self, subject: Subject, engine: str, precision: str) -> Path:
        """The model of a network as a file."""
        target = target_on(engine)
        path = self.folder / f"{subject.name}-{target}-{'int8' if precision == 'int8' else 'float'}.onnx"
        if not path.exists():
            ms.set_context(mode=ms.PYNATIVE_MODE)
            network = build(subject.name, **self.network_options)
            model = onnx_model(network, Interface(subject.image_size), target=target)
            if precision == "int8":
                model = quantize(model, _random_images(subject), target).model
            onnx.save(model, path)
        return path


def _random_images(subject: Subject) -> Calibration:
    """Images to calibrate newly drawn weights on."""
    random = np.random.default_rng(0)
    images = [*random.standard_normal((8, subject.in_channels, subject.image_size, subject.image_size), np.float32)]
    return Calibration(images, images, np.asarray)
