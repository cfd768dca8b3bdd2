"""Each kernel and its gradient against numpy in float64, for shapes drawn at random."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mindspore import Tensor

from mindcv_shufflenet.kernels import operators
from mindcv_shufflenet.kernels.library import library
from tests.kernels import reference
from tests.kernels.inputs import EPSILON, SHARE, Draw, gradients, norm_inputs

pytestmark = pytest.mark.skipif(library() is None, reason="there are no kernels on this machine")

TOLERANCE = 2e-4
Shape = tuple[int, int, int, int]
shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 19), st.integers(1, 19))
kernel_sizes, strides, activations = st.sampled_from((3, 5, 7)), st.sampled_from((1, 2)), st.integers(0, 4)
some = settings(max_examples=25, deadline=None, database=None)


def check_close(found: Any, expected: np.ndarray, scale: float | None = None) -> None:
    """Check that nothing differs by more than a share of the largest value."""
    found = found.asnumpy() if isinstance(found, Tensor) else found
    largest = max(np.abs(expected).max(), scale or 0, 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * largest)


def check_moved(tensors: Sequence[Tensor], before: Sequence[np.ndarray], x: np.ndarray) -> None:
    """Check the moving statistics behind a batch, of which the variance is that of a sample."""
    count = x.size / x.shape[1]
    variance = x.var((0, 2, 3)) * count / max(1, count - 1)
    for tensor, old, new in zip(tensors[-2:], before[-2:], (x.mean((0, 2, 3)), variance), strict=True):
        check_close(tensor, old + SHARE * (new - old))


@some
@given(shapes, activations, st.booleans())
@example((1, 1, 1, 1), 1, True)
@example((2, 3, 16, 16), 4, False)
def test_norm(shape: Shape, activation: int, is_training: bool) -> None:
    draw = Draw()
    x, norm, dy = draw(*shape), draw.norm(shape[1]), draw(*shape)
    fixed = None if is_training else (norm[2], norm[3])
    expected, backward = reference.norm(x.astype(np.float64), norm[0], norm[1], activation, EPSILON, fixed)
    inputs = norm_inputs(norm, activation, is_training)
    check_close(operators.norm()(Tensor(x), *inputs)[0], expected)
    if is_training:
        check_moved(inputs, norm, x.astype(np.float64))
    found = gradients(operators.norm(), (x, *inputs), dy)
    if is_training and x.size <= 2 * x.shape[1]:
        return  # one or two numbers a channel: its gradient is next to 0, and what is left is rounding
    for position, gradient in zip((0, 2, 3), backward(dy), strict=True):
        check_close(found[position], gradient)


@some
@given(shapes, kernel_sizes, strides, activations, st.booleans())
@example((1, 1, 1, 1), 7, 2, 1, False)
@example((2, 2, 33, 18), 3, 2, 0, True)
def test_depthwise_norm(shape: Shape, kernel: int, stride: int, activation: int, is_training: bool) -> None:
    draw = Draw()
    x, weight, norm = draw(*shape), draw(shape[1], 1, kernel, kernel), draw.norm(shape[1])
    convolved, convolution_backward = reference.convolution(x.astype(np.float64), weight.astype(np.float64), stride)
    fixed = None if is_training else (norm[2], norm[3])
    expected, norm_backward = reference.norm(convolved, norm[0], norm[1], activation, EPSILON, fixed)
    inputs = norm_inputs(norm, activation, is_training)
    operator = operators.depthwise_norm(stride)
    if is_training and convolved.size < 8 * shape[1]:
        return  # the variance of a few numbers may be next to 0, and rounding decides then
    check_close(operator(Tensor(x), Tensor(weight), *inputs)[0], expected)
    if is_training:
        check_moved(inputs, norm, convolved)
    dy = draw(*expected.shape)
    found = gradients(operator, (x, weight, *inputs), dy)
    dconvolved, dgamma, dbeta = norm_backward(dy)
    dx, dweight = convolution_backward(dconvolved)
    for position, gradient in zip((0, 1, 3, 4), (dx, dweight, dgamma, dbeta), strict=True):
        check_close(found[position], gradient)


@some
@given(shapes, kernel_sizes, strides, activations, activations, st.booleans())
@example((2, 3, 28, 28), 3, 2, 1, 0, True)
@example((1, 1, 1, 1), 5, 1, 4, 2, False)
def test_norm_depthwise_norm(
    shape: Shape, kernel: int, stride: int, first: int, second: int, is_training: bool
) -> None:
    draw = Draw()
    x, weight = draw(*shape), draw(shape[1], 1, kernel, kernel)
    before, after = draw.norm(shape[1]), draw.norm(shape[1])
    fixed = (None, None) if is_training else (before[2:], after[2:])
    normed, before_backward = reference.norm(x.astype(np.float64), before[0], before[1], first, EPSILON, fixed[0])
    convolved, convolution_backward = reference.convolution(normed, weight.astype(np.float64), stride)
    expected, after_backward = reference.norm(convolved, after[0], after[1], second, EPSILON, fixed[1])
    if is_training and convolved.size < 8 * shape[1]:
        return
    inputs_before, inputs_after = norm_inputs(before, first, is_training), norm_inputs(after, second, is_training)
    operator = operators.norm_depthwise_norm(stride)
    check_close(operator(Tensor(x), *inputs_before, Tensor(weight), *inputs_after)[0], expected)
    if is_training:
        check_moved(inputs_before, before, x.astype(np.float64))
        check_moved(inputs_after, after, convolved)
    dy = draw(*expected.shape)
    found = gradients(operator, (x, *inputs_before, weight, *inputs_after), dy)
    dconvolved, *dafter = after_backward(dy)
    dnormed, dweight = convolution_backward(dconvolved)
    dx, *dbefore = before_backward(dnormed)
    for position, gradient in zip((0, 2, 3, 6, 8, 9), (dx, *dbefore, dweight, *dafter), strict=True):
        check_close(found[position], gradient, np.abs(dweight).max() * 0.1)  # some are 0 by nature


@some
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 70), st.integers(1, 70), st.integers(1, 12))
@example(1, 1, 1, 1, 1)
@example(3, 1, 59, 65, 28)
@example(2, 3, 20, 8, 7)
def test_pointwise(batch: int, groups: int, depth: int, outputs: int, size: int) -> None:
    draw = Draw()
    x, weight = draw(batch, groups * depth, size, size + 1), draw(groups * outputs, depth, 1, 1)
    expected, backward = reference.convolution(x.astype(np.float64), weight.astype(np.float64))
    check_close(operators.pointwise()(Tensor(x), Tensor(weight)), expected)
    dy = draw(*expected.shape)
    for found, gradient in zip(gradients(operators.pointwise(), (x, weight), dy), backward(dy), strict=True):
        check_close(found, gradient)


@some
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 30), st.integers(1, 40), kernel_sizes, strides)
@example(2, 3, 24, 32, 3, 2)
def test_convolution(batch: int, channels: int, outputs: int, size: int, kernel: int, stride: int) -> None:
    draw = Draw()
    x, weight = draw(batch, channels, size, size + 3), draw(outputs, channels, kernel, kernel)
    expected, backward = reference.convolution(x.astype(np.float64), weight.astype(np.float64), stride)
    operator = operators.convolution(outputs, kernel, stride)
    check_close(operator(Tensor(x), Tensor(weight)), expected)
    dy = draw(*expected.shape)
    for found, gradient in zip(gradients(operator, (x, weight), dy), backward(dy), strict=True):
        check_close(found, gradient)


@some
@given(shapes, st.sampled_from(("same", "pad")), st.booleans())
@example((2, 3, 32, 32), "same", True)
@example((1, 1, 8, 7), "pad", True)
@example((1, 1, 1, 1), "pad", False)
def test_norm_max_pool(shape: Shape, padding: str, is_training: bool) -> None:
    draw = Draw()
    x, norm = draw(*shape), draw.norm(shape[1])
    fixed = None if is_training else (norm[2], norm[3])
    normed, norm_backward = reference.norm(x.astype(np.float64), norm[0], norm[1], operators.RELU, EPSILON, fixed)
    expected, pool_backward = reference.max_pool(normed, padding)
    if is_training and x.size < 8 * shape[1]:
        return
    inputs = norm_inputs(norm, operators.RELU, is_training)
    operator = operators.norm_max_pool(padding)
    check_close(operator(Tensor(x), *inputs)[0], expected)
    if is_training:
        check_moved(inputs, norm, x.astype(np.float64))
    dy = draw(*expected.shape)
    found = gradients(operator, (x, *inputs), dy)
    for position, gradient in zip((0, 2, 3), norm_backward(pool_backward(dy)), strict=True):
        check_close(found[position], gradient)


@some
@given(
    st.sampled_from(("megvii", "torchvision")), st.integers(1, 3), st.integers(1, 20), st.integers(3, 15), kernel_sizes,
    st.sampled_from((operators.RELU, operators.LEAKY_RELU)), st.booleans(),
)  # fmt: skip
@example("megvii", 3, 58, 14, 3, operators.RELU, True)
def test_shuffle_block(
    layout: str, batch: int, half: int, size: int, kernel: int, activation: int, is_training: bool
) -> None:
    draw = Draw()
    x = draw(batch, 2 * half, size, size + 1)
    weights = draw(half, half, 1, 1), draw(half, 1, kernel, kernel), draw(half, half, 1, 1)
    norms = [draw.norm(half) for _ in weights]
    passed, y = (x[:, 0::2], x[:, 1::2]) if layout == "megvii" else (x[:, :half], x[:, half:])
    y, backwards, read = y.astype(np.float64), [], []
    kinds = activation, operators.LINEAR, activation
    for weight, norm, kind in zip(weights, norms, kinds, strict=True):
        y, convolution_backward = reference.convolution(y, weight.astype(np.float64))
        read.append(y)
        fixed = None if is_training else (norm[2], norm[3])
        y, norm_backward = reference.norm(y, norm[0], norm[1], kind, EPSILON, fixed)
        backwards.append((convolution_backward, norm_backward))
    inputs = [norm_inputs(norm, kind, is_training) for norm, kind in zip(norms, kinds, strict=True)]
    arguments = [Tensor(x)]
    for weight, norm in zip(weights, inputs, strict=True):
        arguments += [Tensor(weight), *norm]
    operator = operators.shuffle_block(layout)
    check_close(operator(*arguments)[0], reference.join(layout, passed, y))
    if is_training:
        for tensors, norm, map_ in zip(inputs, norms, read, strict=True):
            check_moved(tensors, norm, map_)
    dy = draw(*x.shape)
    dpassed, d = (dy[:, :half], dy[:, half:]) if layout == "megvii" else (dy[:, 0::2], dy[:, 1::2])
    expected: list[np.ndarray] = []
    for convolution_backward, norm_backward in reversed(backwards):
        d, *dnorm = norm_backward(d)
        d, dweight = convolution_backward(d)
        expected = [dweight, *dnorm, *expected]
    dx = np.stack((dpassed, d), 2).reshape(x.shape) if layout == "megvii" else np.concatenate((dpassed, d), 1)
    found = gradients(operator, arguments, dy)
    positions = [0] + [1 + 6 * part + place for part in range(3) for place in (0, 2, 3)]
    scale = max(np.abs(gradient).max() for gradient in expected) * 0.1  # some are 0 by nature
    for position, gradient in zip(positions, [dx, *expected], strict=True):
        check_close(found[position], gradient, scale)


def test_a_refused_input_is_an_error() -> None:
    """Numbers of another kind would be read as garbage."""
    x = Tensor(np.zeros((1, 2, 3, 3), np.float16))
    with pytest.raises(RuntimeError):
        operators.pointwise()(x, Tensor(np.zeros((2, 2, 1, 1), np.float16))).asnumpy()
