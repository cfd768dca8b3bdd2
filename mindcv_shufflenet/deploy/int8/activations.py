"""What a model computes on its way: the values between its operations, their ranges, one batch at a time."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from onnx import TensorProto

from mindcv_shufflenet.engines.onnx_engine import Session, import_runtime
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine

# Sees a value: its name, and its numbers.
Observer = Callable[[str, np.ndarray], None]
# The least and the greatest number of a value.
Range = tuple[float, float]

_BINS = 4096
# What moves numbers and computes none: with one scale for what it takes and gives, it copies bytes.
_COPIES = ("Concat", "Split", "Slice", "Gather", "Reshape", "Transpose", "Flatten", "MaxPool")


class ObservedEngine(OnnxRuntimeEngine):
    """A model on ONNX Runtime that shows every float value between its operations.

    Args:
        model: a model of ONNX's own operations.
        observe: called with each value, ``[N, channels, ...] float32``, of each batch.
    """

    def __init__(self, model: onnx.ModelProto, observe: Observer) -> None:
        self.observe = observe
        super().__init__(model)

    def _load(self) -> Session:
        ort = import_runtime("onnxruntime", "mindcv_shufflenet")
        model = onnx.shape_inference.infer_shapes(self.file.model)
        shown = [info for info in model.graph.value_info if info.type.tensor_type.elem_type == TensorProto.FLOAT]
        model.graph.output.extend(shown)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = self.settings.cores
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]

        taken = self.file.signature.input_name

        def run(inputs: np.ndarray) -> dict[str, np.ndarray]:
            values = dict(zip(names, session.run(names, {taken: inputs}), strict=True))
            for name, value in {taken: inputs, **values}.items():
                if value.dtype == np.float32:
                    self.observe(name, value)
            return values

        return Session(run, "fp32")


def shared_ranges(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """Give values that are concatenated, and what is moved, one range: the union of their own.

    Args:
        model: of which the values are.
        ranges: of the values by name.
    """
    groups = {name: {name} for name in ranges}
    for node in model.graph.node:
        if node.op_type in _COPIES:
            group = set().union(*(groups[name] for name in (*node.input, *node.output) if name in groups))
            groups |= dict.fromkeys(group, group)
    return {
        name: (min(ranges[other][0] for other in group), max(ranges[other][1] for other in group))
        for name, group in groups.items()
    }


def distributions(model: onnx.ModelProto, batches: Iterable[np.ndarray]) -> dict[str, "Distribution"]:
    """Return the distribution of the numbers of each float value.

    Args:
        model: a model of ONNX's own operations.
        batches: batches of images, ``[N, C, H, W] float32``.
    """
    found: dict[str, Distribution] = {}

    def observe(name: str, value: np.ndarray) -> None:
        found.setdefault(name, Distribution()).add(value)

    engine = ObservedEngine(model, observe)
    for batch in batches:
        engine(batch)
    return found


class Distribution:
    """How often numbers occur, in bins of one width on both sides of zero. The bins grow with the numbers.

    Attributes:
        lows: the least number of each channel, ``[channels]``.
        highs: the greatest of each.
    """

    lows: np.ndarray
    highs: np.ndarray

    def __init__(self) -> None:
        self._sums, self._number = np.float64(0), 0
        self._bound = float(np.finfo(np.float32).tiny)
        self._counts = np.zeros(_BINS, np.int64)

    def add(self, numbers: np.ndarray) -> None:
        """Count some numbers, ``[N, channels, ...] float32``."""
        all_but_channels = (0, *range(2, numbers.ndim))
        lows, highs = numbers.min(axis=all_but_channels), numbers.max(axis=all_but_channels)
        if self._number:
            lows, highs = np.minimum(lows, self.lows), np.maximum(highs, self.highs)
        self.lows, self.highs = lows, highs
        self._sums = self._sums + numbers.sum(axis=all_but_channels, dtype=np.float64)
        self._number += numbers.size // numbers.shape[1]
        while self._bound < max(-self.low, self.high):
            self._bound *= 2  # two bins become one
            pairs = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts = np.pad(pairs, _BINS // 4)
        places = ((numbers.ravel() / self._bound + 1) * (_BINS // 2)).astype(np.int32)
        self._counts += np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS)

    @property
    def low(self) -> float:
        """The least number."""
        return float(self.lows.min())

    @property
    def high(self) -> float:
        """The greatest number."""
        return float(self.highs.max())

    @property
    def means(self) -> np.ndarray:
        """The mean of each channel, ``[channels] float64``."""
        return np.asarray(self._sums / self._number)

    def range_of(self, percent: float) -> tuple[float, float]:
        """Return the bounds between which so many of the numbers lie, with as many below as above; a bin wider."""
        outside = (1 - percent / 100) / 2 * self._counts.sum()
        below = np.cumsum(self._counts)
        edges = np.linspace(-self._bound, self._bound, _BINS + 1)
        first = np.searchsorted(below, outside, side="right")
        last = np.searchsorted(below, below[-1] - outside)
        return max(self.low, float(edges[first])), min(self.high, float(edges[last + 1]))
