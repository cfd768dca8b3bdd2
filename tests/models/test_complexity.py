"""Counts against the published ones, a count by hand, and the network itself against its description."""

import math
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindcv_shufflenet import families
from mindcv_shufflenet.families.costs import Complexity, layer_costs, total
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.models.complexity import count
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.names import parameter_shapes
from tests.families.reference import maps, random_arrays
from tests.weights.networks import X0_5

# width: parameters with layout megvii (mindcv), with layout torchvision, millions of multiply-adds at 224 (paper)
PUBLISHED = {
    "x0_5": (1_365_792, 1_366_792, 41),
    "x1_0": (2_278_760, 2_278_604, 146),
    "x1_5": (3_506_720, 3_503_624, 299),
    "x2_0": (7_402_600, 7_393_996, 591),
}

# Millions of parameters and of multiply-adds at 224 pixels as they are published, and by how much ours may differ.
# MobileNetV1: the paper's table 6. MobileNetV2: the table of TensorFlow's models, slim/nets/mobilenet/README.md;
# the multiply-adds of width 1 are 300.8, cut to 300; the parameters leave BatchNorm out (see below).
# ShuffleNetV2+: Megvii's README, which cuts 5.14, 5.68 and 6.77 to one digit, but 5.68 to 5.6.
MILLIONS = {
    "mobilenet_v1_025": (0.5, 41, 0.05),
    "mobilenet_v1_050": (1.3, 149, 0.05),
    "mobilenet_v1_075": (2.6, 325, 0.05),
    "mobilenet_v1_100": (4.2, 569, 0.05),
    "mobilenet_v2_035_224": (1.66, 59, 0.03),
    "mobilenet_v2_050_224": (1.95, 97, 0.03),
    "mobilenet_v2_075": (2.61, 209, 0.03),
    "mobilenet_v2_100": (3.47, 300, 0.04),
    "mobilenet_v2_130_224": (5.34, 509, 0.05),
    "mobilenet_v2_140": (6.06, 582, 0.05),
    "shufflenet_v2_plus_small": (5.1, 156, 0.1),
    "shufflenet_v2_plus_medium": (5.6, 222, 0.1),
    "shufflenet_v2_plus_large": (6.7, 360, 0.1),
}


def by_size(family: families.Family) -> list[str]:
    """The networks of a family but the large ones, the smallest first."""
    costs = {model: describe(model).cost for model in family.variants}
    return sorted((model for model, cost in costs.items() if cost.parameters < 10e6), key=lambda model: costs[model])


# The two smallest networks of each family, and each value of each option of the smallest one.
SMALL = [model for family in families.FAMILIES.values() for model in by_size(family)[:2]]
CASES: list[tuple[str, dict[str, Any]]] = [(model, {}) for model in SMALL] + [
    (model, {option: value})
    for family in families.FAMILIES.values()
    for model in by_size(family)[:1]
    for option, values in family.options.items()
    for value in values
]


@pytest.mark.parametrize("width", PUBLISHED)
def test_parameters_and_multiply_adds_are_the_published_ones(width: str) -> None:
    megvii, torchvision, millions = PUBLISHED[width]
    cost = describe(f"shufflenet_v2_{width}").cost
    assert cost.parameters == megvii
    # the paper rounds 40.5 to 41
    assert cost.multiply_adds / 1e6 == pytest.approx(millions, abs=0.6)
    assert describe(f"shufflenet_v2_{width}", layout="torchvision").cost.parameters == torchvision


@pytest.mark.parametrize("model", MILLIONS)
def test_millions_of_parameters_and_multiply_adds_are_the_published_ones(model: str) -> None:
    parameters, multiply_adds, tolerance = MILLIONS[model]
    described = describe(model)
    assert described.cost.parameters / 1e6 == pytest.approx(parameters, abs=tolerance)
    assert described.cost.multiply_adds / 1e6 == pytest.approx(multiply_adds, abs=0.8)
    if model.startswith("mobilenet_v2"):  # TensorFlow's counts leave BatchNorm out
        norms = sum(one.cost.parameters for one in described.layers if one.layer.kind == "norm")
        assert (described.cost.parameters - norms) / 1e6 == pytest.approx(parameters, abs=0.0051)


def test_multiply_adds_of_x0_5_are_the_sum_over_its_layers() -> None:
    """Counted by hand: (output pixels) x (kernel area) x (input channels / groups) x (output channels)."""
    by_hand = 112 * 112 * 9 * 3 * 24
    size, channels = 56, 24
    for repeats, width in ((4, 48), (8, 96), (4, 192)):
        half, size = width // 2, size // 2
        down = 4 * size * size * channels * half + size * size * (9 * half + half * (width - channels))
        down += size * size * (9 * channels + channels * channels)
        keep = size * size * (half * half + 9 * half + half * half)
        by_hand += down + (repeats - 1) * keep
        channels = width
    by_hand += 7 * 7 * 192 * 1024 + 1024 * 1000
    assert count(create_model(X0_5)).multiply_adds == describe(X0_5).cost.multiply_adds == by_hand


@pytest.mark.parametrize(("model", "options"), CASES, ids=str)
def test_a_network_costs_what_its_description_says(model: str, options: dict[str, Any]) -> None:
    network = create_model(model, num_classes=7, in_channels=1, **options)
    described = describe(model, image_size=33, num_classes=7, in_channels=1, **options)
    assert count(network, image_size=33, in_channels=1) == described.cost


@pytest.mark.parametrize("model", SMALL)
def test_the_outputs_have_the_described_shapes(model: str) -> None:
    """Computed in numpy, at a size that no stride divides."""
    described = describe(model, image_size=33)
    layers = described.plan.layers
    computed = maps(layers, random_arrays(layers), np.zeros((1, 3, 33, 33)))
    assert [(1, *one.shape) for one in described.layers] == [array.shape for array in computed]


@pytest.mark.parametrize("model", sorted(families.models()))
def test_every_parameter_is_counted(model: str) -> None:
    described = describe(model)
    shapes = parameter_shapes(described.plan.layers)
    trained = {name: shape for name, shape in shapes.items() if ".moving_" not in name}
    assert described.cost.parameters == sum(map(math.prod, trained.values()))


def test_the_stages_add_up_to_the_network() -> None:
    layers = layer_costs(describe("shufflenet_v2_x1_0").plan.layers, 224)
    stages = {one.stage: total(other.cost for other in layers if other.stage == one.stage) for one in layers}
    assert [*stages] == ["stem", "stage2", "stage3", "stage4", "head"]
    assert stages["stem"] == Complexity(24 * 27 + 2 * 24, 112 * 112 * 24 * 27)
    assert stages["head"] == Complexity(464 * 1024 + 2 * 1024 + 1024 * 1000, 49 * 464 * 1024 + 1024 * 1000)
    assert total(stages.values()) == Complexity(2_278_760, 145_814_296)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = create_model(X0_5)
    network.set_train()
    before = {name: value.asnumpy() for name, value in network.parameters_dict().items()}
    count(network, image_size=64)
    assert network.training
    assert ms.get_context("mode") == ms.GRAPH_MODE
    assert all((before[name] == value.asnumpy()).all() for name, value in network.parameters_dict().items())


def test_image_size_and_channels_are_taken_into_account() -> None:
    small = describe(X0_5, in_channels=1, stem="cifar", image_size=32).cost
    grey_stem = 32 * 32 * 9 * 1 * 24
    rgb = describe(X0_5, stem="cifar", image_size=32).cost
    assert rgb.multiply_adds - small.multiply_adds == 2 * grey_stem
