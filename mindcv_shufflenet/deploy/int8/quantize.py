"""int8: ONNX models whose weights and activations are whole numbers of eight bits, by ONNX Runtime's quantiser.

The ranges of the activations are measured on calibration images, by the method whose int8 model differs least from the
float model on images that were held back. Layers without which it would differ too much stay in float.
"""

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import add_infer_metadata
from scipy.special import log_softmax

from mindcv_shufflenet.deploy.int8.activations import Distribution, Range, distributions, shared_ranges
from mindcv_shufflenet.deploy.int8.bias_correction import correct_biases
from mindcv_shufflenet.deploy.int8.calibration import Calibration
from mindcv_shufflenet.deploy.int8.equalization import equalized
from mindcv_shufflenet.engines import Forward
from mindcv_shufflenet.engines.runtimes import RUNTIMES
from mindcv_shufflenet.evaluation.metrics import Metrics

_logger = logging.getLogger(__name__)

# The largest mean Kullback-Leibler divergence of the int8 classes from the float ones, in nats, without more float.
# Where it is below, top-1 on ImageNet moves by some tenths of a percent.
LARGEST_ERROR = 0.05
# The share of the validation images by which int8 may have fewer right than float; one image at least.
_LARGEST_LOSS = 0.005
# Layers are tried out in float in so many groups at most: each takes a second or two.
_GROUPS = 32


class Scheme(NamedTuple):
    """The numbers that a kind of processor multiplies fast and right.

    Attributes:
        activations: the type of activations.
        weights: the type of weights; there is a scale for each channel of the output.
        reduce_range: weights have seven bits, as sums of two products overflow 16 bits without VNNI.
        is_symmetric: activations that may be negative are int8 with zero point 0. A runtime that corrects sums of
            products for each zero point that is not 0 is faster so.
        takes_groups: the runtime computes convolutions with groups of several channels. OpenVINO 2026.4.1 does so
            incorrectly; they stay float there.
        engine: the runtime that runs the model, here as there; a key of ``RUNTIMES``.
    """

    activations: QuantType
    weights: QuantType
    reduce_range: bool = False
    is_symmetric: bool = False
    takes_groups: bool = True
    engine: str = "onnxruntime"


# By the names of options/names.py, TARGETS.
SCHEMES = {
    "x86": Scheme(QuantType.QUInt8, QuantType.QInt8, reduce_range=True),
    "x86-vnni": Scheme(QuantType.QUInt8, QuantType.QInt8),
    "arm": Scheme(QuantType.QInt8, QuantType.QInt8),
    "openvino": Scheme(QuantType.QUInt8, QuantType.QInt8, is_symmetric=True, takes_groups=False, engine="openvino"),
}

# How the range of an activation is chosen: the percent of its numbers that lie in it. What lies outside is clipped.
METHODS = {
    "minmax": 100.0,
    "percentile 99.9999": 99.9999,
    "percentile 99.999": 99.999,
    "percentile 99.995": 99.995,
    "percentile 99.99": 99.99,
}

# What is computed in int8. A softmax is not: it takes logits as they are.
_OPERATIONS = (
    "Conv",
    "Gemm",
    "Relu",
    "LeakyRelu",
    "Clip",
    "Sigmoid",
    "Add",
    "Mul",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Concat",
    "Split",
    "Slice",
    "Gather",
    "Reshape",
    "Transpose",
    "Flatten",
)
_LAYERS = ("Conv", "Gemm")
# Runs a network over validation images.
Judge = Callable[[Forward], Metrics]


class Error(NamedTuple):
    """How far an int8 model is from its float model.

    Attributes:
        divergence: mean Kullback-Leibler divergence of the classes' probabilities from the float ones, in nats.
        agreement: share of the images with the same best class.
    """

    divergence: float
    agreement: float


@dataclass(frozen=True)
class Quantized:
    """An int8 model, and what is known of it.

    Attributes:
        model: the ONNX model, with QuantizeLinear and DequantizeLinear around each operation.
        target: where it is to run.
        method: a name of ``METHODS``.
        calibrated_on: the number of images on which the ranges were measured.
        measured_on: the number of other images, on which ``error`` was measured; 0: it was measured on the same one.
        error: how far it is from the float model.
        excluded: names of the layers that stay float.
        before: accuracy of the float model on the validation images; None: there are none.
        after: accuracy of the int8 model on the same images.
    """

    model: onnx.ModelProto
    target: str
    method: str
    calibrated_on: int
    measured_on: int
    error: Error
    excluded: tuple[str, ...]
    before: Metrics | None = None
    after: Metrics | None = None

    @property
    def is_within_bounds(self) -> bool:
        """Whether it is as near to the float model as it should be."""
        return self.error.divergence <= LARGEST_ERROR and not _lost_too_many(self.before, self.after)

    def settings(self) -> dict[str, Any]:
        """Return all but the model, as JSON holds it."""
        scheme = SCHEMES[self.target]
        return {
            "activations": _name(scheme.activations) + (", int8 where negative" if scheme.is_symmetric else ""),
            "weights": _name(scheme.weights) + " per channel",
            "reduce_range": scheme.reduce_range,
            "method": self.method,
            "calibration_images": self.calibrated_on,
            "held_out_images": self.measured_on,
            "divergence": self.error.divergence,
            "agreement": self.error.agreement,
            "float_layers": [*self.excluded],
            "top1_float": self.before and self.before.top1,
            "top1_int8": self.after and self.after.top1,
            "validation_images": self.before and self.before.images,
        }


def _name(type_: QuantType) -> str:
    return type_.name.removeprefix("Q").lower()


def quantize(
    model: onnx.ModelProto, calibration: Calibration, target: str, judge: Judge | None = None, *, searches: bool = True
) -> Quantized:
    """Return an int8 model of a float model.

    Args:
        model: a model of opset 13 or newer with BatchNorm folded; the int8 model keeps its metadata.
        calibration: images, and the preprocessing of the network.
        target: where the int8 model is to run; a key of ``SCHEMES``.
        judge: runs a network over validation images; None: there are none.
        searches: where int8 is too far from float, look for layers that had better stay float, which takes minutes.

    Raises:
        UserError: an image cannot be read, or the target's runtime is not installed.
    """
    search = _Search(model, calibration, target, judge)
    found = search.best_method()
    if searches and not found.is_within_bounds:
        found = search.with_float_layers(found)
    if not found.is_within_bounds:
        _logger.warning("%s; give more calibration images, and such as the network will see", _shortfall(found))
    return found


class _Search:
    """Looks for the int8 model that is nearest to a float model; the arguments are those of :func:`quantize`."""

    def __init__(self, model: onnx.ModelProto, calibration: Calibration, target: str, judge: Judge | None) -> None:
        self.calibration, self.target, self.judge = calibration, target, judge
        self.model = equalized(model, self._distributions(model))
        self.values = self._distributions(self.model)
        # for the float model and for layers that stay float; validate has the same default
        self.engine = partial(RUNTIMES[SCHEMES[target].engine], precision="fp32")
        forward = self.engine(model)
        self.logits = self._logits(forward)
        self.before = judge(forward) if judge else None
        self.float_layers = [] if SCHEMES[target].takes_groups else _grouped_convolutions(model)

    def best_method(self) -> Quantized:
        """Return the model of the method with the least error."""
        return self._judged(min((self._attempt(method) for method in METHODS), key=_divergence))

    def with_float_layers(self, found: Quantized) -> Quantized:
        """Return a model within the bounds with few layers in float; where there is none, the nearest one.

        Groups of neighbouring layers are tried out in float, each alone; then the best one, two, four, ... of them.
        """
        names = [node.name for node in self.model.graph.node if node.op_type in _LAYERS]
        names = [name for name in names if name not in self.float_layers]
        size = math.ceil(len(names) / _GROUPS)
        groups = [names[start : start + size] for start in range(0, len(names), size)]
        groups.sort(key=lambda group: _divergence(self._attempt(found.method, group)))
        tried = [found]
        number = 1
        while number < len(groups):
            excluded = {name for group in groups[:number] for name in group}
            tried.append(self._judged(self._attempt(found.method, [name for name in names if name in excluded])))
            if tried[-1].is_within_bounds:
                return tried[-1]
            number *= 2
        return min(tried, key=_divergence)

    def _attempt(self, method: str, excluded: Sequence[str] = ()) -> Quantized:
        """Quantise by a method, but for some more layers, and measure the error."""
        excluded = _with_readers(self.model, [*self.float_layers, *excluded])
        ranges = {name: one.range_of(METHODS[method]) for name, one in self.values.items()}
        ranges = shared_ranges(self.model, ranges)
        scheme = SCHEMES[self.target]
        model = _quantized(self.model, ranges, scheme, excluded)
        means = {name: one.means for name, one in self.values.items()}
        model = _quantized(correct_biases(self.model, model, means), ranges, scheme, excluded)
        error = _error(self.logits, self._logits(self.engine(model)))
        images, others = len(self.calibration.images), self.calibration.others
        layers = tuple(node.name for node in self.model.graph.node if node.op_type in _LAYERS and node.name in excluded)
        return Quantized(model, self.target, method, images, others, error, layers)

    def _judged(self, found: Quantized) -> Quantized:
        after = self.judge(self.engine(found.model)) if self.judge else None
        return replace(found, before=self.before, after=after)

    def _distributions(self, model: onnx.ModelProto) -> dict[str, Distribution]:
        return distributions(model, self.calibration.batches(self.calibration.images))

    def _logits(self, forward: Forward) -> np.ndarray:
        return np.concatenate([forward(batch) for batch in self.calibration.batches(self.calibration.held_out)])


def _divergence(found: Quantized) -> float:
    return found.error.divergence


def _grouped_convolutions(model: onnx.ModelProto) -> list[str]:
    """The names of the convolutions with groups of several channels."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and shapes[node.input[1]][1] > 1
        if any(one.name == "group" and one.i > 1 for one in node.attribute)
    ]


def _with_readers(model: onnx.ModelProto, names: Collection[str]) -> list[str]:
    """Add to the names of layers that stay float those of the operations that read what they make.

    Quantised values on both sides of a layer, or of a layer and its ReLU, would undo it: the optimiser of ONNX Runtime
    (WeightBiasQuantization) then computes the layer in int8, with one scale for all its weights. OpenVINO is faster,
    too, where numbers are converted less often.
    """
    found, values = [], set[str]()  # what the layers make, with their ReLUs or without
    for node in model.graph.node:
        reads = bool(values & {*node.input})
        is_relu = node.op_type in ("Relu", "Clip")
        if node.name in names or (reads and is_relu):
            values.update(node.output)
        if node.name in names or reads:
            found.append(node.name)
    return found


def _error(logits: np.ndarray, int8_logits: np.ndarray) -> Error:
    expected, actual = (log_softmax(values.astype(np.float64), axis=1) for values in (logits, int8_logits))
    divergence = (np.exp(expected) * (expected - actual)).sum(axis=1).mean()
    return Error(float(divergence), float((logits.argmax(axis=1) == int8_logits.argmax(axis=1)).mean()))


def _shortfall(found: Quantized) -> str:
    """Return in what an int8 model is too far from its float model."""
    before, after = found.before, found.after
    if found.error.divergence <= LARGEST_ERROR and before and after:
        return f"int8 has {after.correct1} of {after.images} validation images right, and float {before.correct1}"
    return f"int8 differs from float by {found.error.divergence:.3f} nats, and {LARGEST_ERROR} are usual at most"


def _lost_too_many(before: Metrics | None, after: Metrics | None) -> bool:
    if before is None or after is None:
        return False
    return before.correct1 - after.correct1 > max(1, _LARGEST_LOSS * before.images)


def _quantized(
    model: onnx.ModelProto, ranges: Mapping[str, Range], scheme: Scheme, excluded: Collection[str]
) -> onnx.ModelProto:
    """Quantise a model whose activations have given ranges, but for the layers of some names."""
    inferred = onnx.shape_inference.infer_shapes(model)
    add_infer_metadata(inferred)  # it need not be written to a file and inferred again
    bounds = {name: tuple(np.array(bound, np.float32) for bound in ends) for name, ends in ranges.items()}
    signed = [name for name, (least, _) in ranges.items() if least < 0] if scheme.is_symmetric else []
    quantizer = QDQQuantizer(
        inferred,
        per_channel=True,
        reduce_range=scheme.reduce_range,
        weight_qType=scheme.weights,
        activation_qType=scheme.activations,
        tensors_range=TensorsData(CalibrationMethod.MinMax, bounds),
        nodes_to_quantize=[],
        nodes_to_exclude=[*excluded],
        op_types_to_quantize=_OPERATIONS,
        # the matrix product at the end gives float logits as fast
        extra_options={
            "OpTypesToExcludeOutputQuantization": ["Gemm"],
            "TensorQuantOverrides": {name: [{"quant_type": QuantType.QInt8, "symmetric": True}] for name in signed},
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result = onnx.ModelProto()
    result.CopyFrom(model)  # with all that it says of itself
    result.graph.CopyFrom(quantizer.model.model.graph)
    return result
