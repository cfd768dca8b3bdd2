"""A graph written as an ONNX model."""

import onnx
from onnx import TensorProto, helper

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.base import LOGITS, Graph
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.operators import Operators

# ONNX Runtime, on which every model is checked, has no Relu and no Clip of older opsets. Below 7 it has no Gemm, Add,
# Mul and AveragePool either.
OLDEST_OPSET = 6
NEWEST_OPSET = onnx.defs.onnx_opset_version()
# The checker takes initialisers that are no inputs from this version of the file format on.
_OLDEST_IR = 4

PRODUCER = "mindcv_shufflenet"


def check_opset(opset: int) -> None:
    """Refuse a version of ONNX's operators that cannot be written.

    Raises:
        UserError: naming the versions that can.
    """
    if opset not in range(OLDEST_OPSET, NEWEST_OPSET + 1):
        raise UserError(
            f"opset={opset}: it must be from {OLDEST_OPSET} to {NEWEST_OPSET}, the newest that this onnx knows"
        )


def write_model(graph: Graph, interface: Interface, opset: int, shuffle: str = "gather") -> onnx.ModelProto:
    """Write a graph as an ONNX model, of the oldest IR version that may hold it.

    Args:
        graph: without BatchNorm.
        interface: what the model takes and gives.
        opset: the version of ONNX's operators.
        shuffle: how a shuffle is written that is still in the graph: as a ``gather``, or as a ``transpose`` of four
            dimensions, where the order of the channels allows it.

    Raises:
        UserError: the opset is unknown, or lacks what the graph needs.
    """
    check_opset(opset)
    written = Operators(graph, interface, opset, shuffle)
    outputs = [_output_info(name, written.shapes[position], interface) for name, position in graph.outputs.items()]
    inputs = [_image_info(graph.layers[0].channels, interface)]
    proto = helper.make_graph(written.nodes, PRODUCER, inputs, outputs, [*written.constants.values()])
    imports = [helper.make_opsetid("", opset)]
    ir_version = max(_OLDEST_IR, helper.find_min_ir_version_for(imports))
    model = helper.make_model(proto, producer_name=PRODUCER, opset_imports=imports, ir_version=ir_version)
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


def _image_info(channels: int, interface: Interface) -> onnx.ValueInfoProto:
    """Return name, type and shape of the input."""
    batch: int | str = interface.batch or "batch"
    height, width = ("height", "width") if interface.is_dynamic_size else (interface.size, interface.size)
    if interface.normalize:
        shape = [batch, height, width, channels]
        return helper.make_tensor_value_info(interface.input_name, TensorProto.UINT8, shape)
    return helper.make_tensor_value_info(interface.input_name, TensorProto.FLOAT, [batch, channels, height, width])


def _output_info(name: str, shape: tuple[int, int, int], interface: Interface) -> onnx.ValueInfoProto:
    """Return name, type and shape of an output: of the map of a stage, or of the one that tells classes."""
    batch: int | str = interface.batch or "batch"
    channels, *pixels = shape
    if name == LOGITS:
        return helper.make_tensor_value_info(interface.classes_name, TensorProto.FLOAT, [batch, channels])
    sizes = [f"{name}_height", f"{name}_width"] if interface.is_dynamic_size else pixels
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, channels, *sizes])
