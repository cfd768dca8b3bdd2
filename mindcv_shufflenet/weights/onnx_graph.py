"""A known network found in an ONNX graph by its connections (``skeleton.py``), whatever its weights are called.

What a graph does not tell, such as the shuffle of one that takes images of any size, is as the family's default has it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import onnx
from onnx import TensorProto, helper, numpy_helper

from mindcv_shufflenet.families import FAMILIES
from mindcv_shufflenet.families.base import OWN, Family, Layers, norms
from mindcv_shufflenet.weights.layout import shaping_options
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays, parameter_shapes, translate
from mindcv_shufflenet.weights.skeleton import Conv, Producers, Skeleton, agreement, join, pair, parts_of, reduce

# Operations that reorder channels.
_SHUFFLING = ("Transpose", "Gather")
# Pools, and the kind of layer that they are where their windows overlap; else they make a mean.
_POOLING = {"MaxPool": "max_pool", "AveragePool": "avg_pool"}
# Operations with several maps as inputs. The others take one map, and sizes or constants behind it.
_JOINING = ("Concat", "QLinearConcat", "Add", "QLinearAdd", "Sum", "Mul", "QLinearMul")
# Operations that tell a network option, and the kind of layer that they are: a leaky activation, and an addition of
# maps. The addition of a constant, such as a bias, is none.
_TELLING = {
    "LeakyRelu": "leaky_relu", "QLinearLeakyRelu": "leaky_relu", "Add": "add", "QLinearAdd": "add", "Sum": "add",
}  # fmt: skip
# Convolutions, and which of their inputs are weights and bias.
_CONV_INPUTS = {"Conv": (1, 2), "QLinearConv": (3, 8)}
# Operations that may stand between a matrix product and the addition of its bias.
_PASSING = ("Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Add", "QLinearAdd")


class Structure(NamedTuple):
    """What the connections of a graph tell.

    Attributes:
        arrays: the weights under the names of a project that trains with the graph's layout.
        options: the network options that have an effect, without the layout.
    """

    arrays: Arrays
    options: dict[str, str]


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


def _matches(graph: Skeleton, sizes: dict[str, int]) -> Iterator[_Match]:
    """Every choice of model and network options that the graph fits."""
    for family, model, options in _candidates(graph, sizes):
        layers = family.describe(model, **options, **sizes)
        skeleton, names = reduce(layers)
        place = pair(graph, skeleton)
        if place is not None:
            count = agreement(graph, skeleton, place)
            yield _Match(count, family, model, options, layers, dict(zip(names, place, strict=True)))


def _candidates(graph: Skeleton, sizes: dict[str, int]) -> Iterator[tuple[Family, str, dict[str, Any]]]:
    """Every choice of model and network options whose layers have weights of the graph's shapes, in any order."""
    wanted = sorted(conv.shape for conv in graph.convs)
    for family in FAMILIES.values():
        for model in family.variants:
            shaping = shaping_options(family, model)
            others = family.combinations([name for name in family.options if name not in shaping])
            for options in family.combinations(shaping):
                layers = family.describe(model, **options, **sizes)
                shapes = parameter_shapes(layers)
                dense = sum(layer.kind == "dense" for layer in layers)
                convs = sorted(shapes[f"{layer.name}.weight"] for layer in layers if layer.kind == "conv")
                if convs == wanted and len(graph.biases) in (0, dense):
                    usual = family.resolve(model, options).items()  # first, and so taken where the graph does not tell
                    for more in sorted(others, key=lambda more: len(more.items() - usual)):
                        yield family, model, options | more


def _read(graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> tuple[Skeleton, list[_Constants]]:
    """The skeleton of a graph, and the weights of each of its convolutions."""
    reach: dict[str, Producers] = {}
    made: dict[str, int] = {}
    convs: list[Conv] = []
    constants: list[_Constants] = []
    pools: list[tuple[str, str]] = []
    shuffles: list[int] = []
    kinds: set[str] = set()
    integers = _integers(graph)
    shapes: dict[str, list[int]] = {}  # of the output of each Reshape
    for node in graph.node:
        names, attributes = list(node.input), _attributes(node)
        read = names if node.op_type in _JOINING else names[: node.op_type != "Shape"]
        producers = join([reach.get(name, {}) for name in read], node.op_type in _SHUFFLING)
        weight_place, bias_place = _CONV_INPUTS.get(node.op_type, (0, 0))
        if node.op_type in _CONV_INPUTS and names[weight_place] in origin:
            weight = origin[names[weight_place]]
            bias = origin.get(names[bias_place]) if len(names) > bias_place else None
            made[node.output[0]] = len(convs)
            convs.append(Conv(arrays[weight].shape, attributes.get("strides", [1])[0], producers))
            constants.append(_Constants(weight, bias, []))
            producers = {made[node.output[0]]: False}
        elif node.op_type == "BatchNormalization" and names[0] in made:
            constants[made[names[0]]].norm.extend(origin.get(name, name) for name in names[1:5])
        elif node.op_type in _POOLING and max(attributes["kernel_shape"]) > attributes.get("strides", [1])[0]:
            padding = "pad" if list(attributes.get("pads", ())) == [1, 1, 1, 1] else "same"
            pools.append((_POOLING[node.op_type], padding))
        elif node.op_type == "Reshape" and names[1] in integers:
            shapes[node.output[0]] = integers[names[1]]
        elif node.op_type == "Transpose" and producers:
            is_view = names[0] in shapes and list(attributes.get("perm", ()))[:3] == [0, 2, 1]
            shuffles.append(shapes[names[0]][1] if is_view else 0)
        elif node.op_type == "Gather" and producers:
            shuffles.append(parts_of(integers.get(names[1], [])))
        kind = _TELLING.get(node.op_type)
        if kind and (kind != "add" or sum(bool(reach.get(name)) for name in names) > 1):
            kinds.add(kind)
        reach |= dict.fromkeys(node.output, producers)
    biases = ["dense.bias" in _dense_weights("dense", node, graph, arrays, origin) for node in _dense(graph)]
    return Skeleton(convs, pools, shuffles, biases, kinds), constants


def _integers(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """The lists of integers in a graph, which are shapes and indices, by name."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tensors |= {
        node.output[0]: node.attribute[0].t
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    return {
        name: numpy_helper.to_array(tensor).tolist()
        for name, tensor in tensors.items()
        if tensor.data_type in (TensorProto.INT64, TensorProto.INT32) and len(tensor.dims) == 1
    }


def _sizes(skeleton: Skeleton, graph: onnx.GraphProto, arrays: Arrays, origin: dict[str, str]) -> dict[str, int]:
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
