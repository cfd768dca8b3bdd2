"""Squeeze-and-excitation, shortcuts, activations and the rows of the table that are not of table 5."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from mindcv_shufflenet.families.shufflenet_v2 import FAMILY, Variant
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.models.shufflenet_v2 import Block, SqueezeExcitation
from mindcv_shufflenet.network import create_model
from tests.families.comparison import check_description, check_modes
from tests.weights.networks import random_network

RNG = np.random.default_rng(0)
SMALL = "shufflenet_v2_of_test"
# Each column of the table in a small network.
ROWS = {
    "plain": Variant((2, 1), (16, 32, 64, 48)),
    "deep": Variant((2, 2), (16, 40, 64, 48), stem=(8, 12), first_stride=1),
    "pose": Variant((2, 1), (16, 32, 64, 48), has_pool=False, kernel=5, epsilon=1e-3),
}
OPTIONS: list[dict[str, Any]] = [
    {"se": True},
    {"residual": True},
    {"activation": "leaky_relu"},
    {"se": True, "residual": True, "layout": "torchvision"},
    {"se": True, "residual": True, "activation": "leaky_relu", "stem": "cifar"},
]


@pytest.fixture(params=ROWS)
def row(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Variant:
    """A small network of each kind, under the name ``SMALL``."""
    monkeypatch.setitem(FAMILY.variants, SMALL, ROWS[request.param])
    return ROWS[request.param]


@pytest.mark.parametrize("options", [{}, *OPTIONS], ids=str)
def test_a_network_computes_what_its_description_says(row: Variant, options: dict[str, Any], pynative: None) -> None:
    check_description(random_network(SMALL, num_classes=5, in_channels=2, **options), size=33)


def test_squeeze_and_excitation_equals_numpy(pynative: None) -> None:
    """Scale by sigmoid(W2 relu(W1 mean + b1) + b2), with a sixteenth of the channels in between."""
    cell = SqueezeExcitation(48)
    first, second = cell.reduce, cell.expand
    assert first.weight.shape == (3, 48)
    for parameter in cell.get_parameters():
        parameter.set_data(Tensor(RNG.normal(size=parameter.shape).astype(np.float32)))
    x = RNG.normal(size=(2, 48, 5, 7)).astype(np.float32)
    hidden = np.maximum(x.mean((2, 3)) @ first.weight.asnumpy().T + first.bias.asnumpy(), 0)
    scale = 1 / (1 + np.exp(-(hidden @ second.weight.asnumpy().T + second.bias.asnumpy())))
    np.testing.assert_allclose(cell(Tensor(x)).asnumpy(), x * scale[:, :, None, None], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
def test_a_shortcut_adds_what_the_main_branch_has_read(layout: str, pynative: None) -> None:
    plain, cell = Block(32, 32, 1, layout), Block(32, 32, 1, layout, residual=True)
    for own, other in zip(cell.get_parameters(), plain.get_parameters(), strict=True):
        own.set_data(other.value())
    x = RNG.normal(size=(2, 32, 6, 6)).astype(np.float32)
    difference = (cell.set_train(False)(Tensor(x)) - plain.set_train(False)(Tensor(x))).asnumpy()
    added = np.zeros_like(x)
    if layout == "megvii":  # the odd channels, and what they become stands in the second half
        added[:, 16:] = x[:, 1::2]
    else:  # the second half, and what it becomes stands in the odd channels
        added[:, 1::2] = x[:, 16:]
    np.testing.assert_allclose(difference, added, rtol=1e-4, atol=1e-5)
    opening = Block(32, 64, 2, layout, residual=True)
    assert opening(Tensor(x)).shape == (2, 64, 3, 3)  # nothing to add to


def test_gradients_reach_every_parameter(row: Variant, pynative: None) -> None:
    network = random_network(SMALL, num_classes=3, se=True, residual=True, activation="leaky_relu").set_train()
    loss = nn.CrossEntropyLoss()
    image, label = Tensor(RNG.normal(size=(4, 3, 32, 32)).astype(np.float32)), Tensor([0, 1, 2, 1], ms.int32)
    parameters = network.trainable_params()
    for parameter in parameters:  # where the squeeze has one channel only, a negative one would let nothing through
        if parameter.name.endswith("se.reduce.bias"):
            parameter.set_data(ops.ones_like(parameter))
    step = ms.value_and_grad(lambda x: loss(network(x), label), None, parameters)
    _, gradients = step(image)
    dead = [p.name for p, g in zip(parameters, gradients, strict=True) if not np.abs(g.asnumpy()).max() > 0]
    assert not dead


def test_both_modes_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILY.variants, SMALL, ROWS["deep"])
    network = random_network(SMALL, num_classes=5, se=True, residual=True, activation="leaky_relu")
    check_modes(network)


def test_maps_of_five_stages_and_of_a_network_without_a_pool(row: Variant, pynative: None) -> None:
    network = create_model(SMALL, features_only=True)
    maps = network(Tensor(np.zeros((1, 3, 64, 64), np.float32)))
    assert [info.name for info in network.feature_info] == ["stem", "stage2", "stage3"]
    for found, info in zip(maps, network.feature_info, strict=True):
        assert found.shape == (1, info.channels, 64 // info.stride, 64 // info.stride)
    strides = {True: (4, 8, 16), False: (2, 4, 8)}[row.has_pool]
    assert network.strides == (strides if row.first_stride == 2 else (4, 4, 8))


def test_short_names_have_squeeze_and_excitation() -> None:
    model = create_model("se_shufflenet_v2_x0_5", num_classes=2)
    assert model.options["se"]
    assert not model.options["residual"]
    assert create_model("se_shufflenet_v2_x0_5", se=False, num_classes=2).options["se"] is False
    assert FAMILY.resolve("se_shufflenet_v2_164", {}).items() >= {"se": True, "residual": True}.items()


@pytest.mark.parametrize(
    ("model", "layout", "parameters", "giga", "published"),
    [
        # the paper prints 2.3 G for the 50, and 12.7 G for the 164: 1.2 % more than is counted
        ("shufflenet_v2_50", "megvii", 16_575_898, 2.3147, 2.3),
        ("shufflenet_v2_50", "torchvision", 16_573_534, 2.3042, 2.3),
        ("se_shufflenet_v2_164", "megvii", 75_720_843, 12.5469, 12.7),
        ("se_shufflenet_v2_164", "torchvision", 75_717_922, 12.5414, 12.7),
    ],
)
def test_the_large_networks_cost_what_the_paper_says(
    model: str, layout: str, parameters: int, giga: float, published: float
) -> None:
    """Out of the description; published are multiply-adds alone."""
    counted = describe(model, layout=layout).cost
    assert counted.parameters == parameters
    assert counted.multiply_adds / 1e9 == pytest.approx(giga, abs=1e-4)
    assert counted.multiply_adds / 1e9 == pytest.approx(published, rel=0.013)


@pytest.mark.parametrize(("width", "more"), [("x0_5", 8_020), ("x1_0", 43_188), ("x1_5", 101_736), ("x2_0", 191_288)])
def test_squeeze_and_excitation_costs_its_dense_layers(width: str, more: int) -> None:
    """C channels of a main branch and C/16 inside: 2 C C/16 weights and C + C/16 biases."""
    plain = describe(f"shufflenet_v2_{width}").cost
    with_se = describe(f"se_shufflenet_v2_{width}").cost
    assert with_se.parameters - plain.parameters == more
    row = FAMILY.variants[f"shufflenet_v2_{width}"]
    by_hand, channels = 0, row.widths[0]
    for repeats, wide in zip(row.blocks, row.widths[1:-1], strict=True):
        for block in range(repeats):
            main = wide - channels if block == 0 else wide // 2
            by_hand += 2 * main * (main // 16) + main + main // 16
        channels = wide
    assert by_hand == more


@pytest.mark.parametrize(
    ("width", "classes", "parameters", "multiply_adds"),
    [
        ("x0_5", 10, 0.35, 10.90), ("x1_0", 10, 1.26, 45.00), ("x1_5", 10, 2.49, 94.26), ("x2_0", 10, 5.37, 187.81),
        ("x0_5", 100, 0.44, 10.99), ("x1_0", 100, 1.36, 45.09), ("x1_5", 100, 2.58, 94.35), ("x2_0", 100, 5.55, 188.00),
    ],
)  # fmt: skip
def test_networks_for_32_pixels_cost_what_their_publisher_says(
    width: str, classes: int, parameters: float, multiply_adds: float
) -> None:
    """The table of chenyaofo/pytorch-cifar-models, in millions."""
    counted = describe(f"shufflenet_v2_{width}.cifar{classes}").cost
    assert counted.parameters / 1e6 == pytest.approx(parameters, abs=0.0051)
    assert counted.multiply_adds / 1e6 == pytest.approx(multiply_adds, abs=0.0051)
