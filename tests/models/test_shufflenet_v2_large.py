"""Megvii's large network, in small: against its description, its published size, and its published names."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.families.shufflenet_v2_large import FAMILY, Variant
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.records import RECORDS
from tests.families.reference import compute
from tests.weights.networks import arrays_of, random_network, same

SMALL = "shufflenet_v2_large_of_test"
LARGE = "shufflenet_v2_large_megvii"
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILY.variants, SMALL, Variant((8, 8, 16), (2, 1, 2, 1), (16, 32, 64, 64), 24, groups=4))
    ms.set_context(mode=ms.PYNATIVE_MODE)


def test_a_network_computes_what_its_description_says() -> None:
    network = random_network(SMALL, num_classes=5, in_channels=2)
    image = RNG.normal(size=(2, 2, 64, 64)).astype(np.float32)
    expected = compute(network.plan.layers, arrays_of(network), image)
    got = network(Tensor(image)).asnumpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert [info.name for info in network.feature_info] == ["stem", "stage2", "stage3", "stage4", "stage5"]
    assert [info.stride for info in network.feature_info] == [4, 4, 8, 16, 32]
    ms.set_context(mode=ms.GRAPH_MODE)
    np.testing.assert_allclose(network(Tensor(image)).asnumpy(), got, rtol=1e-4, atol=1e-5 * np.abs(got).max())


def test_gradients_reach_every_parameter() -> None:
    network = random_network(SMALL, num_classes=3).set_train()
    image, label = Tensor(RNG.normal(size=(4, 3, 64, 64)).astype(np.float32)), Tensor([0, 1, 2, 1], ms.int32)
    loss, parameters = nn.CrossEntropyLoss(), network.trainable_params()
    _, gradients = ms.value_and_grad(lambda x: loss(network(x), label), None, parameters)(image)
    dead = [p.name for p, g in zip(parameters, gradients, strict=True) if not np.abs(g.asnumpy()).max() > 0]
    assert not dead


def test_it_trains_with_the_dropout_of_its_source() -> None:
    assert create_model(SMALL, num_classes=3).drop_rate == 0.2


def test_its_size_is_the_published_one_without_the_auxiliary_classifiers() -> None:
    """140.7 M, of which three classifiers have 1x1 and 3x3 convolutions with BatchNorm, and a dense layer."""
    parameters, multiply_adds = describe(LARGE).cost
    auxiliary = sum(width * width + 2 * width + 9 * width * width + 2 * width for width in (256, 512, 1024))
    auxiliary += sum(1000 * width + 1000 for width in (256, 512, 1024))
    assert (parameters, auxiliary) == (125_120_936, 15_564_728)
    assert (parameters + auxiliary) / 1e6 == pytest.approx(140.7, abs=0.05)
    assert multiply_adds / 1e9 == pytest.approx(12.7, rel=0.01)  # 12.78, printed as 12.7


def test_a_published_checkpoint_is_read(tmp_path: Path) -> None:
    """It holds the dense layers of a block under two names, and the auxiliary classifiers."""
    network = random_network(SMALL, num_classes=5)
    arrays = arrays_of(network, "megvii")
    assert {"first_conv.2.bn.running_var", "features.1.3a.proj.conv.weight", "fc.weight"} <= arrays.keys()
    assert {"features.0.2b.se_block.2.bias", "features.1.3a.down.bn.weight", "conv_last.conv.weight"} <= arrays.keys()
    twice = {
        name.replace(f"se_block.{place}", f"se_fc{number}"): value
        for place, number in ((0, 1), (2, 2))
        for name, value in arrays.items()
        if f"se_block.{place}" in name
    }
    heads = {"predict_56.fc.weight": np.zeros((5, 16), np.float32)}
    path = tmp_path / "snetv2_residual_se.npz"
    write_arrays({f"module.{name}": value for name, value in (arrays | twice | heads).items()}, path)
    assert same(arrays_of(create_model(SMALL, num_classes=5, checkpoint_path=path)), arrays_of(network))


def test_neither_of_the_two_large_networks_has_the_others_score() -> None:
    assert [record.model for record in RECORDS.values() if record.top1 == 81.44] == [LARGE]
    assert not any(record.model == "se_shufflenet_v2_164" for record in RECORDS.values())
