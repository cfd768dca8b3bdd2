"""The runtimes of ONNX models, by the names that the option ``engine`` has for them."""

from mindcv_shufflenet.engines.onnx_engine import OnnxEngine
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.engines.openvino_engine import OpenVinoEngine
from mindcv_shufflenet.options.names import TARGETS
from mindcv_shufflenet.runtime.processor import processor

# Each of options/names.py, ENGINES, but MindSpore. The names are those of their packages, too.
RUNTIMES: dict[str, type[OnnxEngine]] = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}


def target_on(engine: str) -> str:
    """Return the target of models that an engine runs on this machine: its own, or the processor's."""
    return engine if engine in TARGETS else processor().target
