"""A network as an ONNX model."""

import onnx
from mindspore import nn

from mindcv_shufflenet.graph.arrangement import arrange
from mindcv_shufflenet.graph.base import Graph
from mindcv_shufflenet.graph.fold import fold_norms
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.onnx import write_model
from mindcv_shufflenet.graph.targets import STYLES

# Of the models that nobody asks for another one: per-channel int8 needs 13, and runtimes of some years ago know 17.
DEFAULT_OPSET = 17


def onnx_model(
    network: nn.Cell, interface: Interface, *, opset: int = DEFAULT_OPSET, shuffle: str = "pieces", target: str = "x86"
) -> onnx.ModelProto:
    """Return the ONNX model of a network in inference, with BatchNorm folded.

    Args:
        network: one that :func:`create_model` made, or the maps of one.
        interface: what the model takes and gives.
        opset: the version of ONNX's operators.
        shuffle: what becomes of the channel shuffles: ``pieces``, ``gather`` or ``transpose``, as :func:`arrange`
            takes it.
        target: where the model is to run; a key of ``STYLES``.

    Raises:
        UserError: the opset is unknown, or lacks what the network needs.
    """
    style = STYLES[target]
    graph = arrange(fold_norms(Graph.of(network)), style, shuffle)
    return write_model(graph, interface, opset, style.kept_shuffle(shuffle))
