"""Sums over ranks of one host, through memory that they share.

MindSpore sends what ranks on a CPU add up over loopback TCP, which takes ten times as long.
"""

import mmap
import os
import secrets
from typing import Any

import numpy as np

from mindcv_shufflenet.parallel.group import Group

# Bytes by which the memory is known.
_MARK = 16


class SharedSum:
    """The sum of an array of each rank, on all ranks.

    Each rank adds up its part of the numbers, rank by rank, so the sum is the same on all of them and in every run.

    Args:
        group: the ranks.
        numbers: length of the arrays.
        memory: what they share: the sum, and the array of each rank.
    """

    def __init__(self, group: Group, numbers: int, memory: mmap.mmap) -> None:
        world = group.world
        self.group = group
        self.part = slice(numbers * world.rank // world.size, numbers * (world.rank + 1) // world.size)
        self.total, *self.given = np.frombuffer(memory, np.float32).reshape(world.size + 1, numbers)

    def add_up(self, x: np.ndarray) -> np.ndarray:
        """Return the sum of ``x``, ``[numbers] float32``, which holds until the next call.

        All ranks call this together, and wait for one another.
        """
        self.given[self.group.world.rank][:] = x
        self.group.barrier()
        own = self.total[self.part]
        own[:] = 0
        for array in self.given:
            own += array[self.part]
        self.group.barrier()
        return self.total


def open_shared_sum(group: Group, numbers: int) -> SharedSum | None:
    """Return the sum over the ranks of arrays ``[numbers] float32``; all ranks call this together.

    None on every rank where they are on several hosts, or have no memory that all of them reach. Ranks in containers of
    their own, which may have one host name, do not reach it.
    """
    if len({*group.hosts}) > 1:
        return None
    size = 4 * numbers * (group.world.size + 1)
    memory, told = _create(size) if group.is_first else (None, None)
    told = group.gather(told)[0]
    if told and not group.is_first:
        memory = _reach(size, **told)
    reached = all(group.gather(memory is not None))
    return SharedSum(group, numbers, memory) if reached and memory is not None else None


def _create(size: int) -> tuple[mmap.mmap | None, dict[str, Any] | None]:
    """Return new memory of so many bytes, and what the other ranks find it by; None twice if there is none.

    It ends with the processes that hold it.
    """
    try:
        file = os.memfd_create("mindcv_shufflenet")
        os.ftruncate(file, size)
        memory = mmap.mmap(file, size)
    except (AttributeError, OSError):  # no Linux, or no memory
        return None, None
    mark = secrets.token_bytes(_MARK)
    memory[:_MARK] = mark
    return memory, {"path": f"/proc/{os.getpid()}/fd/{file}", "mark": mark.hex()}


def _reach(size: int, path: str, mark: str) -> mmap.mmap | None:
    """Return the memory of rank 0, which begins with its mark; None if it cannot be reached."""
    try:
        with open(path, "r+b") as file:
            memory = mmap.mmap(file.fileno(), size)
    except (OSError, ValueError):
        return None
    return memory if memory[:_MARK].hex() == mark else None
