"""What a model computes on its way: the values between its operations, their ranges, one batch at a time."""

from collections.abc import Callable, Iterable

import numpy as np
import onnx
from onnx import TensorProto

from mindcv_shufflenet.engines.onnx_engine import Session, import_runtime
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine

# Sees a value: its name, and its numbers.
Observer = Callable[[str, np.ndarray], None]
_BINS = 4096


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
        low: the least number.
        high: the greatest.
    """

    def __init__(self) -> None:
        self._sums, self._number = np.float64(0), 0
        self.low, self.high = np.inf, -np.inf
        self._bound = float(np.finfo(np.float32).tiny)
        self._counts = np.zeros(_BINS, np.int64)

    def add(self, numbers: np.ndarray) -> None:
        """Count some numbers, ``[N, channels, ...] float32``."""
        self._sums = self._sums + numbers.sum(axis=(0, *range(2, numbers.ndim)), dtype=np.float64)
        self._number += numbers.size // numbers.shape[1]
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        while self._bound < max(-self.low, self.high):
            self._bound *= 2  # two bins become one
            pairs = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts = np.pad(pairs, _BINS // 4)
        places = ((numbers.ravel() / self._bound + 1) * (_BINS // 2)).astype(np.int32)
        self._counts += np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS)

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
