"""An ONNX model on ONNX Runtime."""

import onnx

from mindcv_shufflenet.engines.onnx_engine import DEFAULT, OnnxEngine, Session, Settings, import_runtime

_ERRORS_ALONE = 3


class OnnxRuntimeEngine(OnnxEngine):
    """The forward pass of an ONNX model on ONNX Runtime's CPU provider, which computes floats in float32 alone."""

    title = "ONNX Runtime"

    @staticmethod
    def start(model: onnx.ModelProto, settings: Settings = DEFAULT) -> Session:
        """Load a model; see :meth:`OnnxEngine.start`."""
        ort = import_runtime("onnxruntime", "mindcv_shufflenet")
        options = ort.SessionOptions()
        options.intra_op_num_threads = settings.cores
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _ERRORS_ALONE
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings.spins)))
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        (taken,), names = session.get_inputs(), [output.name for output in session.get_outputs()]
        return Session(lambda inputs: dict(zip(names, session.run(names, {taken.name: inputs}), strict=True)), "fp32")
