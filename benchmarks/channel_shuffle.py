"""Forms of the channel shuffle on the CPU: milliseconds of one shuffle with its gradient, at the shapes of x1.0.

    python benchmarks/channel_shuffle.py

``split`` is what ``layers.channel_shuffle_split`` does, ``transpose`` the form with a transpose of planes, ``mindcv``
the one of mindcv 0.3. All of them give the even and the odd channels; each is timed in turn within every round. The
last line is JSON.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.models.layers import channel_shuffle_split

SHAPES = ((32, 116, 28, 28), (32, 232, 14, 14), (32, 464, 7, 7))


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


FORMS: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "split": channel_shuffle_split,
    "transpose": transpose,
    "mindcv": mindcv,
}


class Weighted(nn.Cell):
    """A sum over both halves whose gradient needs the whole shuffle."""

    def __init__(self, form: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.form = form

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return a scalar."""
        even, odd = self.form(x)
        return ops.sum(even * even * weight) - ops.sum(odd * odd * weight)


class Gradient(nn.Cell):
    """Value and gradient of a cell."""

    def __init__(self, cell: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.gradient = ms.value_and_grad(cell, 0)

    def construct(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum and its gradient."""
        return self.gradient(x, weight)


def milliseconds(cell: nn.Cell, x: Tensor, weight: Tensor) -> float:
    """Time one call."""
    start = time.perf_counter()
    value, gradient = cell(x, weight)
    value.asnumpy(), gradient.asnumpy()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Time every form at every shape and print a table and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    rng = np.random.default_rng(0)
    medians: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        x = Tensor(rng.standard_normal(shape, np.float32))
        weight = Tensor(rng.standard_normal((shape[0], shape[1] // 2, *shape[2:]), np.float32))
        cells = {name: Gradient(Weighted(form)) for name, form in FORMS.items()}
        gradients = [cell(x, weight)[1].asnumpy() for cell in cells.values()]
        assert all((gradient == gradients[0]).all() for gradient in gradients), "the forms differ"
        times: dict[str, list[float]] = {name: [] for name in cells}
        for _ in range(rounds):
            for name, cell in cells.items():
                times[name].append(milliseconds(cell, x, weight))
        medians["x".join(map(str, shape))] = {name: round(statistics.median(t), 2) for name, t in times.items()}
    for shape_name, row in medians.items():
        print(f"{shape_name:16}", "  ".join(f"{name} {value:6.2f} ms" for name, value in row.items()))
    print(json.dumps({"benchmark": "channel_shuffle", "rounds": rounds, "milliseconds": medians}))


if __name__ == "__main__":
    main()
