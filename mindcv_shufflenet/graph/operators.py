"""The operators of ONNX for each kind of layer, in any opset from 6 on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.base import Layer
from mindcv_shufflenet.families.builder import interleaved
from mindcv_shufflenet.families.costs import layer_costs
from mindcv_shufflenet.graph.base import LOGITS, Graph
from mindcv_shufflenet.graph.interface import Interface


class Operators:
    """The nodes and constants of a graph. Values have the names of the layers that make them.

    Args:
        graph: without BatchNorm.
        interface: what the model takes and gives.
        opset: the version of ONNX's operators.
        shuffle: how a shuffle is written: ``gather`` or ``transpose``.

    Attributes:
        nodes: in the order of computation.
        constants: by name.
        shapes: of the output of each layer for one image.

    Raises:
        UserError: the opset lacks what the graph needs.
    """

    def __init__(self, graph: Graph, interface: Interface, opset: int, shuffle: str) -> None:
        self.graph, self.interface, self.opset, self.shuffle = graph, interface, opset, shuffle
        self.shapes = [one.shape for one in layer_costs(graph.layers, interface.size)]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._readers = graph.readers
        self._outputs = {position: name for name, position in graph.outputs.items()}
        if not interface.softmax and LOGITS in graph.outputs:
            self._outputs[graph.outputs[LOGITS]] = interface.classes_name
        self._names = {*self._outputs.values(), interface.input_name, interface.classes_name}
        self._values = {0: self._normalised() if interface.normalize else interface.input_name}
        for position, layer in enumerate(graph.layers):
            if position not in self._values:
                write: Callable[..., str] = getattr(self, f"_{layer.kind}")
                self._values[position] = write(position, layer, *(self._values[x] for x in layer.inputs))
        if interface.softmax:
            self._node("Softmax", [self._values[graph.outputs[LOGITS]]], [interface.classes_name], axis=1)

    # One method for each kind of layer: its position, the layer, the values that it reads -> the value that it makes.

    def _conv(self, position: int, layer: Layer, x: str) -> str:
        return self._convolution(position, layer, x, self.graph.parameter(layer, "weight"))

    def _dense(self, position: int, layer: Layer, x: str) -> str:
        weight = self.graph.parameter(layer, "weight")
        if position != len(self.graph.layers) - 1:
            return self._convolution(position, layer, x, weight[:, :, None, None])
        if self.opset < 7:  # its Gemm differs, and ONNX Runtime has none
            pixel = self._convolution(position, layer, x, weight[:, :, None, None], f"{layer.name}.pixel")
            return self._node("Flatten", [pixel], [self._name(position, layer.name)])
        flat = self._node("Flatten", [x], [f"{layer.name}.input"])
        own = [self._constant(f"{layer.name}.weight", weight)]
        if layer.bias or self.opset < 11:
            bias = self.graph.parameter(layer, "bias") if layer.bias else np.zeros(layer.channels, np.float32)
            own.append(self._constant(f"{layer.name}.bias", bias))
        return self._node("Gemm", [flat, *own], [self._name(position, layer.name)], transB=1)

    def _convolution(self, position: int, layer: Layer, x: str, weight: np.ndarray, name: str = "") -> str:
        own = [self._constant(f"{layer.name}.weight", weight)]
        if layer.bias:
            own.append(self._constant(f"{layer.name}.bias", self.graph.parameter(layer, "bias")))
        kernel, stride, pads = [layer.kernel] * 2, [layer.stride] * 2, [layer.kernel // 2] * 4
        return self._node(
            "Conv", [x, *own], [name or self._name(position, layer.name)],
            kernel_shape=kernel, strides=stride, pads=pads, group=layer.groups,
        )  # fmt: skip

    def _max_pool(self, position: int, layer: Layer, x: str) -> str:
        return self._pool("MaxPool", position, layer, x)

    def _avg_pool(self, position: int, layer: Layer, x: str) -> str:
        if layer.padding == "same":
            self._require(7, "average pools with pool=same")
            return self._pool("AveragePool", position, layer, x)
        if self.opset >= 7:
            return self._pool("AveragePool", position, layer, x, count_include_pad=1)
        area = layer.kernel**2
        weight = np.full((layer.channels, 1, layer.kernel, layer.kernel), 1 / area, np.float32)
        as_conv = replace(layer, name=f"{x}.avg_pool", groups=layer.channels)
        return self._convolution(position, as_conv, x, weight)

    def _pool(self, operation: str, position: int, layer: Layer, x: str, **attributes: Any) -> str:
        size = self.shapes[layer.inputs[0]][1]
        if layer.padding == "pad":
            attributes["pads"] = [layer.kernel // 2] * 4
        elif self.interface.is_dynamic_size:
            attributes["auto_pad"] = "SAME_UPPER"
        else:
            missing = max((-(-size // layer.stride) - 1) * layer.stride + layer.kernel - size, 0)
            attributes["pads"] = [missing // 2] * 2 + [missing - missing // 2] * 2
        return self._node(
            operation, [x], [self._name(position, f"{x}.{layer.kind}")],
            kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2, **attributes,
        )  # fmt: skip

    def _mean(self, position: int, _: Layer, x: str) -> str:
        return self._node("GlobalAveragePool", [x], [self._name(position, f"{x}.mean")])

    def _concat(self, position: int, _: Layer, *inputs: str) -> str:
        reader = next(
            (self.graph.layers[y].name for y in self._readers[position] if self.graph.layers[y].name), "concat"
        )
        return self._node("Concat", [*inputs], [self._name(position, f"{reader}.input")], axis=1)

    def _gather(self, position: int, layer: Layer, x: str) -> str:
        if not layer.is_reordering:
            return self._part(position, layer, x)
        channels, is_whole = layer.channels, len(layer.order) == self.shapes[layer.inputs[0]][0]
        groups = _groups_of(layer.order) if self.shuffle == "transpose" and is_whole else None
        if groups is None:
            order = self._constant(f"{x}.order", np.array(layer.order))
            return self._node("Gather", [x, order], [self._name(position, f"{x}.shuffled")], axis=1)
        _, *pixels = self.shapes[position]
        view = self._reshape(x, f"{x}.view", [0, groups, channels // groups, -1])
        turned = self._node("Transpose", [view], [self._unique(f"{x}.transposed")], perm=[0, 2, 1, 3])
        if not self.interface.is_dynamic_size:
            return self._reshape(turned, self._name(position, f"{x}.shuffled"), [0, channels, *pixels])
        shape = self._node("Shape", [x], [self._unique(f"{x}.shape")])
        return self._node("Reshape", [turned, shape], [self._name(position, f"{x}.shuffled")])

    def _part(self, position: int, layer: Layer, x: str) -> str:
        """Neighbouring channels: an output of one Split, if the parts that are read make up the whole."""
        source = layer.inputs[0]
        parts = [y for y in self._readers[source] if self._is_part(y)]
        parts.sort(key=lambda y: self.graph.layers[y].order[0])
        read = [channel for y in parts for channel in self.graph.layers[y].order]
        if read == [*range(self.graph.layers[source].channels)]:
            names = [self._name(y, f"{x}.part_{number}") for number, y in enumerate(parts)]
            self._values |= dict(zip(parts, names, strict=True))
            sizes = [self.graph.layers[y].channels for y in parts]
            if self.opset < 13:
                self._node("Split", [x], names, axis=1, split=sizes)
            else:
                self._node("Split", [x, self._constant(f"{x}.parts", np.array(sizes))], names, axis=1)
            return self._values[position]
        name, bounds = self._name(position, f"{x}.part"), (layer.order[0], layer.order[-1] + 1)
        if self.opset < 10:
            return self._node("Slice", [x], [name], starts=[bounds[0]], ends=[bounds[1]], axes=[1])
        numbers = [
            self._constant(f"{name}.{word}", np.array([value]))
            for word, value in zip(("start", "end", "axis"), (*bounds, 1), strict=True)
        ]
        return self._node("Slice", [x, *numbers], [name])

    def _is_part(self, position: int) -> bool:
        layer = self.graph.layers[position]
        return layer.kind == "gather" and not layer.is_reordering

    def _add(self, position: int, _: Layer, *inputs: str) -> str:
        name = self._name(position, f"{inputs[0]}.add")
        # below opset 7 ONNX Runtime has no Add
        return self._node("Add" if self.opset >= 7 else "Sum", [*inputs], [name])

    def _multiply(self, position: int, _: Layer, *inputs: str) -> str:
        return self._product([*inputs], self._name(position, f"{inputs[0]}.multiply"))

    def _product(self, inputs: list[str], name: str) -> str:
        self._require(7, "squeeze-and-excitation and hard-swish")
        return self._node("Mul", inputs, [name])

    def _relu(self, position: int, _: Layer, x: str) -> str:
        return self._node("Relu", [x], [self._name(position, f"{x}.relu")])

    def _relu6(self, position: int, _: Layer, x: str) -> str:
        name = self._name(position, f"{x}.relu6")
        if self.opset < 11:
            return self._node("Clip", [x], [name], min=0.0, max=6.0)
        bounds = [self._constant(key, np.array(value, np.float32)) for key, value in (("zero", 0), ("six", 6))]
        return self._node("Clip", [x, *bounds], [name])

    def _leaky_relu(self, position: int, _: Layer, x: str) -> str:
        return self._node("LeakyRelu", [x], [self._name(position, f"{x}.leaky_relu")], alpha=0.1)

    def _sigmoid(self, position: int, _: Layer, x: str) -> str:
        return self._node("Sigmoid", [x], [self._name(position, f"{x}.sigmoid")])

    def _hard_sigmoid(self, position: int, _: Layer, x: str) -> str:
        return self._node("HardSigmoid", [x], [self._name(position, f"{x}.hard_sigmoid")], alpha=1 / 6, beta=0.5)

    def _hard_swish(self, position: int, _: Layer, x: str) -> str:
        gate = self._node("HardSigmoid", [x], [self._unique(f"{x}.hard_sigmoid")], alpha=1 / 6, beta=0.5)
        return self._product([x, gate], self._name(position, f"{x}.hard_swish"))

    def _normalised(self) -> str:
        """The input of the network out of the bytes of RGB images; ``std`` divides."""
        own = self.interface.normalize
        assert own
        self._require(7, "--normalize")
        pixels = self._node("Cast", [self.interface.input_name], ["pixels"], to=TensorProto.FLOAT)
        if own.channel_order == "bgr" and own.channels == 3:
            pixels = self._node("Gather", [pixels, self._constant("bgr", np.array([2, 1, 0]))], ["pixels.bgr"], axis=3)
        centred = self._node(
            "Sub", [pixels, self._constant("mean", np.array(own.mean, np.float32))], ["pixels.centred"]
        )
        scaled = self._node(
            "Div", [centred, self._constant("std", np.array(own.std, np.float32))], ["pixels.normalised"]
        )
        return self._node("Transpose", [scaled], ["pixels.planes"], perm=[0, 3, 1, 2])

    def _reshape(self, x: str, name: str, shape: Sequence[int]) -> str:
        return self._node("Reshape", [x, self._constant(f"{name}.shape", np.array(shape))], [name])

    def _node(self, operation: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, outputs, name=outputs[0], **attributes))
        return outputs[0]

    def _constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(
                np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value), name
            )
        return name

    def _name(self, position: int, name: str) -> str:
        """The name of a layer's output: that of the graph's output, or another that is free."""
        return self._outputs.get(position) or self._unique(name)

    def _unique(self, name: str) -> str:
        number, found = 1, name
        while found in self._names:
            number, found = number + 1, f"{name}_{number + 1}"
        self._names.add(found)
        return found

    def _require(self, opset: int, what: str) -> None:
        if self.opset < opset:
            raise UserError(f"opset={self.opset} has no operators for {what}: give --opset {opset} or more")


def _groups_of(order: Sequence[int]) -> int | None:
    """Return how many equal parts an order takes a channel of in turn; None: it is another order."""
    groups = len(order) // order[1] if order[1] else len(order)
    return groups if groups and len(order) % groups == 0 and [*order] == interleaved(len(order), groups) else None
