"""Where each channel of a graph is made, who reads it, and which layers keep their channels in the same order."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple, Self

from mindcv_shufflenet.families.base import Layer, Layers


class Role(Enum):
    """What a layer does to channels."""

    INPUT = auto()
    """Makes them in an order that is given."""
    DENSE = auto()
    """Makes each one of all that it reads, so that any order serves, with the weights in that order."""
    GROUPED = auto()
    """Makes each one of those of one group, so that any order within each group serves."""
    PER_CHANNEL = auto()
    """Makes each one of that of the same number, of one input or several."""
    ROUTING = auto()
    """Moves them and computes nothing: an arranged graph does without it."""
    SHUFFLE = auto()
    """Moves them, and stays."""


def role_of(layer: Layer, *, keeps_shuffles: bool) -> Role:
    """Return the role of a layer.

    Args:
        layer: of any kind.
        keeps_shuffles: whether a ``gather`` that changes the order of the channels stays.
    """
    if layer.kind in ("gather", "concat"):
        return Role.SHUFFLE if keeps_shuffles and layer.is_reordering else Role.ROUTING
    if layer.kind == "input":
        return Role.INPUT
    if layer.kind == "dense" or (layer.kind == "conv" and layer.groups == 1):
        return Role.DENSE
    if layer.kind == "conv" and not layer.is_depthwise:
        return Role.GROUPED
    return Role.PER_CHANNEL


class Channel(NamedTuple):
    """A channel where it is made: the position of the layer, and its number among the layer's channels."""

    layer: int
    number: int


class Use(NamedTuple):
    """A layer that reads a channel, and the channel's number in what it reads."""

    reader: int
    number: int


@dataclass(frozen=True)
class Channels:
    """The channels of a description.

    Layers that act on each channel by itself, one behind the other, have their channels in the same order: they are a
    bundle, named by the position of its first layer. Every layer that is not routing is in one, be it alone.

    Attributes:
        layers: the description.
        roles: of each layer.
        contents: the channels in the output of each layer, in their order.
        bundles: the name of the bundle of each layer that is not routing.
    """

    layers: Layers
    roles: tuple[Role, ...]
    contents: tuple[tuple[Channel, ...], ...]
    bundles: dict[int, int]

    @classmethod
    def of(cls, layers: Layers, *, keeps_shuffles: bool = False) -> Self:
        """Follow the channels of a description; the argument is that of :func:`role_of`."""
        roles = tuple(role_of(layer, keeps_shuffles=keeps_shuffles) for layer in layers)
        contents: list[tuple[Channel, ...]] = []
        for position, layer in enumerate(layers):
            read = [contents[x] for x in layer.inputs]
            if roles[position] is not Role.ROUTING:
                contents.append(tuple(Channel(position, number) for number in range(layer.channels)))
            elif layer.kind == "concat":
                contents.append(tuple(channel for part in read for channel in part))
            else:
                contents.append(tuple(read[0][number] for number in layer.order))
        found = cls(layers, roles, tuple(contents), {})
        found.bundles.update(found._bundles())
        return found

    def whole(self, x: int) -> int | None:
        """Return the layer whose channels an output has, all of them in their order; None: it has others."""
        content = self.contents[x]
        source = content[0].layer
        is_whole = len(content) == self.layers[source].channels
        return source if is_whole and all(one == (source, number) for number, one in enumerate(content)) else None

    def tied(self, position: int) -> list[int]:
        """Return the layers whose channels have to have the order of a layer's own."""
        inputs = self.layers[position].inputs if self.roles[position] is Role.PER_CHANNEL else ()
        return [source for x in inputs if (source := self.whole(x)) is not None]

    def loose(self, bundle: int) -> list[int]:
        """Return what a bundle reads channel by channel that is put together of parts of outputs."""
        own = [x for x in self.members[bundle] if self.roles[x] is Role.PER_CHANNEL]
        return [x for member in own for x in self.layers[member].inputs if self.whole(x) is None]

    def has_only(self, bundle: int, *roles: Role) -> bool:
        """Return whether all layers of a bundle have one of some roles."""
        return all(self.roles[member] in roles for member in self.members[bundle])

    @cached_property
    def members(self) -> dict[int, list[int]]:
        """The layers of each bundle."""
        found: dict[int, list[int]] = {}
        for member, bundle in self.bundles.items():
            found.setdefault(bundle, []).append(member)
        return found

    @cached_property
    def uses(self) -> dict[Channel, list[Use]]:
        """The layers that read each channel, but for those that are tied to the one that makes it."""
        found: dict[Channel, list[Use]] = {}
        for reader in self.bundles:
            for x in self.layers[reader].inputs:
                if self.roles[reader] is not Role.PER_CHANNEL or self.whole(x) is None:
                    for number, channel in enumerate(self.contents[x]):
                        found.setdefault(channel, []).append(Use(reader, number))
        return found

    def readers(self, bundle: int) -> set[int]:
        """Return the layers outside of a bundle that read channels of it."""
        return {use.reader for channel in self.channels_of(bundle) for use in self.uses.get(channel, ())}

    def channels_of(self, bundle: int) -> Iterable[Channel]:
        """Return the channels of all layers of a bundle."""
        numbers = range(self.layers[bundle].channels)
        return (Channel(member, number) for member in self.members[bundle] for number in numbers)

    def _bundles(self) -> dict[int, int]:
        """Unite each layer with those that it is tied to."""
        found: dict[int, int] = {}
        for position, role in enumerate(self.roles):
            if role is not Role.ROUTING:
                united = {found[source] for source in self.tied(position)} | {position}
                found[position] = position
                found |= {member: min(united) for member, bundle in found.items() if bundle in united}
        return found
