"""Written ONNX models compute what their networks do, in every opset that people ask for."""

import numpy as np
import onnx
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet import UserError, create_model
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.graph.onnx import NEWEST_OPSET
from mindcv_shufflenet.models.catalogue import list_models
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import random_network

# A small model of each family.
MODELS = (MODEL, MODEL_V1, "shufflenet_v2_plus_small", "mobilenet_v1_025", "mobilenet_v2_035_224")
BATCHES = (1, 2, 7)


class Reference:
    """What a network on MindSpore gives for batches of 1, 2 and 7 images of noise."""

    def __init__(self, network: nn.Cell, size: int = 32) -> None:
        noise = [np.random.default_rng(batch).normal(size=(batch, 3, size, size)) for batch in BATCHES]
        self.images = [images.astype(np.float32) for images in noise]
        self.outputs = [network(Tensor(images)).asnumpy() for images in self.images]

    def error(self, model: onnx.ModelProto) -> float:
        """The largest error of a model on ONNX Runtime, relative to the largest output."""
        run = OnnxRuntimeEngine.start(model).run
        worst = 0.0
        for images, wanted in zip(self.images, self.outputs, strict=True):
            (found,) = run(images).values()
            assert found.shape == wanted.shape
            worst = max(worst, np.abs(found - wanted).max() / np.abs(wanted).max())
        return worst


@pytest.mark.parametrize("model", MODELS)
def test_every_opset_and_batch_computes_what_mindspore_does(model: str, pynative: None) -> None:
    network = random_network(model, num_classes=10)
    reference = Reference(network)
    for opset in (7, 11, 13, 17, NEWEST_OPSET):
        written = onnx_model(network, Interface(32), opset=opset)
        onnx.checker.check_model(written, full_check=True)
        assert [one.version for one in written.opset_import] == [opset]
        assert reference.error(written) < 1e-4, opset


@pytest.mark.parametrize(
    ("shuffle", "operations"),
    [
        ("pieces", {"shufflenet_v2_x0_5": set(), MODEL_V1: {"Gather"}}),
        ("transpose", {"shufflenet_v2_x0_5": {"Transpose"}, MODEL_V1: {"Transpose"}}),
        ("gather", {"shufflenet_v2_x0_5": {"Gather"}, MODEL_V1: {"Gather"}}),
    ],
)
def test_every_way_to_shuffle_computes_the_same(shuffle: str, operations: dict[str, set[str]], pynative: None) -> None:
    for model, wanted in operations.items():
        network = random_network(model, num_classes=10)
        reference = Reference(network)
        for opset in (7, 17):
            written = onnx_model(network, Interface(32), opset=opset, shuffle=shuffle)
            assert reference.error(written) < 1e-4, opset
            assert {"Gather", "Transpose"} & {node.op_type for node in written.graph.node} == wanted


def test_a_shuffle_that_stays_is_as_the_target_wants_it(pynative: None) -> None:
    network = random_network(MODEL_V1, num_classes=10)
    written = onnx_model(network, Interface(32), target="openvino")
    assert Reference(network).error(written) < 1e-4
    assert {"Gather", "Transpose"} & {node.op_type for node in written.graph.node} == {"Transpose"}


def test_what_an_opset_lacks_is_told(pynative: None) -> None:
    network = random_network(MODEL_V1)
    with pytest.raises(UserError, match="no operators for average pools with pool=same: give --opset 7 or more"):
        onnx_model(network, Interface(32), opset=6)
    with pytest.raises(UserError, match=f"opset=5: it must be from 6 to {NEWEST_OPSET}"):
        onnx_model(network, Interface(32), opset=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_every_registered_model_computes_what_mindspore_does(name: str, pynative: None) -> None:
    network = create_model(name).set_train(False)
    rng = np.random.default_rng(0)
    for parameter in network.get_parameters():  # wilder ones lose float32's precision in networks of 164 layers
        if len(parameter.shape) == 1:
            noise = rng.uniform(-0.1, 0.1, size=parameter.shape)
            parameter.set_data(Tensor((parameter.asnumpy() + noise).astype(np.float32)))
    assert Reference(network, size=64).error(onnx_model(network, Interface(64))) < 1e-4
