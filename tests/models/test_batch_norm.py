"""The BatchNorm statistics of a network, computed anew over images."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.models.batch_norm import (
    freeze_statistics,
    has_folded_norms,
    moving_statistics,
    recompute_statistics,
)


def test_statistics_against_numpy(pynative: None) -> None:
    """The second BatchNorm sees what the first makes of each batch by the batch's own statistics."""
    network = nn.SequentialCell(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)).set_train(False)
    rng = np.random.default_rng(0)
    batches = [rng.normal(3, 2, (4, 2, 3, 3)).astype(np.float32) for _ in range(3)]
    assert recompute_statistics(network, network, iter(batches)) == 12
    kernel, bias = network[1].weight.asnumpy()[:, :, 0, 0], network[1].bias
    assert bias is None
    means, variances = [], []
    for batch in batches:
        normal = (batch - batch.mean((0, 2, 3), keepdims=True)) / np.sqrt(batch.var((0, 2, 3), keepdims=True) + 1e-5)
        maps = np.einsum("oi,nihw->nohw", kernel, normal)
        means.append(maps.mean((0, 2, 3)))
        variances.append(maps.var((0, 2, 3), ddof=1))
    np.testing.assert_allclose(network[2].moving_mean.asnumpy(), np.mean(means, axis=0), atol=1e-5)
    np.testing.assert_allclose(network[2].moving_variance.asnumpy(), np.mean(variances, axis=0), rtol=1e-4)
    assert not network.training
    before = network[0].moving_mean.asnumpy().copy()
    assert recompute_statistics(network, network, iter([])) == 0
    np.testing.assert_array_equal(network[0].moving_mean.asnumpy(), before)
    network(Tensor(batches[0], ms.float32))


def test_folded_norms_are_seen() -> None:
    network = nn.SequentialCell(nn.BatchNorm2d(2), nn.BatchNorm2d(3))
    assert has_folded_norms(network)
    network[1].moving_mean.set_data(Tensor([0.0, 0.0, 0.1], ms.float32))
    assert not has_folded_norms(network)
    assert not has_folded_norms(nn.Dense(2, 3))


def test_frozen_statistics_are_kept(pynative: None) -> None:
    """What lies behind a frozen BatchNorm sees what it makes of the images by its moving statistics."""
    network = nn.SequentialCell(nn.BatchNorm2d(2), nn.BatchNorm2d(2))
    freeze_statistics(network[0])
    network[0].moving_mean.set_data(Tensor([1.0, 2.0], ms.float32))
    images = np.random.default_rng(0).normal(3, 2, (4, 2, 3, 3)).astype(np.float32)
    assert recompute_statistics(network, network, [images]) == 4
    assert [parameter.name for parameter in moving_statistics(network)] == ["1.moving_mean", "1.moving_variance"]
    np.testing.assert_array_equal(network[0].moving_mean.asnumpy(), [1, 2])
    np.testing.assert_array_equal(network[0].moving_variance.asnumpy(), [1, 1])
    np.testing.assert_allclose(network[1].moving_mean.asnumpy(), images.mean((0, 2, 3)) - [1, 2], rtol=1e-4)
