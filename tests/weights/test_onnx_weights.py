"""Weights out of ONNX files, quantised ones too."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.onnx_weights import read_onnx


def save(path: Path, nodes: list[onnx.NodeProto], **constants: np.ndarray | np.generic) -> Path:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)), path)
    return path


def test_quantised_weights_are_scaled_back_by_their_definition(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (4, 2, 1, 1)).astype(np.int8)
    scale, zero = rng.random(4).astype(np.float32), np.array([0, 1, -2, 3], np.int8)
    bias = rng.integers(-1000, 1000, 4).astype(np.int32)
    matrix = rng.integers(0, 256, (3, 5)).astype(np.uint8)
    square = np.array([[1, 2], [3, 4]], np.int8)
    inputs = ["x", "xs", "xz", "w_quantized", "ws", "wz", "ys", "yz", "b_quantized"]
    path = save(
        tmp_path / "net.onnx",
        [
            helper.make_node("QLinearConv", inputs, ["y"]),
            helper.make_node("QLinearMatMul", ["y", "ys", "yz", "m", "ms", "mz", "zs", "zz"], ["z"]),
            helper.make_node("DequantizeLinear", ["d", "ds"], ["e"]),
            helper.make_node("DequantizeLinear", ["k", "ks", "kz"], ["l"], axis=0),
            helper.make_node("MatMul", ["z", "l"], ["o"]),
        ],
        w_quantized=weight, ws=scale, wz=zero, b_quantized=bias, xs=np.float32(0.5), xz=np.uint8(0),
        ys=np.float32(1), yz=np.uint8(0), m=matrix, ms=np.float32(0.25), mz=np.uint8(128),
        zs=np.float32(1), zz=np.uint8(0), k=square, ks=scale[:2], kz=zero[:2],
        d=np.array([-4, 4], np.int8), ds=np.float32(0.5), f=np.ones(2, np.float32),
    )  # fmt: skip
    got = read_onnx(path).sets[""]
    assert set(got) == {"w", "b", "m", "d", "k", "f"}
    rows = (square.astype(float) - zero[:2].astype(float)[:, None]) * scale[:2, None]
    assert np.allclose(got["k"], rows.T)  # a scale a row, and then turned round for the product
    for channel in range(4):
        expected = (weight[channel].astype(float) - float(zero[channel])) * scale[channel]
        assert np.allclose(got["w"][channel], expected)
        assert got["b"][channel] == pytest.approx(bias[channel] * 0.5 * scale[channel])
    assert np.array_equal(got["m"], ((matrix.astype(np.float32) - 128) * 0.25).T)
    assert got["d"].tolist() == [-2, 2]


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_quantised_gemm_is_scaled_back(transposed: int, tmp_path: Path) -> None:
    weight, scale = np.array([[1, -2], [3, 4], [5, 6]], np.int8), np.array([0.5, 2, 1], np.float32)
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "b", "ys", "yz"]
    stored = weight if transposed else weight.T.copy()
    path = save(
        tmp_path / "net.onnx", [helper.make_node("QGemm", inputs, ["y"], domain="com.microsoft", transB=transposed)],
        w=stored, ws=scale, wz=np.zeros(3, np.int8), xs=np.float32(0.25), xz=np.uint8(0),
        b=np.array([4, 8, -4], np.int32), ys=np.float32(1), yz=np.uint8(0),
    )  # fmt: skip
    got = read_onnx(path).sets[""]
    assert got["w"].tolist() == [[0.5, -1], [6, 8], [5, 6]]
    assert got["b"].tolist() == [0.5, 4, -1]


def test_a_matrix_product_of_floats_is_turned_round(tmp_path: Path) -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = save(tmp_path / "net.onnx", [helper.make_node("MatMul", ["x", "m"], ["y"])], m=matrix)
    assert np.array_equal(read_onnx(path).sets[""]["m"], matrix.T)


@pytest.mark.parametrize(("transposed", "expected"), [(0, [[0, 3], [1, 4], [2, 5]]), (1, [[0, 1, 2], [3, 4, 5]])])
def test_a_gemm_says_how_its_weights_lie(transposed: int, expected: list[list[int]], tmp_path: Path) -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = save(tmp_path / "net.onnx", [helper.make_node("Gemm", ["x", "m"], ["y"], transB=transposed)], m=matrix)
    assert read_onnx(path).sets[""]["m"].tolist() == expected


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [], m=np.zeros((64, 64), np.float32))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    with pytest.raises(UserError, match="keeps its weights in another file"):
        read_onnx(path)


def test_the_published_int8_file_becomes_a_checkpoint(shared: Path, pynative: None) -> None:
    """Every weight is the dequantised one; its float equivalent in ONNX Runtime gives the same logits."""
    ort = pytest.importorskip("onnxruntime")
    path = shared / "weights" / "shufflenet-v2-12-int8.onnx"
    weights = read_weights(path)
    assert (weights.project, weights.layout, weights.unfolded, len(weights.arrays)) == (
        "torchvision", "torchvision", True, 282,
    )  # fmt: skip
    network = create_model("shufflenet_v2_x1_0", layout="torchvision").set_train(False)
    load_weights(network, weights)
    session = ort.InferenceSession(float_equivalent(path).SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    (expected,) = session.run(None, {"input": image})
    import mindspore as ms

    assert np.abs(network(ms.Tensor(image)).asnumpy() - expected).max() < 1e-4


def float_equivalent(path: Path) -> onnx.ModelProto:
    """The graph of a quantised file with every operation in float, written without the package under test."""
    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        i, o = list(node.input), list(node.output)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            nodes.append(helper.make_node("Identity", i[:1], o))
        elif node.op_type == "QLinearConv":
            scale = constants[i[4]].reshape(-1, 1, 1, 1).astype(np.float64)
            weight = (constants[i[3]].astype(np.float64) - constants[i[5]].reshape(-1, 1, 1, 1)) * scale
            bias = constants[i[8]] * (float(constants[i[1]]) * constants[i[4]].astype(np.float64))
            for name, value in ((f"{o[0]}.w", weight), (f"{o[0]}.b", bias)):
                graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
            clipped = constants[i[7]] == 0  # an output that has no negative numbers: the ReLU behind it is part of it
            nodes.append(helper.make_node("Conv", [i[0], f"{o[0]}.w", f"{o[0]}.b"], [f"{o[0]}.y"], **attributes))
            nodes.append(helper.make_node("Relu" if clipped else "Identity", [f"{o[0]}.y"], o))
        elif node.op_type == "QLinearMatMul":
            matrix = (constants[i[3]].astype(np.float64) - constants[i[5]]) * constants[i[4]]
            graph.initializer.append(numpy_helper.from_array(matrix.astype(np.float32), f"{o[0]}.m"))
            nodes.append(helper.make_node("MatMul", [i[0], f"{o[0]}.m"], o))
        elif node.op_type == "QLinearAdd":
            added = (constants[i[3]].astype(np.float64) - constants[i[5]]) * constants[i[4]]
            graph.initializer.append(numpy_helper.from_array(added.astype(np.float32), f"{o[0]}.a"))
            nodes.append(helper.make_node("Add", [i[0], f"{o[0]}.a"], o))
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)
    return model
