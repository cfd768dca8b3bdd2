"""Counts against the published ones: parameters of mindcv and torchvision, multiply-adds of the paper's table."""

import pytest

from mindcv_shufflenet.models.complexity import count
from mindcv_shufflenet.network import create_model

# width: parameters with layout megvii (mindcv), with layout torchvision, millions of multiply-adds at 224 (paper)
PUBLISHED = {
    "x0_5": (1_365_792, 1_366_792, 41),
    "x1_0": (2_278_760, 2_278_604, 146),
    "x1_5": (3_506_720, 3_503_624, 299),
    "x2_0": (7_402_600, 7_393_996, 591),
}


@pytest.mark.parametrize("width", PUBLISHED)
def test_parameters_and_multiply_adds_are_the_published_ones(width: str) -> None:
    megvii, torchvision, millions = PUBLISHED[width]
    cost = count(create_model(f"shufflenet_v2_{width}"))
    assert cost.parameters == megvii
    # the paper rounds 40.5 to 41
    assert cost.multiply_adds / 1e6 == pytest.approx(millions, abs=0.6)
    other = count(create_model(f"shufflenet_v2_{width}", layout="torchvision"))
    assert other.parameters == torchvision


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
    assert count(create_model("shufflenet_v2_x0_5")).multiply_adds == by_hand


def test_counting_leaves_the_network_as_it_was() -> None:
    network = create_model("shufflenet_v2_x0_5")
    network.set_train()
    before = {name: value.asnumpy() for name, value in network.parameters_dict().items()}
    count(network, image_size=64)
    assert network.training
    assert all((before[name] == value.asnumpy()).all() for name, value in network.parameters_dict().items())


def test_image_size_and_channels_are_taken_into_account() -> None:
    small = count(create_model("shufflenet_v2_x0_5", in_channels=1, stem="cifar"), image_size=32, in_channels=1)
    grey_stem = 32 * 32 * 9 * 1 * 24
    rgb = count(create_model("shufflenet_v2_x0_5", stem="cifar"), image_size=32)
    assert rgb.multiply_adds - small.multiply_adds == 2 * grey_stem
