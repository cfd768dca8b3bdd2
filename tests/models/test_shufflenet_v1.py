"""ShuffleNetV1 against published counts and independent numpy computations, in both modes."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.families.shufflenet_v1 import FAMILY, LAYOUTS, VARIANTS, shuffle_order
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.names import parameter_shapes
from tests.families.comparison import check_description
from tests.families.reference import compute
from tests.small import MODEL_V1
from tests.weights.networks import arrays_of, random_network

RNG = np.random.default_rng(0)

# Parameters with a biased classifier (imgclsmob, pytorchcv's tests).
PARAMETERS = {
    "g1_x0_25": 209_746,
    "g1_x0_5": 534_484,
    "g1_x0_75": 975_214,
    "g1_x1_0": 1_531_936,
    "g2_x1_0": 1_733_848,
    "g3_x0_25": 305_902,
    "g3_x0_5": 718_324,
    "g3_x0_75": 1_238_266,
    "g3_x1_0": 1_865_728,
    "g4_x1_0": 1_968_344,
    "g8_x1_0": 2_434_768,
}
# Millions of parameters and of multiply-adds (Megvii, ShuffleNetV1/README.md; without a bias).
MEGVII = {
    "g3_x0_5": (0.7, 38),
    "g3_x1_0": (1.9, 138),
    "g3_x1_5": (3.4, 292),
    "g3_x2_0": (5.4, 524),
    "g8_x0_5": (1.0, 40),
    "g8_x1_0": (2.4, 138),
    "g8_x1_5": (4.3, 290),
    "g8_x2_0": (6.5, 522),
}
# Millions of multiply-adds of x1.0 (the paper, table 1), and of those that are counted.
PAPER = {"g1": (143, 143.1), "g2": (140, 140.8), "g3": (137, 137.5), "g4": (133, 134.3), "g8": (137, 138.4)}


def parameters(variant: str, layout: str) -> int:
    """Parameters that are trained."""
    shapes = parameter_shapes(FAMILY.describe(f"shufflenet_v1_{variant}", layout=layout))
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if ".moving_" not in name)


def test_every_variant_has_a_published_count() -> None:
    assert {f"shufflenet_v1_{variant}" for variant in PARAMETERS.keys() | MEGVII.keys()} == {*VARIANTS} - {MODEL_V1}


@pytest.mark.parametrize("variant", PARAMETERS)
def test_parameters_are_those_of_imgclsmob(variant: str) -> None:
    assert parameters(variant, "imgclsmob") == parameters(variant, "mmpretrain") == PARAMETERS[variant]
    assert parameters(variant, "mindcv") == PARAMETERS[variant] - 1000


@pytest.mark.parametrize("variant", MEGVII)
def test_counts_are_those_of_megvii(variant: str) -> None:
    cost = describe(f"shufflenet_v1_{variant}").cost
    millions, multiply_adds = MEGVII[variant]
    assert cost.parameters == parameters(variant, "megvii")
    assert cost.parameters / 1e6 == pytest.approx(millions, abs=0.05)
    assert cost.multiply_adds / 1e6 == pytest.approx(multiply_adds, abs=0.55)  # g3 x1.0 is 137.46


@pytest.mark.parametrize("groups", PAPER)
def test_multiply_adds_are_those_of_the_paper(groups: str) -> None:
    """The paper rounds down, and prints 1.3 M less than there are for four groups and 1.4 M less for eight."""
    published, counted = PAPER[groups]
    multiply_adds = describe(f"shufflenet_v1_{groups}_x1_0").cost.multiply_adds / 1e6
    assert multiply_adds == pytest.approx(counted, abs=0.05)
    assert 0 < multiply_adds - published < 1.4


def test_parameters_of_x0_5_with_statistics_are_those_of_mindcv() -> None:
    """0.73 M (mindcv, configs/shufflenetv1/README.md): with the BatchNorm statistics."""
    shapes = parameter_shapes(FAMILY.describe("shufflenet_v1_g3_x0_5"))
    assert sum(int(np.prod(shape)) for shape in shapes.values()) / 1e6 == pytest.approx(0.73, abs=0.005)


@pytest.mark.parametrize("groups", [2, 3, 8])
def test_the_shuffle_is_a_transposed_view(groups: int) -> None:
    channels = np.arange(6 * groups)
    views = {"interleave": (groups, 6), "deinterleave": (6, groups)}
    for channel_shuffle, view in views.items():
        assert shuffle_order(len(channels), groups, channel_shuffle) == [*channels.reshape(view).T.ravel()]


@pytest.mark.parametrize("channel_shuffle", FAMILY.options["channel_shuffle"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_network_computes_what_its_description_says(layout: str, channel_shuffle: str, pynative: None) -> None:
    network = random_network(MODEL_V1, num_classes=5, in_channels=4, layout=layout, channel_shuffle=channel_shuffle)
    check_description(network, size=64)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("shufflenet_v1_g8_x0_5", {"stem": "cifar", "layout": "mmpretrain"}),
        ("shufflenet_v1_g4_x1_0", {"pool": "same", "layout": "imgclsmob"}),
        ("shufflenet_v1_g1_x0_25", {"layout": "megvii"}),
    ],
)
def test_whole_variants_compute_what_their_descriptions_say(
    model: str, options: dict[str, Any], pynative: None
) -> None:
    check_description(random_network(model, num_classes=5, in_channels=4, **options), size=64)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_reach_every_parameter_and_have_their_slope(layout: str, pynative: None) -> None:
    network = random_network(MODEL_V1, layout=layout, num_classes=5, stem="cifar")
    image = Tensor(RNG.normal(size=(2, 3, 32, 32)), ms.float32)
    weight = RNG.normal(size=(2, 5)).astype(np.float32)

    def loss(image: Tensor) -> Tensor:
        return (network(image) * Tensor(weight)).sum()

    weights = network.trainable_params()
    gradients = [g.asnumpy() for g in ms.grad(loss, None, weights)(image)]
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)
    step = [1e-4 * g / np.sqrt(sum(np.sum(g**2) for g in gradients)) for g in gradients]
    arrays = {name: value.astype(np.float64) for name, value in arrays_of(network).items()}

    def at(sign: int) -> float:
        moved = {p.name: arrays[p.name] + sign * change for p, change in zip(weights, step, strict=True)}
        return float((compute(network.plan.layers, arrays | moved, image.asnumpy().astype(np.float64)) * weight).sum())

    slope = sum(np.sum(g * change) for g, change in zip(gradients, step, strict=True))
    assert (at(1) - at(-1)) / 2 == pytest.approx(slope, rel=1e-2)


def test_initial_weights_are_the_published_training_codes() -> None:
    """Each convolution N(0, 1 / its inputs a group), the first one and the classifier N(0, 0.01)."""
    network = create_model("shufflenet_v1_g3_x1_0")
    deviations = {
        "first_conv.0.weight": 0.01,
        "classifier.weight": 0.01,
        "features.0.branch_main_1.0.weight": 1 / 24,
        "features.9.branch_main_1.0.weight": 1 / 160,
        "features.9.branch_main_2.0.weight": 1.0,
    }
    values = network.parameters_dict()
    for name, deviation in deviations.items():
        assert values[name].asnumpy().std() == pytest.approx(deviation, rel=0.1)
