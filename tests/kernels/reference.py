"""Layers and their gradients in numpy, in float64: each function returns its output and a function of its gradient."""

from collections.abc import Callable

import numpy as np

Gradient = Callable[[np.ndarray], tuple[np.ndarray, ...]]
# Activations and their derivatives, by the numbers of kernels/operators.py.
ACTIVATIONS: tuple[tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]], ...] = (
    (lambda u: u, np.ones_like),
    (lambda u: np.maximum(u, 0), lambda u: (u > 0) * 1.0),
    (lambda u: np.clip(u, 0, 6), lambda u: ((u > 0) & (u < 6)) * 1.0),
    (lambda u: np.where(u < 0, 0.1 * u, u), lambda u: np.where(u < 0, 0.1, 1.0)),
    (lambda u: u * np.clip(u + 3, 0, 6) / 6, lambda u: np.where(u < -3, 0, np.where(u > 3, 1, (2 * u + 3) / 6))),
)


def convolution(x: np.ndarray, weight: np.ndarray, stride: int = 1) -> tuple[np.ndarray, Gradient]:
    """A convolution that keeps the size at stride 1, with as many groups as the weights ``[O, C / groups, K, K]`` say.

    Its gradient returns those of ``x`` and of ``weight``.
    """
    outputs, depth, kernel, _ = weight.shape
    groups = x.shape[1] // depth
    height, width = ((size - 1) // stride + 1 for size in x.shape[2:])
    padded = np.pad(x, ((0, 0), (0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2))
    grouped = weight.reshape(groups, outputs // groups, depth, kernel, kernel)

    def tap(i: int, j: int) -> tuple[slice, ...]:
        rows, columns = (slice(k, k + (size - 1) * stride + 1, stride) for k, size in ((i, height), (j, width)))
        return slice(None), slice(None), rows, columns

    def by_group(maps: np.ndarray) -> np.ndarray:
        return maps.reshape(len(maps), groups, -1, *maps.shape[2:])

    taps = [(i, j) for i in range(kernel) for j in range(kernel)]
    y = sum(np.einsum("god,ngdhw->ngohw", grouped[..., i, j], by_group(padded[tap(i, j)])) for i, j in taps)

    def gradient(dy: np.ndarray) -> tuple[np.ndarray, ...]:
        dpadded, dweight = np.zeros_like(padded), np.zeros_like(grouped)
        for i, j in taps:
            dweight[..., i, j] = np.einsum("ngohw,ngdhw->god", by_group(dy), by_group(padded[tap(i, j)]))
            part = np.einsum("god,ngohw->ngdhw", grouped[..., i, j], by_group(dy))
            dpadded[tap(i, j)] += part.reshape(len(x), -1, height, width)
        border = kernel // 2
        inner = dpadded[:, :, border : border + x.shape[2], border : border + x.shape[3]]
        return inner, dweight.reshape(weight.shape)

    return np.asarray(y).reshape(len(x), outputs, height, width), gradient


def norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, activation: int, epsilon: float,
    fixed: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, Gradient]:  # fmt: skip
    """BatchNorm and an activation; ``fixed`` are mean and variance, None: those of the batch.

    Its gradient returns those of ``x``, ``gamma`` and ``beta``.
    """
    axes, shape = (0, 2, 3), (1, -1, 1, 1)
    mean, variance = (x.mean(axes), x.var(axes)) if fixed is None else fixed
    inverse = 1 / np.sqrt(variance + epsilon)
    centred = (x - mean.reshape(shape)) * inverse.reshape(shape)
    u = centred * gamma.reshape(shape) + beta.reshape(shape)
    function, derivative = ACTIVATIONS[activation]

    def gradient(dy: np.ndarray) -> tuple[np.ndarray, ...]:
        du = dy * derivative(u)
        dgamma, dbeta = (du * centred).sum(axes), du.sum(axes)
        dx = du.copy()
        if fixed is None:
            count = x.size / x.shape[1]
            dx -= (dbeta.reshape(shape) + centred * dgamma.reshape(shape)) / count
        return dx * (gamma * inverse).reshape(shape), dgamma, dbeta

    return function(u), gradient


def max_pool(x: np.ndarray, padding: str) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The largest of 3 x 3 pixels with stride 2, of numbers that are not negative; ``padding`` as ``layers.max_pool``.

    Its gradient goes to the first of the largest pixels.
    """
    height, width = ((size - 1) // 2 + 1 for size in x.shape[2:])
    before = [0 if padding == "same" and size % 2 == 0 else 1 for size in x.shape[2:]]
    padded = np.pad(x, ((0, 0), (0, 0), (before[0], 3), (before[1], 3)))
    taps = [
        (slice(None), slice(None), slice(i, i + 2 * height - 1, 2), slice(j, j + 2 * width - 1, 2))
        for i in range(3)
        for j in range(3)
    ]
    windows = np.stack([padded[tap] for tap in taps])
    largest = windows.argmax(0)

    def gradient(dy: np.ndarray) -> np.ndarray:
        dpadded = np.zeros_like(padded)
        for number, tap in enumerate(taps):
            dpadded[tap] += dy * (largest == number)
        return dpadded[:, :, before[0] : before[0] + x.shape[2], before[1] : before[1] + x.shape[3]]

    return windows.max(0), gradient


def join(layout: str, passed: np.ndarray, computed: np.ndarray) -> np.ndarray:
    """The output of a block of ShuffleNetV2: one half behind the other, or their channels in turn."""
    if layout == "megvii":
        return np.concatenate((passed, computed), 1)
    return np.stack((passed, computed), 2).reshape(len(passed), -1, *passed.shape[2:])
