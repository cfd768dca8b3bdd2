"""What every family's network can do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import load_weights
from tests.small import MODEL
from tests.weights.networks import arrays_of, random_network

IMAGE = Tensor(np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32))


@pytest.mark.parametrize(("stem", "strides"), [("imagenet", [4, 8, 16, 32]), ("cifar", [1, 2, 4, 8])])
def test_feature_info_is_that_of_the_maps(stem: str, strides: list[int]) -> None:
    extractor = build(MODEL, stem=stem, features_only=True).set_train(False)
    assert [info.stride for info in extractor.feature_info] == strides
    assert [info.name for info in extractor.feature_info] == ["stem", "stage2", "stage3", "stage4"]
    assert (extractor.channels, [*extractor.strides]) == ((16, 48, 96, 192), strides)
    shapes = [(2, info.channels, 32 // info.stride, 32 // info.stride) for info in extractor.feature_info]
    assert [features.shape for features in extractor(IMAGE)] == shapes


def test_an_extractor_has_what_its_maps_need_and_no_more(tmp_path: Path) -> None:
    network = random_network(MODEL)
    write_arrays(arrays_of(network), tmp_path / "net.npz")
    extractor = build(MODEL, features_only=True, out_indices=(-3, 0)).set_train(False)
    names = {parameter.name for parameter in extractor.get_parameters()}
    own = ("first_conv.", "features.0.")
    assert names == {name for name in arrays_of(network) if name.startswith(own)}
    load_weights(extractor, tmp_path / "net.npz")
    expected = network.extract_features(IMAGE)
    got = extractor(IMAGE)
    assert [info.name for info in extractor.feature_info] == ["stem", "stage2"]
    for info, features in zip(extractor.feature_info, got, strict=True):
        np.testing.assert_allclose(features.asnumpy(), expected[info.name].asnumpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("out_indices", [(4,), (-5,), (), ("stage2",)])
def test_a_map_that_is_not_there_is_refused(out_indices: Any) -> None:
    with pytest.raises(UserError, match="give some of 0 to 3, the maps of feature_info"):
        build(MODEL, features_only=True, out_indices=out_indices)


def test_out_indices_need_features_only() -> None:
    with pytest.raises(UserError, match="out_indices chooses among the maps of features_only=True"):
        build(MODEL, out_indices=(1,))


def test_head_and_features_make_the_logits() -> None:
    network = random_network(MODEL, num_classes=5)
    last = network.forward_features(IMAGE)
    assert last.shape == (2, network.num_features, 1, 1)
    pooled = network.forward_head(last, pre_logits=True).asnumpy()
    np.testing.assert_allclose(pooled, last.asnumpy().mean(axis=(2, 3)), rtol=1e-5)
    logits = network(IMAGE).asnumpy()
    np.testing.assert_allclose(network.forward_head(last).asnumpy(), logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network.get_classifier()(Tensor(pooled)).asnumpy(), logits, rtol=1e-4, atol=1e-5)
    (backbone,) = network.extract_feat(IMAGE, "backbone")
    np.testing.assert_array_equal(backbone.asnumpy(), last.asnumpy())


def test_the_classifier_can_be_replaced() -> None:
    network = random_network(MODEL, num_classes=5)
    before = arrays_of(network)
    assert network(IMAGE).shape == (2, 5)
    network.reset_classifier(3)
    after = arrays_of(network)
    assert after.keys() == before.keys()
    assert after["classifier.weight"].shape == (3, network.num_features)
    assert network(IMAGE).shape == (2, 3)
    assert all(np.array_equal(after[name], before[name]) for name in after if name != "classifier.weight")
    with pytest.raises(UserError, match="num_classes=0: it must be a whole number above 0"):
        network.reset_classifier(0)
