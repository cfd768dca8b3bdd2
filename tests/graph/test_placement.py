"""Channels lie where they are read, among zeros where a style wants them."""

import pytest

from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.graph.base import LOGITS, Graph
from mindcv_shufflenet.graph.channels import Channel, Channels
from mindcv_shufflenet.graph.pieces import piece_numbers
from mindcv_shufflenet.graph.placement import Placement, Slice
from mindcv_shufflenet.graph.targets import Style
from tests.families.reference import random_arrays
from tests.graph.test_channels import example


def example_graph() -> Graph:
    layers = tuple(example().layers)
    return Graph(layers, random_arrays(layers), {LOGITS: len(layers) - 1})


def test_pieces_are_what_the_same_layers_read() -> None:
    pieces = piece_numbers(Channels.of(example_graph().layers))
    assert pieces[1] == [0, 1, 0, 1]
    assert pieces[5] == [0, 0, 0, 0, 0]


def test_a_piece_that_falls_into_pieces_makes_more_of_them() -> None:
    """The ReLU of two joined maps is read in parts; the maps are cut where it is."""
    net = Builder(3)
    one, other = net.conv(0, 4, "one", {}), net.conv(0, 4, "other", {})
    joined = net.relu(net.concat(one, other))
    reads = [net.conv(net.gather(joined, part), 2, f"read_{part}", {}) for part in (range(2), range(2, 8))]
    net.dense(net.mean(net.add("add", *reads)), 3, "classifier", {}, bias=True)
    pieces = piece_numbers(Channels.of(tuple(net.layers)))
    assert (pieces[one], pieces[other]) == ([0, 0, 1, 1], [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("style", "tensors"),
    [
        (Style(), ((0, 2, 1, 3),)),
        (Style(multiple=8), ((0, 2, 1, 3),)),  # a tensor that is read in slices is not padded
        (Style(is_separate=True), ((0, 2), (1, 3))),
        (Style(multiple=3, is_separate=True), ((0, 2, None), (1, 3, None))),
        (Style(multiple=8, is_separate=True), ((0, 2, 1, 3, None, None, None, None),)),  # two would be twice as large
        (Style(is_separate=True, overhead=100), ((0, 2, 1, 3),)),
    ],
)
def test_tensors(style: Style, tensors: tuple) -> None:
    placement = Placement(example_graph(), style)
    assert placement.tensors(1) == placement.tensors(2) == tensors
    assert placement.tensors(0) == ((0, 1, 2),)


def test_slices() -> None:
    channels = [Channel(2, 3), Channel(2, 1)]
    together, apart = (Placement(example_graph(), style) for style in (Style(), Style(multiple=3, is_separate=True)))
    assert together.in_order(channels) == (Slice(2, 0, 3, 4), Slice(2, 0, 2, 3))
    assert together.in_any_order(channels) == (Slice(2, 0, 2, 4),)
    assert apart.in_any_order(channels) == (Slice(2, 1, 0, 3),)
    assert apart.content(3, apart.in_any_order(channels)) == (2, 3, None)  # the places of b and d in the shuffle
