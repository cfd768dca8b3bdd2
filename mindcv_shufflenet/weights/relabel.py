"""The same network under another numbering of its channels. numpy is all it needs.

Two descriptions of the same layers, with weights of the same shapes, may differ in the order in which channels are
shuffled, split and joined. Then the weights of one become those of the other by putting the channels of each layer into
another order. The channels are followed through both descriptions: where each is made, and who reads it.
"""

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.families.base import Layer, Layers
from mindcv_shufflenet.weights.names import Arrays

# A layer's name, and which of its groups.
Port = tuple[str, int]


class Channel(NamedTuple):
    """Where one channel of the network is made and read. Layers that act on each channel by itself leave it the same.

    Attributes:
        made: the layers, and their groups, whose output it is. Several are added up.
        read: the layers, and their groups, whose input it is.
        place: its position in the output of the first layer that makes it.
    """

    made: frozenset[Port]
    read: frozenset[Port]
    place: int


class Trace:
    """The channels of a description.

    Attributes:
        layers: the description.
        channels: of the output of each layer, as indices into ``found``.
        found: the channels, in the order in which they are made.
    """

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self._same: list[int] = []
        self._made: list[tuple[str, int, int]] = []
        read: dict[int, set[Port]] = {}
        outputs: list[list[int]] = []
        for layer in layers:
            inputs = [outputs[x] for x in layer.inputs]
            outputs.append(self._output(layer, inputs))
            if _is_mixing(layer):
                for position, channel in enumerate(inputs[0]):
                    read.setdefault(channel, set()).add((layer.name, position * layer.groups // len(inputs[0])))
        made: dict[int, set[Port]] = {}
        readers: dict[int, set[Port]] = {}
        for channel, (name, group, _) in enumerate(self._made):
            made.setdefault(self._root(channel), set()).add((name, group))
            readers.setdefault(self._root(channel), set()).update(read.get(channel, ()))
        numbers = {root: number for number, root in enumerate(made)}
        self.channels = [[numbers[self._root(channel)] for channel in output] for output in outputs]
        self.found = [Channel(frozenset(made[root]), frozenset(readers[root]), self._made[root][2]) for root in numbers]

    def _output(self, layer: Layer, inputs: list[list[int]]) -> list[int]:
        if _is_mixing(layer) or not inputs:
            first = len(self._same)
            for index in range(layer.channels):
                self._same.append(first + index)
                # the image's channels and the logits stay where they are, so each is of a group of its own
                is_fixed = layer is self.layers[0] or layer is self.layers[-1]
                self._made.append((layer.name, index if is_fixed else index * layer.groups // layer.channels, index))
            return [*range(first, first + layer.channels)]
        if layer.kind == "concat":
            return [channel for channels in inputs for channel in channels]
        if layer.kind == "gather":
            return [inputs[0][index] for index in layer.order]
        for others in inputs[1:]:  # elementwise: what meets in a channel has to stay together
            for one, other in zip(inputs[0], others, strict=True):
                first, second = sorted((self._root(one), self._root(other)))
                self._same[second] = first
        return inputs[0]

    def _root(self, channel: int) -> int:
        while self._same[channel] != channel:
            channel = self._same[channel]
        return channel


def _is_mixing(layer: Layer) -> bool:
    """Whether each channel of the output is made of several of the input."""
    return layer.kind == "dense" or (layer.kind == "conv" and not layer.is_depthwise)


def relabel(arrays: Arrays, source: Layers, target: Layers) -> Arrays:
    """Put the channels of parameters into the order of another description.

    A channel may stand for another if the same layers make both and the same layers read both; they are paired in the
    order in which they are made.

    Args:
        arrays: parameters under MindSpore's names, of ``source``. Some may be missing.
        source: a description.
        target: one of the same layers, with parameters of the same shapes.

    Returns:
        The parameters of ``target`` that compute the same.

    Raises:
        ValueError: the channels of ``target`` are not made and read as those of ``source`` are, or its layers do
            otherwise.
    """
    if _computations(source) != _computations(target):
        raise ValueError("the layers compute differently")
    there, here = Trace(source), Trace(target)
    pairs = _find_pairs(there, here)
    by_name = {layer.name: position for position, layer in enumerate(source) if layer.name}
    relabelled = dict(arrays)
    for position, layer in enumerate(target):
        if not layer.name:
            continue
        theirs = by_name[layer.name]
        made = _order(there.channels[theirs], here.channels[position], pairs)
        for name in arrays:
            if name.rpartition(".")[0] == layer.name:
                relabelled[name] = arrays[name][made]
        weight = f"{layer.name}.weight"
        if _is_mixing(layer) and weight in arrays:
            read = _order(there.channels[source[theirs].inputs[0]], here.channels[layer.inputs[0]], pairs)
            relabelled[weight] = _reorder_inputs(relabelled[weight], layer.groups, read)
    return relabelled


def _computations(layers: Layers) -> Counter[tuple[Hashable, ...]]:
    """What the layers do to a channel, in any order, with the channels in any order."""
    return Counter(
        (layer.kind, layer.name, layer.kernel, layer.stride, layer.groups, layer.padding, layer.epsilon)
        for layer in layers
        if layer.kind not in ("gather", "concat")
    )


def _find_pairs(there: Trace, here: Trace) -> dict[int, int]:
    """The channel of the source for each channel of the target.

    The groups of the convolutions stay in their order, or are all reversed: with them, the parts of a concat change
    places.

    Raises:
        ValueError: neither works.
    """
    groups = {layer.name: layer.groups for layer in there.layers if _is_mixing(layer) and layer.groups > 1}

    def reversed_groups(ports: frozenset[Port]) -> frozenset[Port]:
        return frozenset((name, groups[name] - 1 - group if name in groups else group) for name, group in ports)

    try:
        return _pair(there.found, here.found)
    except ValueError:
        mirrored = [Channel(reversed_groups(c.made), reversed_groups(c.read), c.place) for c in there.found]
        return _pair(mirrored, here.found)


def _pair(there: list[Channel], here: list[Channel]) -> dict[int, int]:
    """The channel of the source for each channel of the target: one that the same layers make and read."""
    waiting: dict[tuple[frozenset[Port], frozenset[Port]], list[int]] = {}
    for number, channel in enumerate(there):
        waiting.setdefault((channel.made, channel.read), []).append(number)
    queues = {key: iter(sorted(numbers, key=lambda n: there[n].place)) for key, numbers in waiting.items()}
    pairs = {}
    for number in sorted(range(len(here)), key=lambda n: here[n].place):
        partner = next(queues.get((here[number].made, here[number].read), iter(())), None)
        if partner is None:
            raise ValueError(f"the channels of {sorted(here[number].made)} are read by other layers")
        pairs[number] = partner
    return pairs


def _order(there: list[int], here: list[int], pairs: dict[int, int]) -> np.ndarray:
    """Where each channel of the target's list is in the source's."""
    place = {channel: position for position, channel in enumerate(there)}
    return np.array([place[pairs[channel]] for channel in here])


def _reorder_inputs(weight: np.ndarray, groups: int, read: np.ndarray) -> np.ndarray:
    """Put the inputs of a weight ``[out, in / groups, ...]`` into the target's order, group by group.

    Args:
        weight: the outputs are in the target's order.
        groups: of the convolution.
        read: the position among the source's inputs of each input; those of a group are of one group there.
    """
    width = len(read) // groups
    rows = np.split(weight, groups)
    return np.concatenate([part[:, own % width] for part, own in zip(rows, np.split(read, groups), strict=True)])
