"""Units against numpy: shuffles, convolutions with groups, pools, activations."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.models.layers import (
    ACTIVATIONS,
    Reorder,
    SlicedConv2d,
    avg_pool,
    channel_shuffle_join,
    channel_shuffle_split,
    conv2d,
    conv_class,
    max_pool,
)
from tests.families.reference import maps


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 8, 3, 5), (1, 116, 7, 7), (3, 2, 1, 1)])
def test_channels_are_split_into_even_and_odd_ones_and_joined_again(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    even, odd = channel_shuffle_split(ms.Tensor(x))
    np.testing.assert_array_equal(even.asnumpy(), x[:, 0::2])
    np.testing.assert_array_equal(odd.asnumpy(), x[:, 1::2])
    np.testing.assert_array_equal(channel_shuffle_join(even, odd).asnumpy(), x)


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "pynative"])
def test_channels_are_put_into_an_order_and_their_gradients_back(mode: int) -> None:
    ms.set_context(mode=mode)
    order = np.random.default_rng(1).permutation(12)
    x = array(2, 12, 3, 5)
    weight = ms.Tensor(x + 1)
    reorder = Reorder([*order])

    def weighted(x: ms.Tensor) -> ms.Tensor:
        return (reorder(x) * weight).sum()

    np.testing.assert_array_equal(reorder(ms.Tensor(x)).asnumpy(), x[:, order])
    gradient = ms.grad(weighted)(ms.Tensor(x)).asnumpy()
    np.testing.assert_array_equal(gradient[:, order], weight.asnumpy())


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "pynative"])
@pytest.mark.parametrize(("kernel", "stride", "groups"), [(1, 1, 3), (3, 2, 4), (3, 1, 12)])
def test_convolutions_with_groups_are_those_of_the_reference(mode: int, kernel: int, stride: int, groups: int) -> None:
    ms.set_context(mode=mode)
    net = Builder(12)
    net.conv(0, 24, "conv", {}, kernel=kernel, stride=stride, groups=groups)
    x = array(2, 12, 6, 6)
    cells = (
        conv2d(12, 24, kernel, stride, groups),
        conv2d(12, 24, kernel, stride, groups, bias=True),
        SlicedConv2d(12, 24, kernel, stride, pad_mode="pad", padding=kernel // 2, group=groups),
        SlicedConv2d(12, 24, kernel, stride, pad_mode="pad", padding=kernel // 2, group=groups, has_bias=True),
    )
    for cell in cells:
        expected = maps(tuple(net.layers), {"conv.weight": cell.weight.asnumpy()}, x)[1]
        if cell.has_bias:
            cell.bias.set_data(ms.Tensor(array(24)))
            expected = expected + array(24)[:, None, None]
        np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy(), expected, rtol=1e-4, atol=1e-5)


def test_groups_are_computed_one_by_one_on_ascend() -> None:
    """But not those of one channel: a depthwise convolution. The parameters are the same."""
    assert conv_class(12, 3, "Ascend") is SlicedConv2d
    assert {conv_class(12, 1, "Ascend"), conv_class(12, 12, "Ascend"), conv_class(12, 3, "CPU")} == {nn.Conv2d}
    own, sliced = (kind(12, 24, 1, group=3) for kind in (nn.Conv2d, SlicedConv2d))
    assert [(p.name, p.shape) for p in own.get_parameters()] == [(p.name, p.shape) for p in sliced.get_parameters()]


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 1)])
@pytest.mark.parametrize("padding", ["same", "pad"])
def test_pools_pad_as_the_reference_does(padding: str, kernel: int, stride: int, size: int) -> None:
    net = Builder(3)
    pools = {
        "max_pool": max_pool(padding, "leaky_relu", kernel, stride),
        "avg_pool": avg_pool(padding, kernel, stride),
    }
    for kind in pools:
        net.pool(kind, 0, kernel, stride, padding)
    x = array(2, 3, size, size) - 2
    for pool, expected in zip(pools.values(), maps(tuple(net.layers), {}, x)[1:], strict=True):
        np.testing.assert_allclose(pool(ms.Tensor(x)).asnumpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations_are_those_of_the_reference(kind: str) -> None:
    net = Builder(3)
    net.add(kind, 0)
    x = array(2, 3, 4, 4) * 4
    expected = maps(tuple(net.layers), {}, x)[1]
    np.testing.assert_allclose(ACTIVATIONS[kind]()(ms.Tensor(x)).asnumpy(), expected, rtol=1e-5, atol=1e-6)
