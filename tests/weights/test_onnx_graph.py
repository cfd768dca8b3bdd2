"""Weights under invented names, found by their place in the graph."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from mindspore import Tensor
from onnx import helper, numpy_helper

from mindcv_shufflenet.families.shufflenet_v2 import FAMILY, VARIANTS, Variant
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.names import Arrays
from tests.weights.networks import arrays_of, random_network

SIZE = 32
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
NETWORKS = [("megvii", "imagenet"), ("torchvision", "imagenet"), ("torchvision", "cifar")]


class Exporter:
    """Writes a network as torch.onnx does: BatchNorm folded, weights numbered, the shuffle as a transpose."""

    def __init__(self, arrays: Arrays, blocks: tuple[int, ...], layout: str, stem: str) -> None:
        self.arrays, self.blocks, self.layout, self.stem = arrays, blocks, layout, stem
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        self.tensors.append(numpy_helper.from_array(value, f"onnx::Any_{len(self.tensors)}"))
        return self.tensors[-1].name

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        return self.node_of_several(operation, *inputs, outputs=1, **attributes)[0]

    def node_of_several(self, operation: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        names = [f"/{operation}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
        return names

    def conv(self, x: str, name: str, stride: int = 1, relu: bool = True) -> str:
        parent, _, position = name.rpartition(".")
        gamma, beta, mean, variance = (
            self.arrays[f"{parent}.{int(position) + 1}.{own}"]
            for own in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        weight = self.arrays[f"{name}.weight"]
        scale = gamma / np.sqrt(variance + 1e-5)
        folded = self.constant(weight * scale[:, None, None, None]), self.constant(beta - mean * scale)
        pad, groups = weight.shape[2] // 2, 1 if weight.shape[1] > 1 else len(weight)
        y = self.node("Conv", x, *folded, strides=[stride] * 2, pads=[pad] * 4, group=groups)
        return self.node("Relu", y) if relu else y

    def shuffled(self, x: str, channels: int, size: int, groups: int) -> str:
        view = self.constant(np.array([-1, groups, channels // groups, size, size]))
        x = self.node("Transpose", self.node("Reshape", x, view), perm=[0, 2, 1, 3, 4])
        return self.node("Reshape", x, self.constant(np.array([-1, channels, size, size])))

    def block(self, x: str, index: int, first: bool, size: int) -> str:
        name, stride = f"features.{index}", 2 if first else 1
        if first:
            passed = self.conv(self.conv(x, f"{name}.branch_proj.0", 2, relu=False), f"{name}.branch_proj.2")
        else:
            half = len(self.arrays[f"{name}.branch_main.5.weight"])
            if self.layout == "megvii":
                x = self.shuffled(x, 2 * half, size, half)
            passed, x = self.node_of_several("Split", x, self.constant(np.array([half, half])), outputs=2, axis=1)
        x = self.conv(x, f"{name}.branch_main.0")
        x = self.conv(self.conv(x, f"{name}.branch_main.3", stride, relu=False), f"{name}.branch_main.5")
        x = self.node("Concat", passed, x, axis=1)
        width = 2 * len(self.arrays[f"{name}.branch_main.3.weight"])
        return self.shuffled(x, width, size, 2) if self.layout == "torchvision" else x

    def save(self, path: Path) -> None:
        size = SIZE if self.stem == "cifar" else SIZE // 4
        x = self.conv("image", "first_conv.0", 1 if self.stem == "cifar" else 2)
        if self.stem == "imagenet":
            x = self.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        index = 0
        for repeats in self.blocks:
            size //= 2
            for block in range(repeats):
                x = self.block(x, index, block == 0, size)
                index += 1
        x = self.node("Flatten", self.node("GlobalAveragePool", self.conv(x, "conv_last.0")))
        dense = [
            self.constant(self.arrays[f"classifier.{n}"])
            for n in ("weight", "bias")
            if f"classifier.{n}" in self.arrays
        ]
        self.nodes.append(helper.make_node("Gemm", [x, *dense], ["logits"], transB=1))
        image = helper.make_tensor_value_info("image", 1, [2, 3, SIZE, SIZE])
        graph = helper.make_graph(
            self.nodes, "g", [image], [helper.make_tensor_value_info("logits", 1, None)], self.tensors
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("blocks", [(1, 1, 1), (2, 3, 2)])
@pytest.mark.parametrize(
    ("layout", "stem"), [("megvii", "imagenet"), ("torchvision", "imagenet"), ("torchvision", "cifar")]
)
def test_weights_without_names_compute_what_the_graph_does(
    layout: str, stem: str, blocks: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "shufflenet_v2_of_test"
    monkeypatch.setitem(FAMILY.variants, model, Variant(blocks, VARIANTS["shufflenet_v2_x0_5"].widths))
    options: dict[str, Any] = {"layout": layout, "stem": stem, "pool": "pad"}
    path = tmp_path / "net.onnx"
    Exporter(arrays_of(random_network(model, **options)), blocks, layout, stem).save(path)
    weights = read_weights(path)
    assert (weights.project, weights.layout) == (layout, layout)
    assert weights.options == ({"stem": "cifar"} if stem == "cifar" else {"stem": "imagenet", "pool": "pad"})
    network = random_network(model, seed=1, **options)
    load_weights(network, weights)
    image = np.random.default_rng(0).normal(size=(2, 3, SIZE, SIZE)).astype(np.float32)
    (expected,) = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": image})
    assert np.abs(network(Tensor(image)).asnumpy() - expected).max() < 1e-4 * np.abs(expected).max()
