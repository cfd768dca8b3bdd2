"""The kernels as MindSpore operators with gradients.

Maps are ``[N, C, H, W] float32``. Where an operator takes ``norm``, it takes five tensors: the settings
(:func:`norm_settings`), gamma, beta, moving mean and moving variance; in training it moves the last two. Statistics
that it returns, ``[2, C]``, are for its gradient. MindSpore keeps the shapes that it has inferred by symbol: strides
that differ have symbols of their own.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mindspore import Tensor, ops

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.kernels.library import library

Shape = tuple[int, ...]

# Activations by the numbers that the kernels know them by (norm.h).
LINEAR, RELU, RELU6, LEAKY_RELU, HARD_SWISH = range(5)


class Operator(ops.Custom):
    """An operator of the library. A copied network shares it.

    Args:
        symbol: of the library.
        shapes: maps the shapes of the inputs to that of the output, or to a tuple of them.
        outputs: how many there are.
        bprop: maps inputs, outputs and the gradients of the outputs to those of the inputs.
        moves: whether inputs are changed: moving statistics. It is not merged with an equal call, nor left out.

    Raises:
        UserError: where MindSpore infers shapes, one of them is open.
    """

    def __init__(
        self,
        symbol: str,
        shapes: Callable[..., Any],
        outputs: int = 1,
        bprop: Callable[..., Any] | None = None,
        *,
        moves: bool = False,
    ) -> None:
        def known(*inputs: Shape) -> Any:
            if any(size < 0 for shape in inputs for size in shape):
                raise UserError("kernels have to know every shape: call mindcv_shufflenet.unfuse(network) first")
            return shapes(*inputs)

        def types(first: Any, *_: Any) -> Any:
            return first if outputs == 1 else (first,) * outputs

        super().__init__(f"{library()}:{symbol}", known, types, func_type="aot", bprop=bprop)
        if moves:
            self.add_prim_attr("side_effect_mem", True)

    def __deepcopy__(self, memo: Mapping[int, Any]) -> "Operator":
        return self


def _gradient(symbol: str, *places: int) -> Operator:
    """Return the operator of a gradient, whose outputs have the shapes of its inputs at these places."""

    def shapes(*read: Shape) -> Any:
        return tuple([read[place] for place in places]) if len(places) > 1 else read[places[0]]

    return Operator(symbol, shapes, len(places))


@functools.cache
def norm_settings(epsilon: float, share: float, activation: int, is_training: bool) -> Tensor:
    """Return what the kernels read of a BatchNorm and the activation behind it, ``[4]``.

    Args:
        epsilon: added to the variance.
        share: by which the moving statistics go towards those of a batch.
        activation: one of the numbers above.
        is_training: normalise by the statistics of the batch and move the moving ones, or else normalise by these.
    """
    return Tensor(np.array([epsilon, share, activation, is_training], np.float32))


def _reduced(shape: Shape, stride: int) -> Shape:
    batch, channels, height, width = shape
    return batch, channels, (height - 1) // stride + 1, (width - 1) // stride + 1


# The functions ``bprop`` below map the inputs of an operator, its outputs and their gradients to the gradients of the
# inputs. MindSpore compiles them, and takes no other form: one argument for each input. A loop over the inputs in the
# place of these lists would take five times as long to compile. In them s, g, b, m and v are a BatchNorm's settings,
# scale, shift, moving mean and moving variance, t are statistics of a batch, and z the outputs of products.
def _of_norm(symbol: str, shapes: Callable[..., Any]) -> Operator:
    """Return an operator ``(x, norm) -> (y, statistics)``."""
    gradient = _gradient(f"{symbol}_gradient", 0, 2, 2)

    def bprop(x, s, g, b, m, v, out, dout):
        dx, dg, db = gradient(x, s, g, b, out[1], dout[0])
        return dx, ops.zeros_like(s), dg, db, ops.zeros_like(m), ops.zeros_like(v)

    return Operator(symbol, shapes, 2, bprop, moves=True)


@functools.cache
def norm() -> Operator:
    """``(x, norm) -> (y, statistics)``: BatchNorm and activation."""
    return _of_norm("norm", lambda x, *_: (x, (2, x[1])))


@functools.cache
def norm_max_pool(padding: str) -> Operator:
    """``(x, norm) -> (y, statistics)``: BatchNorm and ReLU, and the largest of 3 x 3 pixels with stride 2.

    ``padding`` is that of ``layers.max_pool``.
    """
    return _of_norm(f"norm_max_pool_{padding}", lambda x, *_: (_reduced(x, 2), (2, x[1])))


@functools.cache
def depthwise_norm(stride: int) -> Operator:
    """``(x, weight, norm) -> (y, statistics)``: depthwise convolution, BatchNorm and activation."""
    gradient = _gradient("depthwise_norm_gradient", 0, 1, 3, 3)

    def bprop(x, w, s, g, b, m, v, out, dout):
        dx, dw, dg, db = gradient(x, w, s, g, b, out[1], dout[0])
        return dx, dw, ops.zeros_like(s), dg, db, ops.zeros_like(m), ops.zeros_like(v)

    return Operator(f"depthwise_norm_{stride}", lambda x, *_: (_reduced(x, stride), (2, x[1])), 2, bprop, moves=True)


@functools.cache
def norm_depthwise_norm(stride: int) -> Operator:
    """``(x, norm, weight, norm) -> (y, statistics, statistics)``: the same behind a BatchNorm and its activation."""
    gradient = _gradient("norm_depthwise_norm_gradient", 0, 2, 2, 4, 6, 6)

    def bprop(x, s1, g1, b1, m1, _v1, w, s2, g2, b2, _m2, _v2, out, dout):
        dx, dg1, db1, dw, dg2, db2 = gradient(x, s1, g1, b1, w, s2, g2, b2, out[1], out[2], dout[0])
        none, zero = ops.zeros_like(s1), ops.zeros_like(m1)
        return dx, none, dg1, db1, zero, zero, dw, none, dg2, db2, zero, zero

    def shapes(x: Shape, *_: Shape) -> tuple[Shape, ...]:
        return _reduced(x, stride), (2, x[1]), (2, x[1])

    return Operator(f"norm_depthwise_norm_{stride}", shapes, 3, bprop, moves=True)


@functools.cache
def pointwise() -> Operator:
    """``(x, weight) -> y``: a 1x1 convolution, with groups if ``weight [C', C / groups, 1, 1]`` has them."""
    gradient = _gradient("pointwise_gradient", 0, 1)

    def bprop(x, w, _, dout):
        return gradient(x, w, dout)

    return Operator("pointwise", lambda x, w: (x[0], w[0], *x[2:]), 1, bprop)


@functools.cache
def convolution(channels: int, kernel: int, stride: int) -> Operator:
    """``(x, weight) -> y``: a convolution of few channels to ``channels``.

    The gradient of its input, which a network's first layer does not need, is MindSpore's own operator's.
    """
    weight_gradient = _gradient("convolution_weight_gradient", 1)
    input_gradient = ops.Conv2DBackpropInput(channels, kernel, pad_mode="pad", pad=kernel // 2, stride=stride)

    def bprop(x, w, _, dout):
        return input_gradient(dout, w, x.shape), weight_gradient(x, w, dout)

    def shapes(x: Shape, w: Shape) -> Shape:
        batch, _channels, height, width = _reduced(x, stride)
        return batch, w[0], height, width

    return Operator(f"convolution_{stride}", shapes, 1, bprop)


@functools.cache
def shuffle_block(layout: str) -> Operator:
    """``(x, weight, norm, weight, norm, weight, norm) -> (y, ...)``: a block of ShuffleNetV2 that keeps the shape.

    ``layout`` is the network's. What is returned besides is for the gradient: the output of both 1x1 convolutions, and
    three statistics.
    """
    gradient = _gradient(f"block_{layout}_gradient", 0, 1, 3, 3, 5, 7, 7, 9, 11, 11)

    def bprop(x, w1, s1, g1, b1, m1, _v1, w2, s2, g2, b2, _m2, _v2, w3, s3, g3, b3, _m3, _v3, out, dout):
        _, z1, z2, t1, t2, t3 = out
        dx, dw1, dg1, db1, dw2, dg2, db2, dw3, dg3, db3 = gradient(
            x, w1, s1, g1, b1, w2, s2, g2, b2, w3, s3, g3, b3, z1, z2, t1, t2, t3, dout[0]
        )
        none, zero = ops.zeros_like(s1), ops.zeros_like(m1)
        return (
            dx, dw1, none, dg1, db1, zero, zero, dw2, none, dg2, db2, zero, zero, dw3, none, dg3, db3, zero, zero,
        )  # fmt: skip

    def shapes(x: Shape, *_: Shape) -> tuple[Shape, ...]:
        half, statistics = (x[0], x[1] // 2, *x[2:]), (2, x[1] // 2)
        return x, half, half, statistics, statistics, statistics

    return Operator(f"block_{layout}", shapes, 6, bprop, moves=True)
