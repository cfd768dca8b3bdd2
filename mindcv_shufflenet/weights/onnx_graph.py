"""ShuffleNetV2 found in an ONNX graph by the way its convolutions are connected, whatever their weights are called."""

from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper

from mindcv_shufflenet.weights.names import STAGE_BLOCKS, Arrays, translate

# Operations that keep a chain of convolutions a chain.
_PASSING = ("BatchNormalization", "Relu", "Clip", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear")
# Operations that reorder channels.
_SHUFFLING = ("Transpose", "Gather")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# Positions of the convolutions in a branch; BatchNorm follows each.
_PROJ, _MAIN = (0, 2), (0, 3, 5)


class Structure(NamedTuple):
    """What the connections of a graph tell.

    Attributes:
        arrays: the weights under the names of the project whose layout the graph has.
        options: the stem and the padding of the max pool, as ``schema.py`` names them.
    """

    arrays: Arrays
    options: dict[str, Any]


class _Conv(NamedTuple):
    """A convolution of the graph: its node, and the values that it reads and that it and its BatchNorm write."""

    node: onnx.NodeProto
    data: str
    weight: str
    bias: str | None
    norm: list[str]
    depth: int


def follow(graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> Structure | None:
    """Name the weights of a graph by their place in it; None where it is not that of a ShuffleNetV2.

    The convolutions of a branch form a chain. Chains are told by their length: stem and last convolution one, a
    projection two, a main branch three; and their order by the number of convolutions before them.

    Args:
        graph: nodes in topological order, as ONNX has them.
        arrays: the weights by name.
        origin: the weight that a value of the graph is.
    """
    producers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    chains = _chains(_convolutions(graph, origin), producers, readers)
    single, proj, main = ([chain for chain in chains if len(chain) == length] for length in (1, 2, 3))
    dense = [node for node in graph.node if node.op_type in ("Gemm", "MatMul", "QLinearMatMul", "QGemm")]
    if [len(single), len(proj), len(main)] != [2, len(STAGE_BLOCKS), sum(STAGE_BLOCKS)] or len(dense) > 1:
        return None
    firsts = np.cumsum((0, *STAGE_BLOCKS[:-1]))
    names = [["first_conv.0"], ["conv_last.0"]]
    names += [[f"features.{first}.branch_proj.{place}" for place in _PROJ] for first in firsts]
    names += [[f"features.{block}.branch_main.{place}" for place in _MAIN] for block in range(len(main))]
    named: Arrays = {}
    for parts, chain in zip(names, [*single, *proj, *main], strict=True):
        for name, conv in zip(parts, chain, strict=True):
            named |= _weights_of(name, conv, arrays)
    for node in dense:
        named |= _dense_weights(node, graph, arrays, origin)
    layout = "torchvision" if _is_shuffled(single[1][0].data, producers) else "megvii"
    return Structure(translate(named, layout), _options(single[0][0].node, graph))


def _convolutions(graph: onnx.GraphProto, origin: dict[str, str]) -> list[_Conv]:
    """The convolutions with constant weights, each with the number of convolutions on the longest way to it."""
    depths: dict[str, int] = {}
    found: list[_Conv] = []
    for node in graph.node:
        names = list(node.input)
        depth = max((depths.get(name, 0) for name in names), default=0)
        quantised = node.op_type == "QLinearConv"
        weight = origin.get(names[3 if quantised else 1]) if node.op_type in ("Conv", "QLinearConv") else None
        if weight is not None:
            depth += 1
            place = 8 if quantised else 2
            bias = origin.get(names[place]) if len(names) > place else None
            found.append(_Conv(node, names[0], weight, bias, [], depth))
        elif node.op_type == "BatchNormalization" and found:
            conv = next((conv for conv in reversed(found) if conv.node.output[0] == names[0]), None)
            if conv:
                conv.norm.extend(origin.get(name, name) for name in names[1:5])
        depths |= dict.fromkeys(node.output, depth)
    return found


def _chains(
    convolutions: list[_Conv], producers: dict[str, onnx.NodeProto], readers: dict[str, int]
) -> list[list[_Conv]]:
    """Join each convolution with the one whose output only it reads, and sort the chains by their depth."""
    ends: dict[str, list[_Conv]] = {}
    for conv in convolutions:
        value = conv.data
        while readers[value] == 1 and value in producers and producers[value].op_type in _PASSING:
            value = producers[value].input[0]
        chain = ends.pop(value, []) if readers[value] == 1 else []
        ends[conv.node.output[0]] = [*chain, conv]
    return sorted(ends.values(), key=lambda chain: chain[-1].depth)


def _weights_of(name: str, conv: _Conv, arrays: Arrays) -> Arrays:
    """The parameters of a convolution and its BatchNorm under MindSpore's names."""
    parent, _, position = name.rpartition(".")
    found = {f"{name}.weight": arrays[conv.weight]}
    if conv.bias:
        found[f"{name}.bias"] = arrays[conv.bias]
    for own, theirs in zip(_NORM, conv.norm, strict=False):
        found[f"{parent}.{int(position) + 1}.{own}"] = arrays[theirs]
    return found


def _dense_weights(node: onnx.NodeProto, graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> Arrays:
    """The parameters of the classifier; the bias of a matrix product is added by a node of its own."""
    constants = [arrays[origin[name]] for name in node.input if name in origin]
    values = set(node.output)
    for other in graph.node:
        if values & set(other.input) and other.op_type in (*_PASSING, "Add", "QLinearAdd"):
            constants += [arrays[origin[name]] for name in other.input if name in origin]
            values |= set(other.output)
    names = {2: "classifier.weight", 1: "classifier.bias"}
    return {names[value.ndim]: value for value in constants if value.ndim in names}


def _is_shuffled(value: str, producers: dict[str, onnx.NodeProto]) -> bool:
    """Whether channels are reordered between the last concatenation and a value."""
    while value in producers and producers[value].op_type not in ("Concat", "QLinearConcat"):
        if producers[value].op_type in _SHUFFLING:
            return True
        value = producers[value].input[0]
    return False


def _options(stem: onnx.NodeProto, graph: onnx.GraphProto) -> dict[str, Any]:
    """Stem and pool, read off the first convolution and the max pool."""
    strides = _attributes(stem).get("strides", [1, 1])
    pools = [_attributes(node) for node in graph.node if node.op_type == "MaxPool"]
    if strides[0] == 1 and not pools:
        return {"stem": "cifar"}
    pads = pools[0].get("pads", [0, 0, 0, 0]) if pools else []
    return {"stem": "imagenet", "pool": "pad" if list(pads) == [1, 1, 1, 1] else "same"}


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
