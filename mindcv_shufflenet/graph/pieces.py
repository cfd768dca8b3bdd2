"""Into which pieces the channels of a bundle fall: the channels of a piece are read by the same layers."""

from mindcv_shufflenet.graph.channels import Channel, Channels, Role

# Which piece each channel of a bundle belongs to.
Numbers = list[int]


def piece_numbers(channels: Channels) -> dict[int, Numbers]:
    """Return the pieces of each bundle, numbered in the order in which they are read.

    A convolution with groups reads each group apart. A layer that acts on each channel by itself reads a channel for
    the piece that it makes of it. So the bundles are gone through from the last one to the first. Where a bundle reads
    one that begins behind it, which no known network has, that one counts as a whole, and pieces are larger.
    """
    found: dict[int, Numbers] = {}
    for bundle in sorted(channels.members, reverse=True):
        width = channels.layers[bundle].channels
        readings = [_readings(channels, bundle, number, found) for number in range(width)]
        order = {reading: piece for piece, reading in enumerate(sorted({*readings}))}
        found[bundle] = [order[reading] for reading in readings]
    return found


def _readings(channels: Channels, bundle: int, number: int, known: dict[int, Numbers]) -> tuple[tuple[int, int], ...]:
    """The layers that read a channel of a bundle, and which part of their input it has to be in."""
    found = set()
    for member in channels.members[bundle]:
        for use in channels.uses.get(Channel(member, number), ()):
            reader = channels.layers[use.reader]
            part = 0
            if channels.roles[use.reader] is Role.GROUPED:
                part = use.number * reader.groups // channels.layers[reader.inputs[0]].channels
            elif channels.roles[use.reader] is Role.PER_CHANNEL:
                numbers = known.get(channels.bundles[use.reader])
                part = numbers[use.number] if numbers else 0
            found.add((use.reader, part))
    return tuple(sorted(found))
