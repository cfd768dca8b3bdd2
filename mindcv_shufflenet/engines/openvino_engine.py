"""An ONNX model on OpenVINO."""

import functools
import os
import re
from types import ModuleType
from typing import Any

import numpy as np
import onnx

from mindcv_shufflenet.engines.onnx_engine import DEFAULT, OnnxEngine, Session, Settings, import_runtime
from mindcv_shufflenet.options.preprocessing import Preprocessing

_HINT = "INFERENCE_PRECISION_HINT"
# OpenVINO's names of precisions, where they are not ours.
_NAMES = {"fp32": "f32", "fp16": "f16"}
# Shapes of batches for which the compiled model is kept.
_KEPT_SHAPES = 4
# Lines of its errors that tell a place in its source begin so.
_PLACES = ("Exception from", "Check ", "FrontEnd API")


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry.

    Its Python package reports each import over the network, and leaves that out on build servers, which set ``CI``.

    Raises:
        UserError: it is not installed.
    """
    given = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        return import_runtime("openvino", "mindcv_shufflenet[openvino]")
    finally:
        if given is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = given


class OpenVinoEngine(OnnxEngine):
    """The forward pass of an ONNX model on OpenVINO's CPU plugin.

    By itself it computes floats in bf16 where the processor multiplies it fast. Its threads never spin.
    """

    title = "OpenVINO"

    @staticmethod
    def start(model: onnx.ModelProto, settings: Settings = DEFAULT) -> Session:
        """Load a model; see :meth:`OnnxEngine.start`."""
        openvino = import_openvino()
        properties = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": settings.cores}
        if settings.precision:
            properties[_HINT] = _NAMES.get(settings.precision, settings.precision)
        core = openvino.Core()
        network = core.read_model(model=model.SerializeToString())
        names = [output.name for output in model.graph.output]

        @functools.lru_cache(maxsize=_KEPT_SHAPES)
        def compiled(shape: tuple[int, ...]) -> Any:
            network.reshape([*shape])  # compiled for any shape it takes a fifth longer
            return core.compile_model(network, "CPU", properties)

        def run(inputs: np.ndarray) -> dict[str, np.ndarray]:
            found = compiled(inputs.shape)(inputs, share_inputs=True)
            return {name: found[name] for name in names}

        usual = (1, *[Preprocessing.image_resize] * 3)  # of dimensions that may vary: those of one image
        dimensions = zip(network.input().partial_shape, usual, strict=True)
        first = tuple(one.get_length() if one.is_static else length for one, length in dimensions)
        used = compiled(first).get_property(_HINT).to_string()
        return Session(run, {theirs: ours for ours, theirs in _NAMES.items()}.get(used, used))

    def _reason(self, error: Exception) -> str:
        lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(_PLACES)]
        details = re.findall(r"^-- (.+?)(?: with a message:)?$", str(error), re.MULTILINE)  # of operations
        if not lines:
            return super()._reason(error)
        return lines[0].split(". ")[0].rstrip(".") + (f" ({', '.join(details)})" if details else "")
