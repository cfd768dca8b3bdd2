"""ONNX graphs out of descriptions: a node for each layer, as an exporter writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mindcv_shufflenet.families.base import Layer, Layers, norms
from mindcv_shufflenet.families.builder import interleaved
from mindcv_shufflenet.families.costs import layer_costs
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays

# The operations of the kinds that need no more than their inputs.
_OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "concat": ("Concat", {"axis": 1}),
    "mean": ("GlobalAveragePool", {}),
    "add": ("Add", {}),
    "multiply": ("Mul", {}),
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.1}),
    "hard_swish": ("HardSwish", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": ("Sigmoid", {}),
}


class _Writer:
    """Collects nodes and tensors. Weights have invented, numbered names."""

    def __init__(self, layers: Layers, arrays: Arrays, size: int, folded: bool, transposed: bool) -> None:
        self.layers, self.arrays, self.size = layers, arrays, size
        self.folded, self.transposed = folded, transposed
        self.shapes = [one.shape for one in layer_costs(layers, size)]
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.values = ["image"]
        for position in range(1, len(layers)):
            self.values.append(self.write(position))

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.tensors.append(numpy_helper.from_array(array, f"onnx::Any_{len(self.tensors)}"))
        return self.tensors[-1].name

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [f"/{operation}_{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def write(self, position: int) -> str:
        layer = self.layers[position]
        inputs = [self.values[x] for x in layer.inputs]
        if layer.kind in _OPERATIONS:
            operation, attributes = _OPERATIONS[layer.kind]
            return self.node(operation, *inputs, **attributes)
        return getattr(self, layer.kind)(layer, inputs[0], self.shapes[position])

    def conv(self, layer: Layer, x: str, _: object) -> str:
        parameters = [self.arrays[f"{layer.name}.weight"]]
        norm = norms(self.layers).get(layer.name)
        if self.folded and norm:
            gamma, beta, mean, variance = (self.arrays[f"{norm}.{own}"] for own in NORM_PARAMETERS)
            epsilon = next(other.epsilon for other in self.layers if other.name == norm)
            scale = gamma / np.sqrt(variance + epsilon)
            parameters = [parameters[0] * scale[:, None, None, None], beta - mean * scale]
        pads, strides = [layer.kernel // 2] * 4, [layer.stride] * 2
        return self.node("Conv", x, *map(self.constant, parameters), group=layer.groups, pads=pads, strides=strides)

    def norm(self, layer: Layer, x: str, _: object) -> str:
        if self.folded:
            return x
        parameters = [self.constant(self.arrays[f"{layer.name}.{own}"]) for own in NORM_PARAMETERS]
        return self.node("BatchNormalization", x, *parameters, epsilon=layer.epsilon)

    def relu6(self, _: Layer, x: str, __: object) -> str:
        return self.node("Clip", x, self.constant(0.0), self.constant(6.0))

    def max_pool(self, layer: Layer, x: str, _: object) -> str:
        return self.pool("MaxPool", layer, x)

    def avg_pool(self, layer: Layer, x: str, _: object) -> str:
        return self.pool("AveragePool", layer, x, count_include_pad=int(layer.padding == "pad"))

    def pool(self, operation: str, layer: Layer, x: str, **attributes: Any) -> str:
        attributes |= {"pads": [1, 1, 1, 1]} if layer.padding == "pad" else {"auto_pad": "SAME_UPPER"}
        return self.node(operation, x, kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2, **attributes)

    def dense(self, layer: Layer, x: str, shape: tuple[int, ...]) -> str:
        own = ("weight", "bias") if layer.bias else ("weight",)
        parameters = [self.constant(self.arrays[f"{layer.name}.{name}"]) for name in own]
        y = self.node("Gemm", self.node("Flatten", x), *parameters, transB=1)
        return y if layer is self.layers[-1] else self.node("Reshape", y, self.constant([-1, *shape]))

    def gather(self, layer: Layer, x: str, shape: tuple[int, ...]) -> str:
        first, last = layer.order[0], layer.order[-1] + 1
        if not layer.is_reordering:
            return self.node("Slice", x, *(self.constant([number]) for number in (first, last, 1)))
        groups = layer.channels // layer.order[1]
        if not self.transposed or [*layer.order] != interleaved(layer.channels, groups):
            return self.node("Gather", x, self.constant([*layer.order]), axis=1)
        _, *pixels = shape
        view = self.node("Reshape", x, self.constant([-1, groups, layer.channels // groups, *pixels]))
        return self.node("Reshape", self.node("Transpose", view, perm=[0, 2, 1, 3, 4]), self.constant([-1, *shape]))


def write_graph(
    path: Path, layers: Layers, arrays: Arrays, size: int, *, folded: bool = True, transposed: bool = True
) -> None:
    """Write a network as an ONNX graph without any of its names.

    Args:
        path: of the file.
        layers: the description.
        arrays: the parameters under MindSpore's names.
        size: height and width of the image, of which the graph takes two.
        folded: whether BatchNorm is folded into the convolutions.
        transposed: whether a shuffle is a transposed view, else a gather.
    """
    writer = _Writer(layers, arrays, size, folded, transposed)
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [2, layers[0].channels, size, size])
    logits = helper.make_tensor_value_info(writer.values[-1], onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(writer.nodes, "g", [image], [logits], writer.tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
