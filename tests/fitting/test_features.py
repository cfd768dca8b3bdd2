"""The features that the classifier is fitted on."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.diagnosis.golden import NETWORKS, golden_network
from mindcv_shufflenet.fitting.features import FeatureReader, set_head, unfold
from mindcv_shufflenet.fitting.head import Head
from mindcv_shufflenet.models.base import unfuse
from mindcv_shufflenet.models.batch_norm import batch_norms
from mindcv_shufflenet.options.preprocessing import Preprocessing
from tests.fitting.conftest import scene


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.jpg" for seed in range(20)]
    for seed, path in enumerate(paths):
        scene(seed).save(path)
    return paths


# a classifier without bias; a chain in front of it; a classifier in a cell of its own
@pytest.mark.parametrize("model", ["shufflenet_v2_x0_5", "shufflenet_v2_plus_small", "mobilenet_v2_035_224"])
def test_a_classifier_on_features_is_that_of_the_network(model: str, photos: list[Path]) -> None:
    network, preprocessing = golden_network(model), Preprocessing(image_resize=NETWORKS[model])
    features = FeatureReader(network, preprocessing, 2).read(photos)
    assert features.shape == (len(photos), network.num_features)
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(10, network.num_features)).astype(np.float32)
    bias = rng.normal(size=10) if network.get_classifier().has_bias else np.zeros(10)
    head = Head(weight, bias.astype(np.float32))
    set_head(network, head)
    images = np.stack([create_transform(preprocessing)(photo) for photo in photos[-2:]])
    logits = network(Tensor(images)).asnumpy()
    expected = features[-2:] @ head.weight.T + head.bias
    assert np.abs(logits - expected).max() < 2e-4 * np.abs(expected).max()


def test_unfolded_norms_compute_as_before_and_have_the_statistics_of_the_photos(photos: list[Path]) -> None:
    model = "shufflenet_v2_x0_5"
    network, preprocessing = unfuse(golden_network(model)), Preprocessing(image_resize=64)
    for norm in batch_norms(network):
        norm.moving_mean.set_data(Tensor(np.zeros(norm.moving_mean.shape, np.float32)))
        norm.moving_variance.set_data(Tensor(np.ones(norm.moving_variance.shape, np.float32)))
    images = Tensor(np.stack([create_transform(preprocessing)(photo) for photo in photos]))
    before = network(images).asnumpy()
    unfold(network, preprocessing, photos)
    after = network(images).asnumpy()
    assert np.abs(after - before).max() < 1e-4 * np.abs(before).max()
    first = batch_norms(network)[0]
    seen = ms.ops.conv2d(images, network.first_conv[0].weight, stride=2, padding=1, pad_mode="pad").asnumpy()
    assert np.allclose(first.moving_mean.asnumpy(), seen.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    assert np.allclose(first.moving_variance.asnumpy(), seen.var((0, 2, 3)), rtol=1e-3)
