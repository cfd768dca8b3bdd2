"""ONNX models for tests of engines: our own, and those of somebody else."""

from typing import Any

import onnx
from onnx import TensorProto, helper

from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.metadata import ENTRY, metadata_of
from tests.small import MODEL
from tests.weights.networks import random_network

SIZE = 32


def export(interface: Interface | None = None, classes: Classes | None = None, **options: Any) -> onnx.ModelProto:
    """The small network with random weights as a model that tells its preprocessing."""
    config = parse_config({"model": MODEL, "image_resize": SIZE, "crop_pct": 1.0, **options})
    network = random_network(MODEL, num_classes=10, in_channels=config.in_channels)
    model = onnx_model(network, interface or Interface(SIZE))
    helper.set_model_props(model, {ENTRY: metadata_of(config, classes).dump()})
    return model


def foreign(
    shape: list[Any], outputs: dict[str, list[Any]], kind: int = TensorProto.FLOAT, operation: str = "Identity"
) -> onnx.ModelProto:
    """A model of a mean over the pixels, whose types and shapes are what they are said to be."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["float"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        *(helper.make_node(operation, ["flat"], [name]) for name in outputs),
    ]
    taken = [helper.make_tensor_value_info("picture", kind, shape)]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph(nodes, "foreign", taken, given)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
