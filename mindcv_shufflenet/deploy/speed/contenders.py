"""What ``benchmark`` times: networks and exported files, each on an engine, in a precision, at a batch size."""

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.engines.model_file import read_model_file
from mindcv_shufflenet.errors import UserError, unknown_name
from mindcv_shufflenet.families.costs import Complexity
from mindcv_shufflenet.models.catalogue import IMAGE_SIZE, Described, catalogue, describe, is_model
from mindcv_shufflenet.options.model_name import ModelName
from mindcv_shufflenet.options.names import ENGINES, PRECISIONS
from mindcv_shufflenet.runtime.processor import processor
from mindcv_shufflenet.weights.records import find_record, get_pretrained_cfg
from mindcv_shufflenet.weights.records.base import Record

_logger = logging.getLogger(__name__)

# Instructions that multiply bf16.
_BF16 = {"AMX-BF16", "AVX512-BF16"}
_QUANTIZED = {"DequantizeLinear", "QLinearConv", "ConvInteger"}


class Subject(NamedTuple):
    """A network, or the model in a file.

    Attributes:
        name: name of the network, with or without a tag of weights, or of the file.
        image_size: height and width of its images.
        in_channels: number of channels of its images.
        cost: parameters and multiply-adds; None: not known.
        activations: number of values that convolutions and dense layers give for one image; None: not known.
        top1: the published top-1 in percent, with the same options; None: not known.
        file: None: the network is built.
        is_quantized: whether the model in a file computes in int8.
    """

    name: str
    image_size: int
    in_channels: int
    cost: Complexity | None
    activations: int | None
    top1: float | None
    file: Path | None = None
    is_quantized: bool = False


class Contender(NamedTuple):
    """Something that is timed."""

    subject: Subject
    engine: str
    precision: str
    batch_size: int

    @property
    def title(self) -> str:
        """Its name, for messages."""
        return f"{self.subject.name} on {self.engine}, {self.precision}, batch {self.batch_size}"


def find_subjects(names: Sequence[str], image_size: int | None, network_options: Mapping[str, Any]) -> list[Subject]:
    """Return the networks and files that names stand for.

    Args:
        names: names of networks with or without a tag, patterns, and paths of ONNX files.
        image_size: height and width of the images. None: that of the weights or of the file, or 224.
        network_options: options of all networks, with ``num_classes`` and ``in_channels``.

    Raises:
        UserError: nothing matches, a file cannot be run, or an option does not fit a network.
    """
    if not names:
        raise UserError("no models are given: give names, patterns or paths of ONNX files")
    found: dict[str, Subject] = {}
    for name in names:
        if ModelName.parse(name).is_file:
            if network_options:
                raise UserError(
                    f"--{next(iter(network_options))} is for a network, and {name} is a file: leave one out"
                )
            found[name] = _file_subject(Path(name), image_size)
            continue
        models = [name] if is_model(name) else dict.fromkeys(one.model for one in catalogue(name))
        for model in models:
            described = describe(model, image_size=image_size, **network_options)
            record = None if network_options else _record(model)
            size = described.image_size
            channels, top1 = described.plan.in_channels, _top1(record, size)
            found[model] = Subject(model, size, channels, described.cost, _activations(described), top1)
    return [*found.values()]


def find_contenders(
    subjects: Sequence[Subject], engines: Sequence[str], precisions: Sequence[str], batch_sizes: Sequence[int]
) -> list[Contender]:
    """Return every subject on every engine in every precision that it has, at every batch size.

    Raises:
        UserError: an engine or a precision is unknown, or none of the engines has the precision.
    """
    for kind, given, known in (("engine", engines, ENGINES), ("precision", precisions, PRECISIONS)):
        for name in given:
            if name not in known:
                raise UserError(unknown_name(kind, name, known))
    for precision in precisions:
        if not any(precision in ENGINES[engine] for engine in engines):
            able = " or ".join(engine for engine, has in ENGINES.items() if precision in has)
            raise UserError(f"{', '.join(engines)} cannot compute in {precision}: give --engine {able}")
    if "bf16" in precisions and not _BF16 & {*processor().instructions}:
        needed = " or ".join(sorted(_BF16))
        raise UserError(f"{processor().name} has no instructions for bf16 ({needed}): leave out --precision bf16")
    found = []
    for subject, engine in itertools.product(subjects, engines):
        if subject.file and engine == "mindspore":
            raise UserError(f"{subject.file} is an ONNX file, which MindSpore does not run: give --engine onnxruntime")
        chosen = _precisions(subject, engine, precisions)
        if missing := [one for one in precisions if one not in chosen]:
            _logger.info("%s is not timed in %s on %s", subject.name, ", ".join(missing), engine)
        for precision, batch_size in itertools.product(chosen, dict.fromkeys(batch_sizes)):
            found.append(Contender(subject, engine, precision, batch_size))
    if not found:
        raise UserError("the files are in float32: export them with --int8, or leave out --precision int8")
    return found


def _precisions(subject: Subject, engine: str, wanted: Sequence[str]) -> list[str]:
    """Those of the wanted precisions that there are; a file that computes in int8 has no other."""
    if subject.is_quantized:
        return ["int8"]
    absent = {"int8"} if subject.file else {}
    return [one for one in dict.fromkeys(wanted) if one in ENGINES[engine] and one not in absent]


def _activations(described: Described) -> int:
    return sum(math.prod(one.shape) for one in described.layers if one.layer.kind in ("conv", "dense"))


def _record(name: str) -> Record | None:
    """The published weights of a name: those of its tag, or those of the model without a tag, if there are any."""
    if record := find_record(name):
        return record
    try:
        return get_pretrained_cfg(name)
    except UserError:
        return None


def _top1(record: Record | None, image_size: int) -> float | None:
    """The published top-1 on ImageNet, if it is of images of that size."""
    is_it = record and record.dataset == "imagenet" and record.preprocessing.image_resize == image_size
    return record.top1 if record and is_it else None


def _file_subject(path: Path, image_size: int | None) -> Subject:
    file = read_model_file(path)
    size = image_size or file.signature.size or (file.preprocessing.image_resize if file.preprocessing else IMAGE_SIZE)
    if size != (file.signature.size or size):
        raise UserError(
            f"{path} takes images of {file.signature.size} pixels: leave out --image_resize, or export it with"
            " --dynamic_size"
        )
    cost, activations = None, None
    if file.metadata:
        own = file.metadata.options
        network = {name: own[name] for name in describe(own["model"]).plan.options if own.get(name) is not None}
        signature = file.signature
        sizes = {"num_classes": signature.num_classes, "in_channels": signature.channels}
        described = describe(own["model"], image_size=size, **sizes, **network)
        cost, activations = described.cost, _activations(described)
    is_quantized = any(node.op_type in _QUANTIZED for node in file.model.graph.node)
    return Subject(path.name, size, file.signature.channels, cost, activations, None, path, is_quantized)
