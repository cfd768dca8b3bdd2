"""The weights inside an ONNX file, in float32: under their own names, or named by their place in the graph."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights import sets
from mindcv_shufflenet.weights.metadata import ENTRY, EXPORT_ENTRY, entries_of
from mindcv_shufflenet.weights.names import Arrays, is_known
from mindcv_shufflenet.weights.onnx_graph import follow
from mindcv_shufflenet.weights.protobuf import check_entries
from mindcv_shufflenet.weights.sets import Content

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


class _Inputs(NamedTuple):
    """Which inputs of an operation are quantised weights, by position.

    Attributes:
        weight: the integers; their scale and zero point follow, the latter not always.
        bias: the integer bias; None: the operation has none.
        axis: the axis of the weights along which scales and zero points run unless the operation tells.
    """

    weight: int
    bias: int | None = None
    axis: int = 0


# The operations with quantised weights. Those with an input to multiply have its scale at position 1.
_QUANTISED_INPUTS = {
    "QLinearConv": _Inputs(weight=3, bias=8),
    "QGemm": _Inputs(weight=3, bias=6),
    "QLinearMatMul": _Inputs(weight=3),
    "QLinearAdd": _Inputs(weight=3),
    "DequantizeLinear": _Inputs(weight=0, axis=1),
}
# What ONNX Runtime's quantiser puts behind a name.
_QUANTISED = "_quantized"


def read_onnx(path: Path) -> Content:
    """Return the float initialisers, and the dequantised weights of quantised convolutions and matrix products.

    A bias of an integer convolution or matrix product has the scale of its input times that of its weights (ONNX,
    ``QLinearConv``; ONNX Runtime, ``QGemm``).
    Scales and zero points themselves are left out. Weights that a matrix product takes as ``[in, out]`` are returned
    as ``[out, in]``, as the frameworks have them. Exporters invent names for weights with a folded BatchNorm
    (``onnx::Conv_1140``): those are named by their place in the graph.

    Raises:
        UserError: ``shufflenet export`` wrote the file. Its weights have the names, and often the shapes, of the
            network's own, but their channels are in another order and padded with zeros.
    """
    model = load_model(path)
    told = entries_of(model)
    if EXPORT_ENTRY in told:
        raise UserError(
            f"{path} is an exported file, which holds no checkpoint: give the checkpoint that it was exported from; as"
            " it is, it is run by validate and predict (--model), check and benchmark"
        )
    arrays, origin = read_graph(model.graph)
    structure = follow(model.graph, arrays, origin)
    if structure and not all(map(is_known, arrays)):
        arrays = structure.arrays
    return Content(sets.by_prefix(arrays), told.get(ENTRY), structure.options if structure else {})


def load_model(path: Path) -> onnx.ModelProto:
    """Parse an ONNX file.

    Raises:
        UserError: it is too large, or keeps its weights in another file.
    """
    check_entries(path)
    model = onnx.load(path, load_external_data=False)
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise UserError(
            f"{path} keeps its weights in another file: save it as one file (onnx.save without external data)"
        )
    return model


def read_graph(graph: onnx.GraphProto) -> tuple[Arrays, dict[str, str]]:
    """Return the weights of a graph under their own names, and the weight that each value of the graph is."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    scales = {name for node in graph.node if "Linear" in node.op_type for name in node.input}
    arrays = {
        name: constants[name].astype(np.float32)
        for name, kind in kinds.items()
        if kind in _FLOATS and name not in scales
    }
    origin = {name: name for name in arrays}
    for node in graph.node:
        names = list(node.input)
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        place = _QUANTISED_INPUTS.get(node.op_type)
        is_transposed = _is_transposed(node.op_type, attributes)
        if place and names[place.weight] in constants:
            weight, scale, *zero = names[place.weight :][:3]
            axis = 1 if is_transposed else attributes.get("axis", place.axis)
            array = _dequantised(constants, weight, scale, "".join(zero), axis)
            name = _named(origin, weight)
            arrays[name] = array.T if is_transposed else array
            if node.op_type == "DequantizeLinear":  # it puts out the weights themselves
                origin[node.output[0]] = name
            if place.bias is not None and (bias := "".join(names[place.bias :][:1])):
                scales = constants[names[1]] * constants[scale]
                arrays[_named(origin, bias)] = (constants[bias] * scales).astype(np.float32)
        elif node.op_type in ("Identity", "Cast") and names[0] in origin:
            origin[node.output[0]] = origin[names[0]]
        elif node.op_type == "Transpose" and names[0] in origin:
            arrays[origin[names[0]]] = arrays[origin[names[0]]].transpose(attributes.get("perm"))
            origin[node.output[0]] = origin[names[0]]
        elif len(names) > 1 and names[1] in origin and is_transposed:
            arrays[origin[names[1]]] = arrays[origin[names[1]]].T
    return arrays, origin


def _named(origin: dict[str, str], name: str) -> str:
    """The name of the float weight that a quantised one stands for."""
    origin[name] = name.removesuffix(_QUANTISED)
    return origin[name]


def _is_transposed(operation: str, attributes: dict[str, Any]) -> bool:
    """Whether an operation takes its weights as ``[in, out]``."""
    is_gemm = operation in ("Gemm", "QGemm")
    return operation in ("MatMul", "QLinearMatMul") or (is_gemm and not attributes.get("transB", 0))


def write_onnx(arrays: Arrays, path: Path, metadata: str | None) -> None:
    """Write arrays as the initialisers of a graph without nodes."""
    tensors = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in arrays.items()]
    graph = helper.make_graph([], "weights", [], [], tensors)
    model = helper.make_model(graph, producer_name="mindcv_shufflenet")
    helper.set_model_props(model, {ENTRY: metadata} if metadata else {})
    onnx.save(model, path)


def _dequantised(constants: Arrays, name: str, scale_name: str, zero_name: str = "", axis: int = 0) -> np.ndarray:
    """``(q - zero point) * scale``, where scale and zero point may have one entry for each index of ``axis``."""
    quantised, scale = constants[name].astype(np.int64), constants[scale_name]
    zero = constants[zero_name].astype(np.int64) if zero_name else np.int64(0)
    if scale.ndim:
        axis = min(axis, quantised.ndim - 1)
        shape = [-1 if index == axis else 1 for index in range(quantised.ndim)]
        scale, zero = scale.reshape(shape), np.reshape(zero, shape if np.size(zero) > 1 else ())
    return ((quantised - zero) * scale).astype(np.float32)
