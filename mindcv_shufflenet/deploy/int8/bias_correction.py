"""Biases that take back what rounded weights add to the mean of each channel.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2, with measured
means: behind a ReLU all inputs are positive, so the errors of many weights add up to a shift.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from mindcv_shufflenet.weights.onnx_weights import read_graph


def correct_biases(
    model: onnx.ModelProto, quantized: onnx.ModelProto, means: Mapping[str, np.ndarray]
) -> onnx.ModelProto:
    """Return a float model with the biases that its int8 model should have.

    Args:
        model: the float model.
        quantized: its int8 model, with the biases of the float model.
        means: the mean of each channel of each value, ``[channels]``.
    """
    corrected = onnx.ModelProto()
    corrected.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in corrected.graph.initializer}
    rounded, _ = read_graph(quantized.graph)
    for node in corrected.graph.node:
        if node.op_type in ("Conv", "Gemm") and len(node.input) == 3 and node.input[1] in rounded:
            x, weight_name, bias_name = node.input
            weight = numpy_helper.to_array(constants[weight_name]).astype(np.float64)
            lost = (weight - rounded[weight_name]).reshape(*weight.shape[:2], -1).sum(axis=2)
            groups = len(means[x]) // weight.shape[1]
            read = np.repeat(means[x].reshape(groups, -1), len(weight) // groups, axis=0)
            bias = numpy_helper.to_array(constants[bias_name]) + (lost * read).sum(axis=1)
            constants[bias_name].CopyFrom(numpy_helper.from_array(bias.astype(np.float32), bias_name))
    return corrected
