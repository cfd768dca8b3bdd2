"""Descriptions: what a family has, what it refuses, and that its network computes what it says."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet import families
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.base import Family, Layer, plan
from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.options.names import ACTIVATIONS, CHANNEL_SHUFFLES, LAYOUTS, POOLS, STEMS
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.weights.names import parameter_shapes
from tests.families.reference import compute
from tests.small import MODEL
from tests.weights.networks import X0_5, arrays_of, random_network

OPTIONS = [
    {"layout": "megvii", "stem": "imagenet", "pool": "same"},
    {"layout": "torchvision", "stem": "imagenet", "pool": "pad"},
    {"layout": "megvii", "stem": "cifar", "pool": "same"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options.values()))
def test_a_network_computes_what_its_description_says(options: dict[str, Any]) -> None:
    ms.set_context(mode=ms.PYNATIVE_MODE)  # nothing is compiled
    network = random_network(X0_5, num_classes=5, in_channels=4, **options)
    image = np.random.default_rng(0).normal(size=(2, 4, 64, 64)).astype(np.float32)
    expected = compute(network.plan.layers, arrays_of(network), image)
    np.testing.assert_allclose(
        network(Tensor(image)).asnumpy(), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )


# The smallest of each family has every option, the others those that are theirs; the largest are described alone.
SIZES = {name: describe(name).cost.parameters for name in sorted(families.models())}
SMALLEST = {min(family.variants, key=SIZES.__getitem__): family for family in families.FAMILIES.values()}
BUILT: list[tuple[str, dict[str, Any]]] = [(name, {}) for name, size in SIZES.items() if size < 2e7] + [
    (name, {option: value}) for name, family in SMALLEST.items() for option in family.options
    for value in family.options[option] if SIZES[name] < 2e7
]  # fmt: skip


@pytest.mark.parametrize(("model", "options"), BUILT)
def test_a_network_has_the_parameters_of_its_description(model: str, options: dict[str, Any]) -> None:
    network = build(model, **options, num_classes=7, in_channels=1)
    shapes = {parameter.name: tuple(parameter.shape) for parameter in network.get_parameters()}
    assert shapes == parameter_shapes(network.plan.layers)


def test_options_that_are_not_given_are_resolved() -> None:
    family = families.find_family(MODEL)
    plain = {"activation": "relu", "se": False, "residual": False}
    assert family.resolve(MODEL, {}) == {"layout": "megvii", "stem": "imagenet", "pool": "same", **plain}
    assert family.resolve(MODEL, {"layout": "torchvision", "stem": None})["pool"] == "pad"
    assert family.resolve(MODEL, {"layout": "torchvision", "pool": "same", "other": 1})["pool"] == "same"


def test_the_schema_takes_the_values_of_all_families() -> None:
    chosen = {
        "layout": LAYOUTS,
        "stem": STEMS,
        "pool": POOLS,
        "channel_shuffle": CHANNEL_SHUFFLES,
        "activation": ACTIVATIONS,
    }
    switches = dict.fromkeys(("se", "residual"), (False, True))
    assert {*chosen, *switches, "in_channels"} == {*names_of("network")}
    for option, names in (chosen | switches).items():
        assert {*names} == {v for family in families.FAMILIES.values() for v in family.options.get(option, ())}


def test_an_option_without_effect_is_found_by_the_layers() -> None:
    family = families.find_family(MODEL)
    plain = {"activation": "relu", "se": False}  # there is no block with a shortcut
    assert family.effective(MODEL, {"stem": "cifar", "pool": "pad"}) == {"layout": "megvii", "stem": "cifar", **plain}
    assert family.effective(MODEL, {"pool": "pad"})["pool"] == "pad"


def two_layers(row: int, *, in_channels: int, num_classes: int) -> list[Layer]:
    net = Builder(in_channels)
    net.dense(net.mean(0), num_classes, "classifier", {}, bias=True)
    return net.layers


def test_an_option_that_a_family_lacks_is_refused() -> None:
    family = Family("Plain", "none:None", {"plain": 1}, two_layers)
    assert plan(family, "plain", layout=None, stem=None).options == {}
    with pytest.raises(UserError, match="^plain has no option layout: leave it out$"):
        plan(family, "plain", layout="megvii")
    for stem in ("imagenet", "cifar"):
        with pytest.raises(UserError, match="^plain has no option stem: leave it out$"):
            plan(family, "plain", stem=stem)
    with pytest.raises(UserError, match=r"pool=valid: it must be one of same, pad"):
        plan(families.find_family(MODEL), MODEL, pool="valid")


def test_a_model_belongs_to_one_family() -> None:
    with pytest.raises(ValueError, match=f"{MODEL} is a model of another family"):
        families.register(Family("Other", "none:None", {MODEL: 1}, two_layers))
    assert "Other" not in families.FAMILIES
    with pytest.raises(UserError, match=r"unknown model shufflenet_v2_x10 \(did you mean shufflenet_v2_x1_0\?\)"):
        families.find_family("shufflenet_v2_x10")
