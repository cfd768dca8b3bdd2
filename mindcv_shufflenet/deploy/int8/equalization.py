"""Channels that fill the range of their tensor alike: int8 has one scale for all the activations of a tensor.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.1, with measured
ranges: a channel is divided by a number where it is made, and the weights that read it are multiplied by that number.
ReLUs, pools, Concat, Split, Slice and Gather let the number through. A channel without an activation function is also
moved to the middle of its range, which the biases of its readers take back. The model computes the same function.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mindcv_shufflenet.deploy.int8.activations import Distribution, shared_ranges

_CHANNEL_MOVES = ("Concat", "Split", "Gather", "Slice")
# What a positive factor of a channel goes through, beside what moves channels.
_HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten")
# Weights below this share of the largest one of their output count as this share.
_LEAST_SHARE = 1e-3
# No channel grows more than a hundredfold: on other images it may reach farther than where it was measured.
_LEAST_REACH = 0.01
_TINY = np.finfo(np.float32).tiny


class _Layer(NamedTuple):
    """A convolution or a matrix product.

    Attributes:
        weight: its weights, ``[outputs, inputs of a group, pixels] float64``.
        bias: its biases, ``[outputs] float64``.
        names: those of both, as the graph has them.
        made: the numbers of the channels of its output.
        read: the number of the channel that each weight is multiplied with, ``[outputs, inputs of a group]``.
    """

    weight: np.ndarray
    bias: np.ndarray
    names: tuple[str, ...]
    made: np.ndarray
    read: np.ndarray


def equalized(model: onnx.ModelProto, values: Mapping[str, Distribution]) -> onnx.ModelProto:
    """Return a model that computes the same function with channels of more equal ranges.

    Args:
        model: a float model with BatchNorm folded.
        values: the distribution of each float value between its operations.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    channels = _Channels(result, values)
    middle, scale = channels.middles_and_scales()
    constants = {tensor.name: tensor for tensor in result.graph.initializer}
    for layer in channels.layers:
        read, made = scale[layer.read][..., None], scale[layer.made]
        bias = layer.bias + (layer.weight.sum(axis=2) * middle[layer.read]).sum(axis=1) - middle[layer.made]
        changed = (layer.weight * read / made[:, None, None], bias / made)
        for name, array in zip(layer.names, changed, strict=True):
            shape = constants[name].dims
            constants[name].CopyFrom(numpy_helper.from_array(array.reshape(shape).astype(np.float32), name))
    return result


class _Channels:
    """The channels that convolutions make, numbered from 1, and where they go; number 0 stands for all others.

    Args:
        model: that has them.
        values: the distribution of each float value.

    Attributes:
        layers: the convolutions and matrix products that have biases.
    """

    def __init__(self, model: onnx.ModelProto, values: Mapping[str, Distribution]) -> None:
        self.layers: list[_Layer] = []
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._distributions = values
        self._shared = shared_ranges(model, {name: (one.low, one.high) for name, one in values.items()})
        self._number = 1
        self._values: dict[str, np.ndarray] = {}
        self._fixed = {0}  # the channels that have to stay as they are
        self._inner: set[str] = set()  # values in front of a ReLU, which are never quantised
        self._unmovable = {0}  # those that may be scaled, and not moved
        for node in model.graph.node:
            self._follow(node)
        for output in model.graph.output:
            self._fixed.update(self._of(output.name))

    def middles_and_scales(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what to subtract from each channel, and then to divide it by, ``[number of channels]`` each."""
        largest, share = np.zeros((2, self._number))
        least, greatest = np.full(self._number, np.inf), np.full(self._number, -np.inf)
        for name in self._values.keys() - self._inner:
            value, numbers = self._distributions[name], self._values[name]
            np.minimum.at(least, numbers, value.lows)
            np.maximum.at(greatest, numbers, value.highs)
            np.maximum.at(largest, numbers, np.abs(self._shared[name]).max())
        for layer in self.layers:
            if layer.read.shape[1] > 1:  # else a channel's weights have a scale of their own
                size = np.abs(layer.weight).max(axis=2)
                np.maximum.at(share, layer.read, size / np.maximum(size.max(axis=1, keepdims=True), _TINY))
        least[0] = greatest[0] = 0
        is_fixed, is_unmovable = (np.isin(np.arange(self._number), [*some]) for some in (self._fixed, self._unmovable))
        middle = np.where(is_fixed | is_unmovable, 0, (least + greatest) / 2)
        reach = np.maximum(middle - least, greatest - middle)
        is_fixed |= reach <= 0
        # a channel divided by this fills the range of its tensor
        full = np.maximum(reach / np.where(is_fixed, 1, largest), _LEAST_REACH)
        # where weights share a scale with those of other channels, half way (the geometric mean)
        weighed = np.sqrt(full / np.maximum(share, _LEAST_SHARE))
        return middle, np.where(is_fixed, 1, np.where(share > 0, weighed, full))

    def _follow(self, node: onnx.NodeProto) -> None:
        """Note what an operation does to channels."""
        taken = {name: self._of(name) for name in node.input if name not in self._constants}
        if node.op_type in ("Conv", "Gemm") and len(node.input) == 3:
            (numbers,) = taken.values()
            self._add(node, numbers)
            return
        known = {number for numbers in taken.values() for number in numbers if number}
        if not known:
            return
        if node.op_type in _CHANNEL_MOVES:
            pixels = {name: numbers.reshape(1, -1, 1, 1) for name, numbers in taken.items()}
            used = {name: self._constants[name] for name in node.input if name in self._constants}
            moved = ReferenceEvaluator(node).run(None, pixels | used)
            self._values |= {name: one.reshape(-1) for name, one in zip(node.output, moved, strict=True)}
        elif node.op_type in _HOMOGENEOUS:
            if node.op_type == "Relu":
                self._inner.update(taken)
            (self._values[node.output[0]],) = taken.values()
            self._unmovable |= known
        else:
            self._fixed |= known

    def _add(self, node: onnx.NodeProto, numbers: np.ndarray) -> None:
        """Add a layer that reads channels of some numbers."""
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        _, *names = node.input
        weight, bias = (self._constants[name].astype(np.float64) for name in names)
        weight = weight.reshape(*weight.shape[:2], -1)
        groups = attributes.get("group", 1)
        read = np.repeat(numbers.reshape(groups, -1), len(weight) // groups, axis=0)
        made = np.zeros(len(weight), np.int64)
        if node.op_type == "Conv":
            made += np.arange(self._number, self._number + len(weight))
            self._number += len(weight)
            self._values[node.output[0]] = made
        if any(attributes.get("pads", ())):
            self._unmovable.update(numbers)
        self.layers.append(_Layer(weight, bias, tuple(names), made, read))

    def _of(self, name: str) -> np.ndarray:
        """Return the numbers of the channels of a value."""
        if name in self._values:
            return self._values[name]
        return np.zeros(len(self._distributions[name].lows) if name in self._distributions else 0, np.int64)
