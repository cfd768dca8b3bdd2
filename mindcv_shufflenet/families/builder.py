"""A builder of descriptions: each method adds a layer and returns its position."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mindcv_shufflenet.families.base import Layer

Names = Mapping[str, tuple[str, ...]]


class Builder:
    """Collects the layers of a network.

    Attributes:
        layers: those so far; the first one is the input.
    """

    def __init__(self, in_channels: int) -> None:
        self.layers = [Layer("input", (), in_channels)]

    def add(self, kind: str, *inputs: int, channels: int | None = None, **attributes: Any) -> int:
        """Add a layer; it has as many channels as its first input unless told otherwise."""
        self.layers.append(Layer(kind, inputs, channels or self.layers[inputs[0]].channels, **attributes))
        return len(self.layers) - 1

    def conv(self, x: int, channels: int, name: str, names: Names, **attributes: int) -> int:
        """Add a convolution; ``attributes`` are ``kernel``, ``stride`` and ``groups``."""
        return self.add("conv", x, channels=channels, name=name, names=names, **attributes)

    def norm(self, x: int, name: str, names: Names, epsilon: float = 1e-5) -> int:
        """Add a BatchNorm."""
        return self.add("norm", x, name=name, names=names, epsilon=epsilon)

    def relu(self, x: int) -> int:
        """Add a ReLU."""
        return self.add("relu", x)

    def pool(self, kind: str, x: int, kernel: int, stride: int, padding: str) -> int:
        """Add a ``max_pool`` or an ``avg_pool``."""
        return self.add(kind, x, kernel=kernel, stride=stride, padding=padding)

    def gather(self, x: int, order: Sequence[int]) -> int:
        """Take some channels, in any order."""
        return self.add("gather", x, channels=len(order), order=tuple(order))

    def shuffle(self, x: int, groups: int) -> int:
        """Take a channel of each of ``groups`` equal parts in turn."""
        return self.gather(x, interleaved(self.layers[x].channels, groups))

    def concat(self, *inputs: int) -> int:
        """Join maps along the channels."""
        return self.add("concat", *inputs, channels=sum(self.layers[x].channels for x in inputs))

    def mean(self, x: int) -> int:
        """Add the mean over all pixels, ``[N, C, H, W]`` to ``[N, C, 1, 1]``."""
        return self.add("mean", x)

    def dense(self, x: int, channels: int, name: str, names: Names, *, bias: bool) -> int:
        """Add a dense layer."""
        return self.add("dense", x, channels=channels, name=name, names=names, bias=bias)

    def stage(self, x: int, name: str) -> int:
        """Call the output of a layer the map of a stage."""
        self.layers[x] = replace(self.layers[x], stage=name)
        return x


def interleaved(channels: int, groups: int) -> list[int]:
    """Return channels in the order that takes one of each of ``groups`` equal parts in turn."""
    width = channels // groups
    return [part * width + place for place in range(width) for part in range(groups)]
