"""The shuffle against plain numpy indexing."""

import mindspore as ms
import numpy as np
import pytest

from mindcv_shufflenet.models.layers import PaddedMaxPool, deinterleave, interleave


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 8, 3, 5), (1, 116, 7, 7), (3, 2, 1, 1)])
def test_deinterleave_puts_even_channels_before_odd_ones(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    expected = np.concatenate([x[:, 0::2], x[:, 1::2]], axis=1)
    np.testing.assert_array_equal(deinterleave(ms.Tensor(x)).asnumpy(), expected)


@pytest.mark.parametrize("shape", [(2, 8, 3, 5), (1, 116, 7, 7)])
def test_interleave_alternates_the_halves(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    expected = np.empty_like(x)
    expected[:, 0::2], expected[:, 1::2] = np.split(x, 2, axis=1)
    np.testing.assert_array_equal(interleave(ms.Tensor(x)).asnumpy(), expected)
    np.testing.assert_array_equal(deinterleave(interleave(ms.Tensor(x))).asnumpy(), x)


@pytest.mark.parametrize("size", [7, 8])
def test_padded_max_pool_pads_every_side(size: int) -> None:
    x = np.abs(array(2, 3, size, size))
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    np.testing.assert_array_equal(PaddedMaxPool()(ms.Tensor(x)).asnumpy(), windows.max(axis=(4, 5)))
