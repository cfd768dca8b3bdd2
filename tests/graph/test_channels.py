"""Channels are followed from the layers that make them to those that read them."""

import pytest

from mindcv_shufflenet.families.base import Layer
from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.graph.channels import Channel, Channels, Role, Use, role_of


def example() -> Builder:
    """A convolution whose channels are shuffled, and read in halves."""
    net = Builder(3)
    made = net.relu(net.conv(0, 4, "made", {}))
    shuffled = net.shuffle(made, 2)
    first = net.conv(net.gather(shuffled, [0, 1]), 5, "first", {})
    second = net.conv(net.gather(shuffled, [2, 3]), 5, "second", {})
    net.dense(net.mean(net.add("add", first, second)), 7, "classifier", {}, bias=True)
    return net


def test_contents_bundles_and_uses() -> None:
    channels = Channels.of(tuple(example().layers))
    assert channels.contents[3] == (Channel(2, 0), Channel(2, 2), Channel(2, 1), Channel(2, 3))
    assert channels.contents[4] == (Channel(2, 0), Channel(2, 2))
    assert channels.members == {0: [0], 1: [1, 2], 5: [5, 7, 8, 9], 10: [10]}
    assert channels.uses[Channel(2, 2)] == [Use(5, 1)]
    assert channels.uses[Channel(2, 1)] == [Use(7, 0)]
    assert channels.readers(1) == {5, 7}
    assert (channels.whole(2), channels.whole(3), channels.whole(4)) == (2, None, None)


def test_a_kept_shuffle_is_a_bundle_of_its_own() -> None:
    channels = Channels.of(tuple(example().layers), keeps_shuffles=True)
    assert channels.roles[3] is Role.SHUFFLE
    assert channels.members[3] == [3]
    assert channels.roles[4] is Role.ROUTING
    assert channels.contents[4] == (Channel(3, 0), Channel(3, 1))


@pytest.mark.parametrize(
    ("layer", "role"),
    [
        (Layer("conv", (0,), 8), Role.DENSE),
        (Layer("conv", (0,), 8, groups=8), Role.PER_CHANNEL),
        (Layer("conv", (0,), 8, groups=2), Role.GROUPED),
        (Layer("dense", (0,), 8), Role.DENSE),
        (Layer("concat", (0, 1), 8), Role.ROUTING),
        (Layer("gather", (0,), 2, order=(0, 1)), Role.ROUTING),
        (Layer("gather", (0,), 2, order=(1, 0)), Role.SHUFFLE),
        (Layer("avg_pool", (0,), 8), Role.PER_CHANNEL),
        (Layer("multiply", (0, 1), 8), Role.PER_CHANNEL),
        (Layer("input", (), 3), Role.INPUT),
    ],
    ids=str,
)
def test_roles(layer: Layer, role: Role) -> None:
    assert role_of(layer, keeps_shuffles=True) is role
