"""The group of ranks of one job: that of a process without others, and the interface of all groups."""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mindcv_shufflenet import signals
from mindcv_shufflenet.lines import print_line
from mindcv_shufflenet.parallel.world import World


class Group:
    """The group of a process without other ranks, and the interface of all groups.

    Attributes:
        world: this process's place.
        hosts: host name of each rank.
        address: of rank 0, as every rank can reach it.
        is_connected: whether MindSpore has connected the ranks too, which it does once in a process.
    """

    def __init__(self, world: World, hosts: list[str] | None = None, address: str = "127.0.0.1") -> None:
        self.world = world
        self.hosts = hosts or [os.uname().nodename]
        self.address = address
        self.is_connected = False

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes and prints."""
        return self.world.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, by rank, on every rank; they must be what JSON holds."""
        return [value]

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.gather(None)

    @contextlib.contextmanager
    def signals_held(self) -> Iterator[Callable[[], object]]:
        """Hold the signals that stop a command; yields a function that raises Interrupted if one is pending.

        Several ranks cannot agree that a signal has come: the signals keep their default and end the rank.
        """
        if self.world.size > 1:
            yield lambda: None
        else:
            with signals.held():
                yield signals.check

    def await_scheduler(self) -> None:
        """Wait on all ranks until ``msrun``'s scheduler serves; inside MindSpore nobody would learn of its failure.

        Raises:
            RunError: it does not start.
        """

    def leave(self) -> None:
        """Leave the group when all ranks have done their work."""

    def fail(self, message: str, status: int) -> int:
        """Print an error and return the exit status; with several ranks, end the whole job instead."""
        say([message])
        return status


_group = Group(World())


# The group of a rank that works alone for a while.
_own: contextvars.ContextVar[Group | None] = contextvars.ContextVar("own", default=None)


def current() -> Group:
    """Return the group of this process."""
    return _own.get() or _group


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Work for a while as if there were no other ranks, which wait at their next barrier."""
    token = _own.set(Group(World()))
    try:
        yield
    finally:
        _own.reset(token)


def join(world: World) -> Group:
    """Connect with the other ranks of the launch; from then on :func:`current` returns their group.

    Raises:
        UserError: MPI cannot be used, or a port is taken.
        RunError: a rank is missing, or rank 0 cannot be reached.
    """
    global _group  # noqa: PLW0603 - a process is in one group, as it has one environment
    if world.size == 1:
        _group = Group(world)
    else:
        from mindcv_shufflenet.parallel.ranks import connect  # one process need not wait for sockets

        _group = connect(world)
    return _group


def say(lines: list[str]) -> None:
    """Print errors if standard error can still be written."""
    with contextlib.suppress(OSError, ValueError):
        for line in lines:
            print_line(f"error: {line}", sys.stderr)
