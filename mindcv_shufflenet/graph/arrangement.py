"""The channels of a graph arranged so that it needs no shuffle and a runtime computes it fast.

A shuffle moves channels so that later layers find theirs side by side. Instead, each layer can make its channels in the
order in which they are read. Its output then falls into pieces, one for each layer that reads a part of it, and a layer
concatenates the pieces that it reads. No channel is moved by itself: what is left are slices of neighbouring channels
and concatenations, and the graph computes the same function.

An example: a layer makes the channels a, b, c, d. The next block reads b and d, the one after it a and c. The
description has a shuffle that puts b and d side by side. In the arranged graph the layer makes b, d, a, c, and each
block reads one half; or two convolutions make b, d and a, c.

What limits the order of a layer's channels:

- A dense layer and a convolution make and read channels in any order: their weights are put into that order.
- A convolution with groups makes and reads them in any order within each group.
- What acts on each channel by itself (a depthwise convolution, an activation, a pool, a sum) has the order of its
  input. Such layers one behind the other are a bundle (``channels.py``): one order is chosen for all of them.

Zeros may stand among the channels: rows of zeros make them, columns of zeros read them.

Between convolutions with groups, each of which reads from all groups of the one before it, the pieces are too many and
too small. There the shuffle stays, as a gather or a transpose (``Style.shuffle``), behind the depthwise convolution,
where the map is smaller.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mindcv_shufflenet.families.base import Layer
from mindcv_shufflenet.graph.base import Graph, Rewriter
from mindcv_shufflenet.graph.channels import Role, role_of
from mindcv_shufflenet.graph.placement import Content, Placement, Slice
from mindcv_shufflenet.graph.sinking import sink_shuffles
from mindcv_shufflenet.graph.targets import Style

PLAIN = Style()
# A concatenation of more inputs than this is left alone, with the shuffle in front of it. Shortcuts around shuffles
# would need hundreds of inputs; ShuffleNetV2 needs 9, convolutions with eight groups 64.
MOST_INPUTS = 16


def arrange(graph: Graph, style: Style = PLAIN, shuffle: str = "pieces") -> Graph:
    """Return the graph with its channels arranged.

    Args:
        graph: without BatchNorm.
        style: how.
        shuffle: what becomes of the shuffles. ``pieces``: they vanish, but where one stands between convolutions with
            groups, and where a concatenation would have more than ``MOST_INPUTS`` inputs: there they stay as the style
            has them. The channels of an output of the graph itself are put into their order at its end. ``gather``:
            they stay, on channels in any order. ``transpose``: they stay on channels in the described order.
    """
    sunk = sink_shuffles(graph)
    if shuffle == "pieces" and not _has_groups_behind_shuffles(sunk):
        found = _Arranger(Placement(graph, style)).rewrite()
        if most_inputs(found) <= MOST_INPUTS:
            return found
    placement = Placement(sunk, style, keeps_shuffles=True, is_exact=style.kept_shuffle(shuffle) == "transpose")
    return _Arranger(placement).rewrite()


def most_inputs(graph: Graph) -> int:
    """Return the largest number of inputs of a concatenation."""
    return max((len(layer.inputs) for layer in graph.layers if layer.kind == "concat"), default=0)


def _has_groups_behind_shuffles(graph: Graph) -> bool:
    return any(
        role_of(layer, keeps_shuffles=True) is Role.GROUPED and graph.layers[x].is_reordering
        for layer in graph.layers
        for x in layer.inputs
    )


class _Arranger(Rewriter):
    """Writes a graph whose channels lie as a placement says. A layer of several tensors becomes several layers."""

    def __init__(self, placement: Placement) -> None:
        super().__init__(placement.graph)
        self.placement = placement
        self.channels = placement.channels
        self._tensors: dict[int, list[int]] = {}  # the positions of the tensors of each old layer
        self._joined: dict[tuple[Slice, ...], int] = {}

    def rewrite(self) -> Graph:
        """Return the new graph."""
        for position in self.channels.bundles:
            self._tensors[position] = self._tensors_of(position)
        for position in self.graph.outputs.values():
            self.positions[position] = self._output(position)
        return self.finish()

    def _tensors_of(self, position: int) -> list[int]:
        """Add the layers that make the tensors of an old layer."""
        layer, contents = self.graph.layers[position], self.placement.tensors(position)
        parameters = self.graph.own(layer)
        match self.channels.roles[position]:
            case Role.INPUT:
                return [self.add(layer, [])]
            case Role.SHUFFLE:
                return [self._shuffle(layer, *contents)]
            case Role.PER_CHANNEL:
                each = [self._alike(x, position) for x in layer.inputs]
                inputs = [[tensors[number] for tensors in each] for number in range(len(contents))]
            case _:
                slices = self._read(layer)
                inputs = [[self._join(slices)]] * len(contents)
                parameters["weight"] = self._columns(layer, slices, parameters["weight"])
        made = []
        for number, content in enumerate(contents):
            rows = {kind: _rows(value, content) for kind, value in parameters.items()}
            name = f"{layer.name}.piece_{number}" if layer.name and len(contents) > 1 else layer.name
            groups = len(content) if layer.is_depthwise else layer.groups
            part = replace(layer, name=name, channels=len(content), groups=groups)
            made.append(self.add(part, inputs[number], rows, stage=""))
        return made

    def _shuffle(self, layer: Layer, content: Content) -> int:
        """Add a shuffle from what it reads to what it is to make."""
        channels = self.channels.contents[layer.inputs[0]]
        slices = self.placement.in_order(channels) if self.placement.is_exact else self.placement.in_any_order(channels)
        read = self.placement.content(layer.inputs[0], slices)
        zero = read.index(None) if None in read else 0  # its reader has zeros for the added channels anyway
        order = tuple(zero if number is None else read.index(layer.order[number]) for number in content)
        return self._gather(order, self._join(slices))

    def _alike(self, x: int, position: int) -> list[int]:
        """Return the tensors of an input, with their channels as a layer that acts on each by itself has them."""
        source = self.channels.whole(x)
        if source is not None:
            return self._tensors[source]
        channels = self.channels.contents[x]
        (content,) = self.placement.tensors(position)
        slices = self.placement.in_any_order(channels)
        if self.placement.content(x, slices) != content:
            slices = self.placement.in_order(channels[number] for number in content if number is not None)
        return [self._join(slices)]

    def _read(self, layer: Layer) -> tuple[Slice, ...]:
        """Return what a layer reads that makes each channel of several."""
        channels = self.channels.contents[layer.inputs[0]]
        if layer.groups == 1 or self.channels.whole(layer.inputs[0]) is not None:
            return self.placement.in_any_order(channels)
        return self.placement.in_groups(channels, layer.groups)

    def _columns(self, layer: Layer, slices: Sequence[Slice], weight: np.ndarray) -> np.ndarray:
        """Return a weight with its columns in the order in which they are read; zeros for what is not needed."""
        read = self.placement.content(layer.inputs[0], slices)
        there, here = weight.shape[1], len(read) // layer.groups
        groups = []
        for group, rows in enumerate(np.split(weight, layer.groups)):
            own = [None if i is None else i - group * there for i in read[group * here : (group + 1) * here]]
            groups.append(_rows(rows.swapaxes(0, 1), own).swapaxes(0, 1))
        return np.concatenate(groups)

    def _join(self, slices: tuple[Slice, ...]) -> int:
        """Return what has the channels of slices one behind the other."""
        if slices not in self._joined:
            self._joined[slices] = self._concat(slices) if len(slices) > 1 else self._cut(slices[0])
        return self._joined[slices]

    def _concat(self, slices: tuple[Slice, ...]) -> int:
        width = sum(one.stop - one.start for one in slices)
        return self.add(Layer("concat", (), width), [self._join((one,)) for one in slices])

    def _cut(self, one: Slice) -> int:
        tensor = self._tensors[one.layer][one.tensor]
        whole = range(self.layers[tensor].channels)
        return tensor if range(one.start, one.stop) == whole else self._gather(range(one.start, one.stop), tensor)

    def _gather(self, order: Sequence[int], tensor: int) -> int:
        return self.add(Layer("gather", (), len(order), order=tuple(order)), [tensor])

    def _output(self, position: int) -> int:
        """Return an output of the graph, with its channels in the described order."""
        channels = self.channels.contents[position]
        slices = self.placement.in_any_order(channels)
        read = self.placement.content(position, slices)
        order = tuple(read.index(number) for number in range(len(channels)))
        made = self._join(slices)
        if order != tuple(range(self.layers[made].channels)):
            made = self._gather(order, made)
        self.layers[made] = replace(self.layers[made], stage=self.graph.layers[position].stage)
        return made


def _rows(array: np.ndarray, order: Sequence[int | None]) -> np.ndarray:
    """Some of the rows of an array; zeros for None."""
    found = np.zeros((len(order), *array.shape[1:]), array.dtype)
    kept = [place for place, number in enumerate(order) if number is not None]
    found[kept] = array[[number for number in order if number is not None]]
    return found
