"""Forms of the channel shuffle and of a convolution with groups on the CPU: milliseconds of one with its gradient.

    python benchmarks/channel_shuffle.py

``halves`` is the shuffle of ShuffleNetV2, at the shapes of x1.0: the even and the odd channels. ``split`` is what
``layers.channel_shuffle_split`` does, ``transpose`` the form with a transpose of planes, ``mindcv`` the one of
mindcv 0.3.

``g3`` and ``g8`` are the shuffle of ShuffleNetV1 x1.0 with 3 and 8 groups. ``reorder`` is ``layers.Reorder``,
``gather`` the same with MindSpore's own gradient, ``transpose4`` and ``transpose5`` are a transpose with pixels in one
axis and in two.

``conv g3`` and ``conv g8`` are the second 1x1 convolution of its stage 2, with the gradient of its weights too:
``nn.Conv2d`` against ``layers.SlicedConv2d``.

All forms of a case give the same; each is timed in turn within every round. The last line is JSON.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.families.shufflenet_v1 import shuffle_order
from mindcv_shufflenet.models.layers import Reorder, SlicedConv2d, channel_shuffle_split
from mindcv_shufflenet.runtime.processor import processor

Shape = tuple[int, int, int, int]
# A form maps [N, C, H, W] to one tensor or to two.
Form = Callable[[Tensor], Any]


def transpose(x: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of channels, transposed as whole planes."""
    batch, channels, height, width = x.shape
    x = ops.reshape(x, (batch, channels // 2, 2, height * width))
    x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, channels, height, width))
    return ops.split(x, channels // 2, axis=1)


def mindcv(x: Tensor) -> tuple[Tensor, Tensor]:
    """Batch and channels in one axis, then an index into the transposed tensor."""
    batch, channels, height, width = x.shape
    x = ops.transpose(ops.reshape(x, (batch * channels // 2, 2, height * width)), (1, 0, 2))
    x = ops.reshape(x, (2, -1, channels // 2, height, width))
    return x[0], x[1]


class Transpose(nn.Cell):
    """The shuffle of any number of groups, by a transpose of planes with pixels in one axis or in two."""

    def __init__(self, groups: int, axes: int) -> None:
        super().__init__()
        self.groups = groups
        self.axes = axes

    def construct(self, x: Tensor) -> Tensor:
        """Return the shuffled map."""
        batch, channels, height, width = x.shape
        pixels = (height, width) if self.axes == 2 else (height * width,)
        order = (0, 2, 1, 3, 4) if self.axes == 2 else (0, 2, 1, 3)
        return ops.reshape(
            ops.transpose(ops.reshape(x, (batch, self.groups, channels // self.groups, *pixels)), order), x.shape
        )


class Gather(nn.Cell):
    """The same, by a gather with MindSpore's gradient."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.order = Tensor(np.asarray(order, np.int32))

    def construct(self, x: Tensor) -> Tensor:
        """Return the shuffled map."""
        return ops.gather(x, self.order, 1)


def halves() -> dict[str, Form]:
    """The forms of ShuffleNetV2's shuffle."""
    return {"split": channel_shuffle_split, "transpose": transpose, "mindcv": mindcv}


def shuffles(channels: int, groups: int) -> dict[str, Form]:
    """The forms of ShuffleNetV1's shuffle."""
    order = shuffle_order(channels, groups, "interleave")
    return {
        "reorder": Reorder(order),
        "gather": Gather(order),
        "transpose4": Transpose(groups, axes=1),
        "transpose5": Transpose(groups, axes=2),
    }


def convolutions(channels: int, groups: int) -> dict[str, Form]:
    """The forms of a 1x1 convolution to four times the channels, with the same weights."""
    sizes: dict[str, Any] = {"kernel_size": 1, "pad_mode": "pad", "group": groups}
    whole = nn.Conv2d(channels, 4 * channels, **sizes)
    sliced = SlicedConv2d(channels, 4 * channels, **sizes)
    sliced.weight.set_data(whole.weight)
    return {"conv2d": whole, "sliced": sliced}


def cases() -> list[tuple[str, Shape, dict[str, Form]]]:
    """Name, shape of the input and forms of what is timed."""
    found: list[tuple[str, Shape, dict[str, Form]]] = []
    maps = ((28, 1), (14, 2), (7, 4))
    found += [("halves", (32, 116 * wide, size, size), halves()) for size, wide in maps]
    for groups, middle in ((3, 60), (8, 96)):
        for size, wide in maps:
            found.append((f"g{groups}", (32, middle * wide, size, size), shuffles(middle * wide, groups)))
    for groups, middle in ((3, 60), (8, 96)):
        found.append((f"conv g{groups}", (32, middle, 28, 28), convolutions(middle, groups)))
    return found


class Weighted(nn.Cell):
    """A sum whose gradient needs all that a form puts out."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return a scalar; ``weight`` has the shape of an output."""
        out = self.form(x)
        if isinstance(out, tuple):
            even, odd = out
            return ops.sum(even * even * weight) - ops.sum(odd * odd * weight)
        return ops.sum(out * out * weight)


class Gradient(nn.Cell):
    """Value and gradient of a cell, by its input and by its parameters if it has any."""

    def __init__(self, cell: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = list(cell.trainable_params())
        self.gradient = ms.value_and_grad(cell, 0, self.parameters or None)

    def construct(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum and the gradient of the input."""
        value, gradient = self.gradient(x, weight)
        if self.parameters:
            by_input, by_parameters = gradient
            return value, (by_input, by_parameters[0])
        return value, (gradient,)


def one_output(out: Any) -> Tensor:
    """Return the output of a form, or the first of two."""
    return out[0] if isinstance(out, tuple) else out


def run(cell: nn.Cell, x: Tensor, weight: Tensor) -> list[np.ndarray]:
    """Return the gradients, computed."""
    value, gradients = cell(x, weight)
    value.asnumpy()
    return [gradient.asnumpy() for gradient in gradients]


def milliseconds(cell: nn.Cell, x: Tensor, weight: Tensor) -> float:
    """Time one call."""
    start = time.perf_counter()
    run(cell, x, weight)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Time every form of every case and print a table and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    rng = np.random.default_rng(0)
    medians: dict[str, dict[str, float]] = {}
    for name, shape, forms in cases():
        x = Tensor(rng.standard_normal(shape, np.float32))
        weight = Tensor(rng.standard_normal(one_output(next(iter(forms.values()))(x)).shape, np.float32))
        cells = {form: Gradient(Weighted(function)) for form, function in forms.items()}
        gradients = [run(cell, x, weight) for cell in cells.values()]
        for other in gradients[1:]:
            for got, expected in zip(other, gradients[0], strict=True):
                np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max(), rtol=1e-5)
        times: dict[str, list[float]] = {form: [] for form in cells}
        for _ in range(rounds):
            for form, cell in cells.items():
                times[form].append(milliseconds(cell, x, weight))
        row = {form: round(statistics.median(t), 2) for form, t in times.items()}
        title = f"{name} {'x'.join(map(str, shape))}"
        medians[title] = row
        print(f"{title:24}", "  ".join(f"{form} {value:6.2f} ms" for form, value in row.items()), flush=True)
    print(
        json.dumps(
            {"benchmark": "channel_shuffle", "processor": processor().name, "rounds": rounds, "milliseconds": medians}
        )
    )


if __name__ == "__main__":
    main()
