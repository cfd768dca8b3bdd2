"""``data stats``: the tables and the JSON of :func:`mindcv_shufflenet.data_stats`."""

import argparse
from dataclasses import asdict

from rich.table import Table

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.data.inspection.stats import DataStats, Sizes, data_stats
from mindcv_shufflenet.lines import counted

# Classes that a table has; of more, the largest and the smallest ones.
_CLASSES = 40
_EACH_END = 10


def run(arguments: argparse.Namespace) -> None:
    """Count and measure the images and print the figures."""
    with reporting(arguments) as console:
        stats = data_stats(arguments.options, given=arguments.given, console=console)
    counts = ", ".join(f"{counted(split.images, 'image')} in {name}" for name, split in stats.splits.items())
    console.print(f"{stats.dataset}: {counted(len(stats.class_names), 'class', 'classes')}, {counts}")
    for part in _class_tables(stats):
        console.print(part)
    for line in (*_balance(stats), *_sizes(stats), *_normalisation(stats), *_unreadable(stats)):
        console.print(line)
    write_json(arguments.json, asdict(stats))


def _class_tables(stats: DataStats) -> list[Table | str]:
    """The images of each class, the largest first; of many classes both ends, each with a line above it."""
    counts = stats.train.per_class
    order = sorted(range(len(counts)), key=lambda index: -counts[index])
    if len(order) <= _CLASSES:
        return [_table(stats, order)]
    return [
        f"the {_EACH_END} largest of {len(order)} classes (--json has all):",
        _table(stats, order[:_EACH_END]),
        f"the {_EACH_END} smallest:",
        _table(stats, order[-_EACH_END:]),
    ]


def _table(stats: DataStats, indices: list[int]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("class")
    for name in stats.splits:
        table.add_column(name, justify="right")
    for index in indices:
        table.add_row(stats.class_names[index], *(str(split.per_class[index]) for split in stats.splits.values()))
    return table


def _balance(stats: DataStats) -> list[str]:
    """How unequal the classes are."""
    ordered = sorted(zip(stats.train.per_class, stats.class_names, strict=True), key=lambda pair: pair[0])
    empty = [name for count, name in ordered if not count]
    (fewest, small), (most, large) = (ordered[len(empty) :] or ordered)[0], ordered[-1]
    if fewest == most:
        lines = [f"balance: every class has {counted(most, 'training image')}"]
    else:
        times = f"{most / fewest:.3g} times as many"
        lines = [f"balance: {large} has {counted(most, 'training image')} and {small} {fewest}, {times}"]
    if empty:
        more = f" and {len(empty) - _EACH_END} more" if len(empty) > _EACH_END else ""
        lines.append(f"without training images: {', '.join(empty[:_EACH_END])}{more}")
    return lines


def _sizes(stats: DataStats) -> list[str]:
    return [f"sizes in {name}: {_spell(split.sizes)}" for name, split in stats.splits.items() if split.sizes]


def _spell(sizes: Sizes) -> str:
    smallest, median, largest = (f"{size[0]}x{size[1]}" for size in (sizes.smallest, sizes.median, sizes.largest))
    narrowest, middle, widest = (f"{ratio:.2f}" for ratio in sizes.aspect_ratios)
    return (
        f"{smallest} (smallest), {median} (median), {largest} (largest);"
        f" width/height {narrowest} to {widest}, median {middle}"
    )


def _normalisation(stats: DataStats) -> list[str]:
    """Mean and standard deviation, as options."""
    if stats.mean is None or stats.std is None:
        return []
    lines = [
        f"mean and standard deviation of the pixels in {stats.train_split}, images as they are (not resized), 0..255:",
        f"  --mean {_numbers(stats.mean)} --std {_numbers(stats.std)}",
    ]
    if stats.is_grey:
        lines.append(
            f"  the images are grey; for one channel: --in_channels 1 --mean {_numbers(stats.mean[:1])}"
            f" --std {_numbers(stats.std[:1])}"
        )
    return lines


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _unreadable(stats: DataStats) -> list[str]:
    return [
        f"unreadable: {image.image}: {image.reason}" for split in stats.splits.values() for image in split.unreadable
    ]
