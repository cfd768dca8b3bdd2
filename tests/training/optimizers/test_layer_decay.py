"""The layers of every family, in the order in which an image goes through them."""

import pytest

from mindcv_shufflenet.families.shufflenet_v2_large import FAMILY, Variant
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.training.optimizers.layer_decay import layer_factors, layers_of
from tests.small import MODEL, MODEL_V1

LARGE = "shufflenet_v2_large_of_layers"

# Layers: the stem, blocks, what stands behind them, and the classifier.
LAYERS = {
    MODEL: 1 + 3 + 1 + 1,
    MODEL_V1: 1 + 4 + 1,
    "mobilenet_v1_025": 1 + 13 + 1,
    "mobilenet_v2_035_224": 1 + 17 + 1 + 1,
    "shufflenet_v2_plus_small": 1 + 20 + 1 + 2 + 1,
    LARGE: 3 + 5 + 1 + 1,
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILY.variants, LARGE, Variant((8, 8, 16), (1, 2, 1, 1), (16, 16, 32, 32), 24, groups=4))


@pytest.mark.parametrize("model", LAYERS)
def test_layers_are_all_of_a_network_in_order(model: str, pynative: None) -> None:
    network = build(model, num_classes=3)
    layers = layers_of(network)
    assert len(layers) == LAYERS[model]
    names = [parameter.name for layer in layers for parameter in layer if parameter.requires_grad]
    assert sorted(names) == sorted(parameter.name for parameter in network.trainable_params())
    assert layers[0][0].shape[1] == network.plan.in_channels
    assert {p.name for p in layers[-1]} == {p.name for p in network.get_classifier().get_parameters()}
    # the description lists the same layers in their order
    position = {parameter.name: index for index, layer in enumerate(layers) for parameter in layer}
    described = [
        position[f"{layer.name}.weight"] for layer in network.plan.layers if f"{layer.name}.weight" in position
    ]
    assert described == sorted(described)
    assert set(described) == set(range(len(layers)))


def test_batch_norm_goes_with_its_convolution(pynative: None) -> None:
    factors = layer_factors(build("mobilenet_v2_035_224"), 0.5)
    assert factors["features.0.weight"] == factors["features.1.gamma"] == factors["features.1.beta"] == 0.5**19
    assert factors["features.3.layers.0.weight"] == 0.5**18
    assert factors["classifier.1.weight"] == factors["classifier.1.bias"] == 1.0
