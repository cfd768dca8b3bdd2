"""Where each channel of a graph lies once it is arranged: in which tensor, and at which place of it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from mindcv_shufflenet.graph.base import Graph
from mindcv_shufflenet.graph.channels import Channel, Channels, Role
from mindcv_shufflenet.graph.pieces import Numbers, piece_numbers
from mindcv_shufflenet.graph.targets import Style

T = TypeVar("T")

# What lies in a tensor: the numbers of the layer's channels; None is a channel of zeros.
Content = tuple[int | None, ...]


class Place(NamedTuple):
    """Where a channel lies: in which tensor of its layer, and where in it."""

    tensor: int
    offset: int


class Slice(NamedTuple):
    """Neighbouring channels of one tensor of a layer: ``start`` up to before ``stop``."""

    layer: int
    tensor: int
    start: int
    stop: int


class Placement:
    """The tensors that the output of each layer consists of, the same for all layers of a bundle.

    Args:
        graph: whose channels are placed.
        style: how.
        keeps_shuffles: whether the shuffles of the graph stay, on channels in any order.
        is_exact: whether they stay on channels in the described order.

    Attributes:
        graph: the same.
        is_exact: the same.
        channels: of the graph.
    """

    def __init__(self, graph: Graph, style: Style, *, keeps_shuffles: bool = False, is_exact: bool = False) -> None:
        self.channels = Channels.of(graph.layers, keeps_shuffles=keeps_shuffles)
        self.graph, self.is_exact = graph, is_exact
        self._layers, self._style = graph.layers, style
        self._outputs = {channel.layer for x in graph.outputs.values() for channel in self.channels.contents[x]}
        self._pieces = piece_numbers(self.channels)
        self._free = {bundle for bundle in self.channels.members if self._may_lie_anywhere(bundle)}
        self._tensors: dict[int, tuple[Content, ...]] = {}
        self._places: dict[int, dict[int | None, Place]] = {}
        # what a bundle is put together of is made before it
        for bundle in sorted(self.channels.members):
            self._tensors[bundle] = self._choose(bundle)
            self._places[bundle] = {
                number: Place(tensor, offset)
                for tensor, content in enumerate(self._tensors[bundle])
                for offset, number in enumerate(content)
            }

    def tensors(self, layer: int) -> tuple[Content, ...]:
        """Return what lies in each tensor of a layer's output."""
        return self._tensors[self.channels.bundles[layer]]

    def place(self, channel: Channel) -> Place:
        """Return where a channel lies."""
        return self._places[self.channels.bundles[channel.layer]][channel.number]

    def in_order(self, channels: Iterable[Channel]) -> tuple[Slice, ...]:
        """Return the slices that have channels in a given order, as few as there may be."""
        found: list[Slice] = []
        for channel in channels:
            tensor, offset = self.place(channel)
            last = found[-1] if found else None
            if last and last[:2] == (channel.layer, tensor) and last.stop == offset:
                found[-1] = last._replace(stop=offset + 1)
            else:
                found.append(Slice(channel.layer, tensor, offset, offset + 1))
        return tuple(found)

    def in_any_order(self, channels: Iterable[Channel]) -> tuple[Slice, ...]:
        """Return slices that have some channels, and maybe others, in the order in which they lie."""
        by_tensor: dict[tuple[int, int], list[Channel]] = {}
        for channel in channels:
            by_tensor.setdefault((channel.layer, self.place(channel).tensor), []).append(channel)
        found: list[Slice] = []
        for (layer, tensor), wanted in by_tensor.items():
            content = self.tensors(layer)[tensor]
            is_all = len({*wanted}) == sum(number is not None for number in content)
            if is_all or self._is_separate(self.channels.bundles[layer]):
                found.append(Slice(layer, tensor, 0, len(content)))
            else:
                found += self.in_order(sorted(wanted, key=self.place))
        return tuple(found)

    def in_groups(self, channels: Sequence[Channel], groups: int) -> tuple[Slice, ...]:
        """Return slices that have channels group by group, in the order in which those of a group lie."""
        found: list[Channel] = []
        for group in _cut(channels, groups):
            layers = [*dict.fromkeys(channel.layer for channel in group)]
            found += sorted(group, key=lambda channel: (layers.index(channel.layer), self.place(channel)))
        return self.in_order(found)

    def content(self, x: int, slices: Iterable[Slice]) -> Content:
        """Return what slices have of the channels of a described output; None for zeros and for other channels."""
        number = {channel: i for i, channel in enumerate(self.channels.contents[x])}
        found: list[int | None] = []
        for layer, tensor, start, stop in slices:
            lying = self.tensors(layer)[tensor][start:stop]
            found += [None if i is None else number.get(Channel(layer, i)) for i in lying]
        return tuple(found)

    def _choose(self, bundle: int) -> tuple[Content, ...]:
        """Choose the tensors of a bundle."""
        pieces, groups = self._pieces[bundle], self._groups(bundle)
        is_read_as_whole = all(len({*group}) == 1 for group in _cut(pieces, groups))
        if is_read_as_whole and bundle in self._free:
            numbers = _cut(range(len(pieces)), groups)
            return (tuple(number for group in numbers for number in self._filled(group, groups)),)
        if self._is_separate(bundle):
            return tuple(_padded(numbers, self._style.multiple) for numbers in self._separated(bundle, pieces))
        source = self._source(bundle)
        if is_read_as_whole and source is not None:
            return (self.content(source, self.in_any_order(self.channels.contents[source])),)
        return (tuple(self._ordered(bundle, pieces, groups, source)),)

    def _groups(self, bundle: int) -> int:
        """Return how many groups the channels of a bundle fall into: those of the convolutions around it."""
        own = self.channels.members[bundle]
        if self.channels.has_only(bundle, Role.SHUFFLE):
            own = [*self.channels.readers(bundle)]
        return max((self._layers[x].groups for x in own if self.channels.roles[x] is Role.GROUPED), default=1)

    def _may_lie_anywhere(self, bundle: int) -> bool:
        """Return whether the channels of a bundle may lie anywhere, or anywhere within their group.

        It is put together of nothing then, it is no output, and whatever makes or reads it serves any order.
        """
        groups = self._groups(bundle)
        members = self.channels.members[bundle]
        if self.channels.loose(bundle) or self._outputs.intersection(members):
            return False
        makers = [x for x in members if self.channels.roles[x] is not Role.PER_CHANNEL]
        return all(self._serves(x, groups, is_reader=False) for x in makers) and all(
            self._serves(x, groups, is_reader=True) for x in self.channels.readers(bundle)
        )

    def _serves(self, layer: int, groups: int, *, is_reader: bool) -> bool:
        """Return whether a layer makes or reads channels in any order, or in any order within so many groups."""
        match self.channels.roles[layer]:
            case Role.DENSE:
                return True
            case Role.GROUPED:
                is_whole = not is_reader or self.channels.whole(self._layers[layer].inputs[0]) is not None
                return is_whole and self._layers[layer].groups == groups
            case Role.SHUFFLE:
                return not self.is_exact and (is_reader or groups > 1)
            case Role.PER_CHANNEL:
                bundle = self.channels.bundles[layer]
                return self._source(bundle) is not None and len({*self._pieces[bundle]}) == 1
        return False

    def _is_separate(self, bundle: int) -> bool:
        """Return whether each piece of a bundle has a tensor of its own."""
        return self._style.is_separate and bundle in self._free and self._groups(bundle) == 1

    def _source(self, bundle: int) -> int | None:
        """Return what a bundle is put together of, where nothing else gives its channels an order; or None."""
        loose = self.channels.loose(bundle)
        return loose[0] if loose and self.channels.has_only(bundle, Role.PER_CHANNEL) else None

    def _separated(self, bundle: int, pieces: Numbers) -> list[list[int]]:
        """Return the channels of each tensor of a bundle: one piece, or several neighbouring ones.

        Of all ways to put pieces together that one is taken which costs the fewest multiply-adds a pixel, to make the
        channels and to read them.
        """
        by_piece: dict[int, list[int]] = {}
        for number, piece in enumerate(pieces):
            by_piece.setdefault(piece, []).append(number)
        ordered = [by_piece[piece] for piece in sorted(by_piece)]
        reading = [self._reading_cost(bundle, numbers[0]) for numbers in ordered]
        making = sum(self._width(x) for x in self.channels.members[bundle] if self.channels.roles[x] is Role.DENSE)
        best: list[tuple[int, list[list[int]]]] = [(0, [])]  # for the first pieces, as many as there are before it
        for stop in range(1, len(ordered) + 1):
            ways = []
            for start in range(stop):
                numbers = [number for piece in ordered[start:stop] for number in piece]
                channels = len(_padded(numbers, self._style.multiple))
                cost = (channels + self._style.overhead) * making + channels * sum(reading[start:stop])
                ways.append((best[start][0] + cost, [*best[start][1], numbers]))
            best.append(min(ways))
        return best[-1][1]

    def _width(self, layer: int) -> int:
        """Return how many channels a dense layer reads for each pixel of its output."""
        return 0 if self._layers[layer].kind == "dense" else self._layers[self._layers[layer].inputs[0]].channels

    def _reading_cost(self, bundle: int, number: int) -> int:
        """Return the multiply-adds a pixel with which a channel of a bundle is read."""
        cost = 0
        readers = {
            u.reader for x in self.channels.members[bundle] for u in self.channels.uses.get(Channel(x, number), ())
        }
        for reader in readers:
            layer, own = self._layers[reader], self.channels.bundles[reader]
            if self.channels.roles[reader] is Role.PER_CHANNEL:
                cost += layer.kernel**2 + self._reading_cost(own, 0)
            elif layer.kind == "conv":
                cost += layer.channels
        return cost

    def _filled(self, numbers: Sequence[int], groups: int) -> Content:
        """Return the channels of one group, padded to a multiple if that adds few zeros."""
        style = self._style
        multiple, most = style.multiple, style.most_zeros
        if groups > 1:
            multiple, most = style.group_multiple, style.most_group_zeros
        padded = _padded(numbers, multiple)
        return padded if len(padded) - len(numbers) <= most * len(numbers) else tuple(numbers)

    def _ordered(self, bundle: int, pieces: Numbers, groups: int, source: int | None) -> list[int]:
        """Return the channels of a bundle group by group, there piece by piece, there as they lie in a source."""
        numbers = [*range(len(pieces))]
        members = self.channels.members[bundle]
        is_given = any(self.channels.roles[x] in (Role.INPUT, Role.SHUFFLE) for x in members)
        if is_given or len({self._layers[x].groups for x in members if self.channels.roles[x] is Role.GROUPED}) > 1:
            return numbers
        content = () if source is None else self.channels.contents[source]

        def key(number: int) -> tuple[int, int, int, Place, int]:
            layer, place = (content[number].layer, self.place(content[number])) if content else (0, Place(0, 0))
            return number * groups // len(pieces), pieces[number], layer, place, number

        return sorted(numbers, key=key)


def _cut(sequence: Sequence[T], parts: int) -> list[Sequence[T]]:
    """A sequence in equal parts."""
    width = len(sequence) // parts
    return [sequence[start : start + width] for start in range(0, len(sequence), width)]


def _padded(numbers: Sequence[int], multiple: int) -> Content:
    return (*numbers, *[None] * (-len(numbers) % multiple))
