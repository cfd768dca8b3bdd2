"""A host's cores, shared out among its ranks."""

import os

# A rank's place: its host, and the cores that its launcher has given it.
Place = list[object]


def own_place() -> Place:
    """Return the place of this process, as JSON holds it."""
    return [os.uname().nodename, sorted(os.sched_getaffinity(0))]


def share_cores(rank: int, places: list[Place]) -> None:
    """Keep this process on its share of the cores that the launcher has given it together with other ranks.

    MindSpore starts as many threads as a process has cores, and they spin while they wait: ranks that all have all
    cores take them from each other. To be called before MindSpore is imported, whose threads inherit the binding.

    Args:
        rank: of this process.
        places: of all ranks, by rank.
    """
    beside = [other for other, place in enumerate(places) if place == places[rank]]
    if len(beside) > 1:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, core_shares(cores, len(beside))[beside.index(rank)])


def count_cores() -> int:
    """Return how many cores this process may run on: those of its rank."""
    return len(os.sched_getaffinity(0))


def count_workers(wanted: int | None) -> tuple[int, list[str]]:
    """Return how many workers this process uses, as many as wanted or as cores, and a line if these are too few."""
    cores = count_cores()
    if wanted is None or wanted <= cores:
        return wanted or cores, []
    return cores, [f"num_parallel_workers={wanted}: {cores} used, as many as there are cores"]


def core_shares(cores: list[int], ranks: int) -> list[list[int]]:
    """Share out cores in order: equally many each where there are enough, else one each in turn."""
    if ranks > len(cores):
        return [[cores[rank % len(cores)]] for rank in range(ranks)]
    each = len(cores) // ranks
    return [cores[rank * each : (rank + 1) * each] for rank in range(ranks)]
