"""What holds for the networks of all families alike: a small one stands for each, but for the large family's."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from mindcv_shufflenet.models.registry import build
from tests.families.comparison import check_description, check_modes, images
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import arrays_of, random_network

# Model and, at the imagenet stem, stride and channels of its maps, the length of the pooled vector.
SMALLEST = {
    MODEL: ((4, 8, 16, 32), (16, 48, 96, 192), 1024),
    MODEL_V1: ((4, 8, 16, 32), (12, 60, 120, 240), 240),
    "mobilenet_v1_025": ((2, 4, 8, 16, 32), (16, 32, 64, 128, 256), 256),
    "mobilenet_v2_035_224": ((2, 4, 8, 16, 32), (8, 8, 16, 32, 112), 1280),
    "shufflenet_v2_plus_small": ((2, 4, 8, 16, 32), (16, 36, 104, 208, 416), 1280),
}


@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
@pytest.mark.parametrize("model", SMALLEST)
def test_a_network_computes_what_its_description_says(model: str, stem: str, pynative: None) -> None:
    check_description(random_network(model, num_classes=5, in_channels=4, stem=stem))


@pytest.mark.parametrize("model", SMALLEST)
def test_both_modes_compute_the_same(model: str) -> None:
    check_modes(random_network(model, num_classes=5, stem="cifar"), size=16)


@pytest.mark.parametrize("model", SMALLEST)
def test_gradients_reach_every_parameter(model: str, pynative: None) -> None:
    network = random_network(model, num_classes=5, stem="cifar").set_train(True)
    parameters = list(network.trainable_params())
    gradients = ms.grad(lambda x: ops.sum(network(x)[:, 0]), None, parameters)(Tensor(images()))
    without = [p.name for p, g in zip(parameters, gradients, strict=True) if not np.abs(g.asnumpy()).max() > 0]
    assert without == []


@pytest.mark.parametrize("model", SMALLEST)
def test_the_maps_have_the_usual_strides(model: str, pynative: None) -> None:
    strides, channels, features = SMALLEST[model]
    for stem, share in (("imagenet", 1), ("cifar", 2 if len(strides) == 5 else 4)):
        extractor = build(model, features_only=True, stem=stem).set_train(False)
        own = [stride // share for stride in strides]
        assert ([*extractor.strides], extractor.channels) == (own, channels)
        shapes = [(2, width, 32 // stride, 32 // stride) for width, stride in zip(channels, own, strict=True)]
        assert [features.shape for features in extractor(Tensor(images()))] == shapes
    network = build(model)
    assert network.num_features == features
    assert network.extract_feat(Tensor(images()), "pre_logits").shape == (2, features)


@pytest.mark.parametrize("model", SMALLEST)
def test_the_classifier_can_be_replaced(model: str, pynative: None) -> None:
    network = random_network(model, num_classes=5)
    before = arrays_of(network)
    network.reset_classifier(3)
    after = arrays_of(network)
    assert after.keys() == before.keys()
    assert network(Tensor(images())).shape == (2, 3)
    assert network.get_classifier().weight.shape == (3, network.num_features)
    reshaped = {name for name in after if after[name].shape != before[name].shape}
    assert reshaped == {name for name in after if name.startswith(f"{network.plan.layers[-1].name}.")}


def test_networks_train_with_the_dropout_of_their_source_unless_told_otherwise() -> None:
    rates = [build(model).drop_rate for model in SMALLEST]
    assert rates == [0.0, 0.0, 0.0, 0.2, 0.2]
    assert build("mobilenet_v2_035_224", drop_rate=0.0).dropout is None
