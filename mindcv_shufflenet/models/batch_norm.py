"""The BatchNorms of a network: which of them move their statistics in training, and how these are computed anew."""

from collections.abc import Callable, Iterable

import numpy as np
from mindspore import Parameter, Tensor, nn


def batch_norms(network: nn.Cell) -> list[nn.Cell]:
    """Return every BatchNorm of a network, of one rank or of all."""
    return [cell for _, cell in network.cells_and_names() if hasattr(cell, "moving_mean")]


def freeze_statistics(norm: nn.Cell) -> None:
    """Let a BatchNorm normalise by its moving statistics, in training too, and keep them."""
    norm.use_batch_statistics = False


def moving_norms(network: nn.Cell) -> list[nn.Cell]:
    """Return the BatchNorms whose statistics training moves: those that are not frozen."""
    return [norm for norm in batch_norms(network) if norm.use_batch_statistics is not False]


def moving_statistics(network: nn.Cell) -> list[Parameter]:
    """Return the moving means and variances that training moves."""
    return [statistic for norm in moving_norms(network) for statistic in (norm.moving_mean, norm.moving_variance)]


def recompute_statistics(network: nn.Cell, forward: Callable[[Tensor], object], batches: Iterable[np.ndarray]) -> int:
    """Replace mean and variance of each BatchNorm by the averages of those of some batches; a frozen one keeps them.

    The statistics that a training leaves are moving averages over networks that changed meanwhile, and the mean of
    those of several networks is the statistic of none of these networks (Izmailov et al. 2018, arXiv:1803.05407,
    section 3.3). The network computes as in training, where each batch is normalised by its own statistics. Afterwards
    it is in the mode in which it was.

    Args:
        network: its statistics are replaced.
        forward: calls the network, compiled or not.
        batches: images ``[N, C, H, W] float32``.

    Returns:
        How many images were read. Without any the statistics stay.
    """
    norms = moving_norms(network)
    statistics = [(own, norm.momentum) for norm in norms for own in (norm.moving_mean, norm.moving_variance)]
    sums = [np.zeros(own.shape) for own, _ in statistics]
    was_training, images, count = network.training, 0, 0
    network.set_train(True)
    try:
        for batch in batches:
            for own, _ in statistics:
                _set(own, np.zeros(own.shape))
            forward(Tensor(batch))
            for total, (own, share) in zip(sums, statistics, strict=True):
                total += own.asnumpy().astype(np.float64) / share  # a step moves 0 by this share towards the batch's
            images, count = images + len(batch), count + 1
    finally:
        network.set_train(was_training)
    if count:
        for total, (own, _) in zip(sums, statistics, strict=True):
            _set(own, total / count)
    return images


def has_folded_norms(network: nn.Cell) -> bool:
    """Return whether all BatchNorms have a mean of 0 and a variance of 1: in weights, that they were folded."""
    norms = batch_norms(network)
    means = (norm.moving_mean.asnumpy() for norm in norms)
    variances = (norm.moving_variance.asnumpy() for norm in norms)
    return bool(norms) and not any(map(np.any, means)) and all(np.allclose(own, 1, atol=1e-4) for own in variances)


def unfold_norms(network: nn.Cell, batches: Iterable[np.ndarray]) -> None:
    """Give each BatchNorm the mean and variance of what it reads, and scale and shift so that it computes as before.

    A BatchNorm that was folded into a convolution changes nothing in inference. In training it would normalise all the
    same, and the network would compute something else than what its weights were trained for.

    Args:
        network: in inference, computed by MindSpore's own operators, in PyNative mode. It is changed in place.
        batches: images ``[N, C, H, W] float32``.
    """
    norms = batch_norms(network)
    counts = dict.fromkeys(map(id, norms), 0)
    sums = {id(norm): np.zeros((2, len(norm.moving_mean))) for norm in norms}  # of values, and of squares

    def add(norm: nn.Cell, inputs: tuple[Tensor, ...]) -> None:
        maps = inputs[0].asnumpy().swapaxes(0, 1)
        values = maps.reshape(len(maps), -1)
        counts[id(norm)] += values.shape[1]
        sums[id(norm)] += values.sum(axis=1, dtype=np.float64), np.square(values).sum(axis=1, dtype=np.float64)

    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    try:
        for batch in batches:
            network(Tensor(batch))
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        mean, square = sums[id(norm)] / counts[id(norm)]
        variance = np.maximum(square - mean**2, 0)
        own = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
        gamma, beta, old_mean, old_variance = (parameter.asnumpy().astype(np.float64) for parameter in own)
        scale = gamma / np.sqrt(old_variance + norm.eps)
        new = scale * np.sqrt(variance + norm.eps), scale * (mean - old_mean) + beta, mean, variance
        for parameter, values in zip(own, new, strict=True):
            _set(parameter, values)


def _set(parameter: Parameter, values: np.ndarray) -> None:
    parameter.set_data(Tensor(values.astype(np.float32)))
