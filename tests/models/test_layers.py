"""The shuffle against plain numpy indexing."""

import mindspore as ms
import numpy as np
import pytest

from mindcv_shufflenet.models.layers import PaddedMaxPool, channel_shuffle_join, channel_shuffle_split


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 8, 3, 5), (1, 116, 7, 7), (3, 2, 1, 1)])
def test_channels_are_split_into_even_and_odd_ones_and_joined_again(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    even, odd = channel_shuffle_split(ms.Tensor(x))
    np.testing.assert_array_equal(even.asnumpy(), x[:, 0::2])
    np.testing.assert_array_equal(odd.asnumpy(), x[:, 1::2])
    np.testing.assert_array_equal(channel_shuffle_join(even, odd).asnumpy(), x)


@pytest.mark.parametrize("size", [7, 8])
def test_padded_max_pool_pads_every_side(size: int) -> None:
    x = np.abs(array(2, 3, size, size))
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    every = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))  # type: ignore[call-overload]  # numpy's stubs know no tuple of axes
    windows = every[:, :, ::2, ::2]
    np.testing.assert_array_equal(PaddedMaxPool()(ms.Tensor(x)).asnumpy(), windows.max(axis=(4, 5)))
