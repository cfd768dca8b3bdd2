"""Sums of kernels over maps that are the same almost everywhere, as of drawings on a uniform background.

The same number is added again and again there, and each sum is rounded the same way, so that errors add up which cancel
in the sums of random numbers.
"""

from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.kernels import operators
from mindcv_shufflenet.kernels.library import library
from tests.kernels import reference
from tests.kernels.inputs import EPSILON, Draw, gradients, norm_inputs

pytestmark = pytest.mark.skipif(library() is None, reason="there are no kernels on this machine")

SHAPE = (32, 4, 64, 64)
TOLERANCE = 5e-6


def flat(draw: Draw, *shape: int) -> np.ndarray:
    """Numbers of which nine in ten are the same in a channel."""
    ground = 1 + np.abs(draw(1, shape[1], 1, 1))
    return np.where(draw.rng.random(shape) < 0.9, ground, draw(*shape))


def error(found: Any, expected: np.ndarray) -> float:
    """The largest error, as a share of the largest number."""
    return float(np.abs(found.asnumpy() - expected).max() / np.abs(expected).max())


def test_norm() -> None:
    draw = Draw()
    x, norm = flat(draw, *SHAPE), draw.norm(SHAPE[1])
    dy = x + flat(draw, *SHAPE)
    expected, backward = reference.norm(x.astype(np.float64), norm[0], norm[1], operators.LINEAR, EPSILON, None)
    inputs = norm_inputs(norm, operators.LINEAR)
    errors = {"y": error(operators.norm()(Tensor(x), *inputs)[0], expected)}
    found = gradients(operators.norm(), (x, *inputs), dy)
    for name, position, gradient in zip(("x", "gamma", "beta"), (0, 2, 3), backward(dy), strict=True):
        errors[name] = error(found[position], gradient)
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("kind", ["pointwise", "depthwise", "first convolution"])
def test_gradient_of_weights(kind: str) -> None:
    draw = Draw()
    channels = SHAPE[1]
    operator, weight = {
        "pointwise": (operators.pointwise(), draw(8, channels, 1, 1)),
        "depthwise": (operators.depthwise_norm(1), draw(channels, 1, 3, 3)),
        "first convolution": (operators.convolution(8, 3, 1), draw(8, channels, 3, 3)),
    }[kind]
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    # a BatchNorm that changes nothing
    norm = norm_inputs((ones, zeros, zeros, ones - np.float32(EPSILON)), operators.LINEAR, is_training=False)
    x, dy = flat(draw, *SHAPE), flat(draw, SHAPE[0], len(weight), *SHAPE[2:])
    _, backward = reference.convolution(x.astype(np.float64), weight.astype(np.float64))
    found = gradients(operator, (x, weight, *(norm if kind == "depthwise" else ())), dy)
    assert error(found[1], backward(dy)[1]) < TOLERANCE
