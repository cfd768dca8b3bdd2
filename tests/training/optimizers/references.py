"""Updates of the optimizers in numpy, each from its formula.

Each takes a parameter, its weight decay, its learning rate in each step and its gradients, ``[steps, *shape]``, and
returns the parameter after these steps.
"""

from collections.abc import Callable

import numpy as np

EPS = 1e-3  # large, so that its place shows

Reference = Callable[[np.ndarray, float, np.ndarray, np.ndarray], np.ndarray]


def momentum(
    w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray, nesterov: bool = False
) -> np.ndarray:
    velocity = np.zeros_like(w)
    for rate, gradient in zip(rates, gradients, strict=True):
        gradient = gradient + decay * w
        velocity = 0.9 * velocity + gradient
        w = w - rate * (gradient + 0.9 * velocity if nesterov else velocity)
    return w


def nesterov(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    return momentum(w, decay, rates, gradients, nesterov=True)


def adam(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray, nesterov: bool = False) -> np.ndarray:
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
        gradient = gradient + decay * w
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        direction = 0.9 * m + 0.1 * gradient if nesterov else m
        w = w - rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * direction / (np.sqrt(v) + EPS)
    return w


def adam_nesterov(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    return adam(w, decay, rates, gradients, nesterov=True)


def adamw(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        corrected = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = w - rate * decay * w - corrected * m / (np.sqrt(v) + EPS)
    return w


def lion(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m = np.zeros_like(w)
    for rate, gradient in zip(rates, gradients, strict=True):
        w = w - rate * (np.sign(0.9 * m + 0.1 * gradient) + decay * w)
        m = 0.99 * m + 0.01 * gradient
    return w


def nadam(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m, v = np.zeros_like(w), np.zeros_like(w)
    mu = [0.9 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in range(len(rates) + 2)]
    for t, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
        gradient = gradient + decay * w
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        mean = mu[t + 1] * m / (1 - np.prod(mu[1 : t + 2])) + (1 - mu[t]) * gradient / (1 - np.prod(mu[1 : t + 1]))
        w = w - rate * mean / (np.sqrt(v / (1 - 0.999**t)) + EPS)
    return w


def adan(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    beta1, beta2, beta3 = 0.02, 0.08, 0.01  # as the paper counts them
    m, v, n = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    changes = np.diff(gradients, axis=0, prepend=gradients[:1])
    for t, (rate, gradient, change) in enumerate(zip(rates, gradients, changes, strict=True), 1):
        m = (1 - beta1) * m + beta1 * gradient
        v = (1 - beta2) * v + beta2 * change
        n = (1 - beta3) * n + beta3 * (gradient + (1 - beta2) * change) ** 2
        step = rate / (np.sqrt(n / (1 - (1 - beta3) ** t)) + EPS)
        w = w - step * (m / (1 - (1 - beta1) ** t) + (1 - beta2) * v / (1 - (1 - beta2) ** t))
        w = w / (1 + rate * decay)
    return w


def rmsprop(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    square, moved = np.ones_like(w), np.zeros_like(w)
    for rate, gradient in zip(rates, gradients, strict=True):
        gradient = gradient + decay * w
        square = 0.9 * square + 0.1 * gradient**2
        moved = 0.9 * moved + rate * gradient / np.sqrt(square + EPS)
        w = w - moved
    return w


def adagrad(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    squares = np.full_like(w, 0.1)
    for rate, gradient in zip(rates, gradients, strict=True):
        gradient = gradient + decay * w
        squares = squares + gradient**2
        w = w - rate * gradient / np.sqrt(squares)
    return w


def lamb(w: np.ndarray, decay: float, rates: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        direction = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + EPS) + decay * w
        lengths = np.linalg.norm(w), np.linalg.norm(direction)
        w = w - rate * (lengths[0] / lengths[1] if all(lengths) else 1.0) * direction
    return w
