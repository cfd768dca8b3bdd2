"""A known network found in an ONNX graph by the way its convolutions are connected, whatever their weights are called.

A description and a graph are both reduced to their convolutions: the shape of each one's weights, and the convolutions
that it reads without another one in between.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import onnx
from onnx import helper

from mindcv_shufflenet.families import FAMILIES
from mindcv_shufflenet.families.base import OWN, Family, Layers, norms
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays, parameter_shapes, translate

# Operations that reorder channels.
_SHUFFLING = ("Transpose", "Gather")
# Operations with several maps as inputs. The others take one map, and sizes or constants behind it.
_JOINING = ("Concat", "QLinearConcat", "Add", "QLinearAdd", "Sum", "Mul", "QLinearMul")
# Convolutions, and which of their inputs are weights and bias.
_CONV_INPUTS = {"Conv": (1, 2), "QLinearConv": (3, 8)}
# Operations that may stand between a matrix product and the addition of its bias.
_PASSING = ("Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Add", "QLinearAdd")

# The convolutions that something reads, and whether channels are reordered on every way from there.
Producers = dict[int, bool]


class Structure(NamedTuple):
    """What the connections of a graph tell.

    Attributes:
        arrays: the weights under the names of a project that trains with the graph's layout.
        options: the network options that have an effect, without the layout.
    """

    arrays: Arrays
    options: dict[str, str]


class _Conv(NamedTuple):
    """A convolution: the shape of its weights, its stride, and what it reads, by position among the convolutions."""

    shape: tuple[int, ...]
    stride: int
    producers: Producers


class _Skeleton(NamedTuple):
    """A network without its weights.

    Attributes:
        convs: the convolutions, in an order of computation.
        pools: the padding of each max pool.
        dense: the number of dense layers.
    """

    convs: list[_Conv]
    pools: list[str]
    dense: int


class _Constants(NamedTuple):
    """The weights of one convolution of the graph, by name: its own, its bias, and those of its BatchNorm."""

    weight: str
    bias: str | None
    norm: list[str]


class _Match(NamedTuple):
    """A description that a graph fits: how well, and which convolution of the graph each of its convolutions is."""

    agreement: int
    family: Family
    model: str
    options: dict[str, str]
    layers: Layers
    place: dict[str, int]


def follow(graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> Structure | None:
    """Name the weights of a graph by their place in it; None where it is not that of a known network.

    Args:
        graph: nodes in topological order, as ONNX has them.
        arrays: the weights by name.
        origin: the weight that a value of the graph is.
    """
    skeleton, constants = _read(graph, arrays, origin)
    matches = list(_matches(skeleton, _sizes(skeleton, graph, arrays, origin)))
    if not matches:
        return None
    match = max(matches, key=lambda match: match.agreement)
    behind = norms(match.layers)
    named: Arrays = {}
    for name, place in match.place.items():
        conv = constants[place]
        named[f"{name}.weight"] = arrays[conv.weight]
        if conv.bias:
            named[f"{name}.bias"] = arrays[conv.bias]
        for own, theirs in zip(NORM_PARAMETERS, conv.norm, strict=False):
            named[f"{behind[name]}.{own}"] = arrays[theirs]
    dense = [layer.name for layer in match.layers if layer.kind == "dense"]
    for name, node in zip(dense, _dense(graph), strict=False):
        named |= _dense_weights(name, node, graph, arrays, origin)
    layout = match.options.get("layout")
    shown = match.family.effective(match.model, match.options)
    trained = (name for name, project in match.family.projects.items() if project.options.get("layout") == layout)
    return Structure(
        translate(named, match.layers, next(trained, OWN)),
        {name: value for name, value in shown.items() if name != "layout"},
    )


def _matches(graph: _Skeleton, sizes: dict[str, int]) -> Iterator[_Match]:
    """Every choice of model and network options that the graph fits."""
    for family in FAMILIES.values():
        for model in family.variants:
            for options in family.combinations():
                layers = family.describe(model, **options, **sizes)
                skeleton, names = _reduce(layers)
                place = _pair(graph, skeleton)
                if place is not None:
                    agreement = _agreement(graph, skeleton, place)
                    yield _Match(agreement, family, model, options, layers, dict(zip(names, place, strict=True)))


def _reduce(layers: Layers) -> tuple[_Skeleton, list[str]]:
    """A description's skeleton, and the name of each of its convolutions."""
    shapes = parameter_shapes(layers)
    convs: list[_Conv] = []
    names: list[str] = []
    reach: list[Producers] = []
    for layer in layers:
        producers = _join([reach[x] for x in layer.inputs], layer.is_reordering)
        if layer.kind == "conv":
            reach.append({len(convs): False})
            convs.append(_Conv(shapes[f"{layer.name}.weight"], layer.stride, producers))
            names.append(layer.name)
        else:
            reach.append(producers)
    pools = [layer.padding for layer in layers if layer.kind == "max_pool"]
    return _Skeleton(convs, pools, sum(layer.kind == "dense" for layer in layers)), names


def _join(inputs: list[Producers], is_reordering: bool) -> Producers:
    """What is read through several inputs: a way on which no channels are reordered goes before the others."""
    joined: Producers = {}
    for producers in inputs:
        for conv, reordered in producers.items():
            joined[conv] = (reordered or is_reordering) and joined.get(conv, True)
    return joined


def _pair(graph: _Skeleton, description: _Skeleton) -> list[int] | None:
    """The graph's convolution for each one of a description: of that shape, and reading the same ones."""
    if len(graph.convs) != len(description.convs) or graph.dense not in (0, description.dense):
        return None
    waiting: dict[tuple[tuple[int, ...], frozenset[int]], list[int]] = {}
    for position, conv in enumerate(graph.convs):
        waiting.setdefault((conv.shape, frozenset(conv.producers)), []).append(position)
    place: list[int] = []
    for conv in description.convs:
        found = waiting.get((conv.shape, frozenset(place[producer] for producer in conv.producers)))
        if not found:
            return None
        place.append(found.pop(0))
    return place


def _agreement(graph: _Skeleton, description: _Skeleton, place: list[int]) -> int:
    """In how many strides, reorderings and pools a graph and a description agree."""
    count = int(graph.pools == description.pools)
    for conv, position in zip(description.convs, place, strict=True):
        theirs = graph.convs[position]
        count += conv.stride == theirs.stride
        count += sum(theirs.producers[place[producer]] == reordered for producer, reordered in conv.producers.items())
    return count


def _read(graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> tuple[_Skeleton, list[_Constants]]:
    """The skeleton of a graph, and the weights of each of its convolutions."""
    reach: dict[str, Producers] = {}
    made: dict[str, int] = {}
    convs: list[_Conv] = []
    constants: list[_Constants] = []
    pools: list[str] = []
    for node in graph.node:
        names, attributes = list(node.input), _attributes(node)
        read = names if node.op_type in _JOINING else names[: node.op_type != "Shape"]
        producers = _join([reach.get(name, {}) for name in read], node.op_type in _SHUFFLING)
        weight_place, bias_place = _CONV_INPUTS.get(node.op_type, (0, 0))
        if node.op_type in _CONV_INPUTS and names[weight_place] in origin:
            weight = origin[names[weight_place]]
            bias = origin.get(names[bias_place]) if len(names) > bias_place else None
            made[node.output[0]] = len(convs)
            convs.append(_Conv(arrays[weight].shape, attributes.get("strides", [1])[0], producers))
            constants.append(_Constants(weight, bias, []))
            producers = {made[node.output[0]]: False}
        elif node.op_type == "BatchNormalization" and names[0] in made:
            constants[made[names[0]]].norm.extend(origin.get(name, name) for name in names[1:5])
        elif node.op_type == "MaxPool":
            pools.append("pad" if list(attributes.get("pads", ())) == [1, 1, 1, 1] else "same")
        reach |= dict.fromkeys(node.output, producers)
    return _Skeleton(convs, pools, len(_dense(graph))), constants


def _sizes(skeleton: _Skeleton, graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> dict[str, int]:
    """The channels of the input and the number of classes, where the graph tells them."""
    first = [conv.shape[1] for conv in skeleton.convs if not conv.producers and len(conv.shape) == 4]
    sizes = {"in_channels": first[0]} if first else {}
    for node in _dense(graph)[-1:]:
        weight = _dense_weights("dense", node, graph, arrays, origin).get("dense.weight")
        if weight is not None:
            sizes["num_classes"] = len(weight)
    return sizes


def _dense(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type in ("Gemm", "MatMul", "QLinearMatMul", "QGemm")]


def _dense_weights(
    name: str, node: onnx.NodeProto, graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]
) -> Arrays:
    """The parameters of a dense layer; the bias of a matrix product is added by a node of its own."""
    constants = [arrays[origin[value]] for value in node.input if value in origin]
    values = set(node.output)
    for other in graph.node:
        if values & set(other.input) and other.op_type in _PASSING:
            constants += [arrays[origin[value]] for value in other.input if value in origin]
            values |= set(other.output)
    parameters = {2: "weight", 1: "bias"}
    return {f"{name}.{parameters[value.ndim]}": value for value in constants if value.ndim in parameters}


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
