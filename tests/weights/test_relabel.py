"""Channels in another order: the function stays, for shuffles, grouped convolutions and additions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.families.base import Layers
from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.families.shufflenet_v2 import FAMILY, Variant
from mindcv_shufflenet.weights.relabel import relabel
from tests.families.reference import compute, random_arrays


def grouped(*, shuffle_first: bool) -> Layers:
    """A block with a residual, two grouped convolutions, and a shuffle before or behind the depthwise one."""
    net = Builder(3)
    x = net.norm(net.conv(0, 12, "first", {}, kernel=3), "first_norm", {})
    y = net.norm(net.conv(x, 24, "expand", {}, groups=3), "expand_norm", {})
    if shuffle_first:
        y = net.shuffle(y, 3)
    y = net.norm(net.conv(y, 24, "depthwise", {}, kernel=3, groups=24), "depthwise_norm", {})
    if not shuffle_first:
        y = net.shuffle(y, 3)
    y = net.norm(net.conv(y, 12, "reduce", {}, groups=3), "reduce_norm", {})
    net.dense(net.mean(net.relu(net.add("add", x, y))), 5, "classifier", {}, bias=True)
    return tuple(net.layers)


def shuffled_residual(order: list[int]) -> Layers:
    """Channels that are added to one another, and then read in an order."""
    net = Builder(3)
    x = net.conv(0, 8, "first", {})
    y = net.add("add", x, net.norm(net.conv(x, 8, "second", {}), "norm", {}))
    net.dense(net.mean(net.conv(net.gather(y, order), 4, "last", {}, groups=2)), 5, "classifier", {}, bias=False)
    return tuple(net.layers)


def joined(*, projection_first: bool) -> Layers:
    """A grouped convolution over two parts, of which one passes by a grouped convolution."""
    net = Builder(3)
    x = net.norm(net.conv(0, 6, "first", {}, kernel=3), "first_norm", {})
    y = net.norm(net.conv(x, 12, "main", {}, groups=3), "main_norm", {})
    y = net.conv(net.concat(*((x, y) if projection_first else (y, x))), 12, "next", {}, groups=3)
    net.dense(net.mean(net.relu(y)), 5, "classifier", {}, bias=False)
    return tuple(net.layers)


def describe(row: Variant, **options: Any) -> Layers:
    """ShuffleNetV2 of any widths, with a pool that is padded on every side."""
    chosen = FAMILY.resolve("shufflenet_v2_x0_5", {"pool": "pad", **options})
    return tuple(FAMILY.layers(row, in_channels=3, num_classes=5, **chosen))


def check(source: Layers, target: Layers, seed: int = 0) -> None:
    arrays = random_arrays(source, seed)
    image = np.random.default_rng(7).normal(size=(2, source[0].channels, 16, 16))
    expected = compute(source, arrays, image)
    got = compute(target, relabel(arrays, source, target), image)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    untouched = compute(target, arrays, image)
    assert np.abs(untouched - expected).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("half", [24, 58, 88, 122])
@pytest.mark.parametrize("target", ["megvii", "torchvision"])
def test_the_two_shuffles_are_one_under_another_numbering(half: int, target: str) -> None:
    """Of every published width, and with as many blocks as the published networks have."""
    row = Variant((4, 8, 4), (half, 2 * half, 4 * half, 8 * half, 16))
    source = "torchvision" if target == "megvii" else "megvii"
    there, here = (describe(row, layout=layout) for layout in (source, target))
    check((*there[:-1], replace(there[-1], bias=False)), (*here[:-1], replace(here[-1], bias=False)), half)


def test_a_shuffle_goes_past_a_depthwise_convolution() -> None:
    check(grouped(shuffle_first=True), grouped(shuffle_first=False))
    check(grouped(shuffle_first=False), grouped(shuffle_first=True))


def test_channels_that_are_added_move_together() -> None:
    order = [0, 1, 2, 3, 4, 5, 6, 7]
    check(shuffled_residual(order), shuffled_residual([5, 2, 7, 0, 1, 3, 6, 4]))


def test_the_parts_of_a_concat_change_places_with_all_groups() -> None:
    check(joined(projection_first=True), joined(projection_first=False))
    check(joined(projection_first=False), joined(projection_first=True))


def test_layers_that_compute_differently_are_refused() -> None:
    layers = joined(projection_first=True)
    others = tuple(replace(layer, epsilon=1e-3) if layer.name == "main_norm" else layer for layer in layers)
    with pytest.raises(ValueError, match="the layers compute differently"):
        relabel({}, layers, others)


def test_what_no_order_makes_the_same_is_refused() -> None:
    with pytest.raises(ValueError, match="read by other layers"):
        relabel({}, shuffled_residual([*range(8)]), shuffled_residual([0, 0, 1, 2, 3, 4, 5, 6]))


@pytest.mark.parametrize("half", [24, 58, 88, 122])
@pytest.mark.parametrize("se", [False, True])
def test_shortcuts_and_squeeze_and_excitation_in_short_stages(half: int, se: bool) -> None:
    """In up to four blocks the two shuffles send as many channels through each set of blocks."""
    row = Variant((4, 3), (half, 2 * half, 4 * half, 16))
    there, here = (describe(row, layout=layout, se=se, residual=True) for layout in ("torchvision", "megvii"))
    check((*there[:-1], replace(there[-1], bias=False)), tuple(here))
