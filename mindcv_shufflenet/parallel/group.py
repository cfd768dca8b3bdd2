"""The ranks of one job, joined by a connection each to rank 0: what they tell one another beside their gradients.

The connections carry small JSON messages: values that all ranks gather, and the end of the job. A rank that fails says
so before it goes; one that is killed is noticed by its connection, which the system closes. Rank 0 then writes one line
for people and the whole job ends, also while a rank's main thread waits inside MindSpore for a rank that is no more.
"""

import contextlib
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Collection
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.lines import print_line, silence
from mindcv_shufflenet.parallel.rendezvous import JOIN_SECONDS, SCHEDULER, meet, name_ranks, receive, send
from mindcv_shufflenet.parallel.world import World

# Seconds in which a rank that fails waits for others that fail likewise.
REPORT_SECONDS = 1.0


class Group:
    """All ranks of a job; this one is a process by itself.

    Attributes:
        world: this process's place.
        hosts: host name of each rank.
        address: of rank 0, as every rank can reach it.
    """

    def __init__(self, world: World, hosts: list[str] | None = None, address: str = "127.0.0.1") -> None:
        self.world = world
        self.hosts = hosts or [socket.gethostname()]
        self.address = address

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

    def await_scheduler(self) -> None:
        """Wait on all ranks until ``msrun``'s scheduler serves: inside MindSpore its failure would reach nobody.

        Raises:
            RunError: it does not begin.
        """

    def leave(self) -> None:
        """Part from the others when all have done their work."""

    def fail(self, message: str, status: int) -> int:
        """Tell people of an error and return the exit status; on several ranks end the job of all instead."""
        _say([message])
        return status


class _First(Group):
    """Rank 0, which has a connection to every other rank."""

    def __init__(self, world: World, hosts: list[str], address: str, connections: dict[int, Connection]) -> None:
        super().__init__(world, hosts, address)
        self.connections = connections
        self.inbox: dict[int, queue.Queue[Any]] = {rank: queue.Queue() for rank in range(1, world.size)}
        self.scheduler: queue.Queue[Any] = queue.Queue()
        self.reports: dict[int, tuple[str, int]] = {}
        self.lock = threading.Lock()
        self.all_reported = threading.Event()
        self.is_done = False
        for rank in connections:
            threading.Thread(target=self._read, args=(rank,), daemon=True).start()

    def gather(self, value: Any) -> list[Any]:
        values = [value, *(inbox.get() for inbox in self.inbox.values())]
        self._send({"values": values}, self.inbox)
        return values

    def await_scheduler(self) -> None:
        if SCHEDULER in self.connections:
            try:
                self.scheduler.get(timeout=JOIN_SECONDS)
            except queue.Empty:
                raise RunError("msrun's scheduler does not begin to serve: look at its log") from None
        self.barrier()

    def leave(self) -> None:
        for inbox in self.inbox.values():
            inbox.get()
        with self.lock:
            self.is_done = True
        self._send({"end": 0}, self.connections)
        _silence()

    def fail(self, message: str, status: int) -> NoReturn:
        if self.is_done:
            _say([message])
            _exit(status)
        self._report(0, message, status)
        while True:  # until the thread that reports ends the process
            time.sleep(1)

    def _send(self, message: dict[str, Any], receivers: Collection[int]) -> None:
        for receiver in receivers:
            with contextlib.suppress(OSError):  # one that is no more is told of by its reader
                send(self.connections[receiver], message)

    def _read(self, rank: int) -> None:
        """Take a rank's messages until it leaves."""
        while True:
            try:
                message = receive(self.connections[rank])
            except (OSError, EOFError):
                self.all_reported.set()  # the launcher ends the job by itself now, so there is no time to lose
                host = self.hosts[max(rank, 0)]  # the scheduler is where rank 0 is
                self._report(rank, f"it is gone from {host}: killed, out of memory, crashed, or cut off", 1)
                return
            if "failed" in message:
                self._report(rank, *message["failed"])
                return
            self.inbox.get(rank, self.scheduler).put(message.get("value"))
            if "bye" in message:
                return

    def _report(self, rank: int, text: str, status: int) -> None:
        """Note a failure; the first one ends the job, once the ranks that fail likewise have had time to say so."""
        with self.lock:
            if self.is_done:
                return
            self.reports.setdefault(rank, (text, status))
            if len(self.reports) == self.world.size:
                self.all_reported.set()
            if len(self.reports) == 1:
                threading.Thread(target=self._end, daemon=True).start()

    def _end(self) -> None:
        self.all_reported.wait(REPORT_SECONDS)
        with self.lock:
            lines = summarise(self.reports, self.world.size)
            status = max(status for _, status in self.reports.values())
        _say(lines)
        self._send({"end": status}, self.connections)
        _exit(status)


class _Other(Group):
    """Any rank but the first."""

    def __init__(self, world: World, hosts: list[str], address: str, connection: Connection) -> None:
        super().__init__(world, hosts, address)
        self.connection = connection
        self.inbox: queue.Queue[list[Any]] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def gather(self, value: Any) -> list[Any]:
        self._tell({"value": value})
        return self.inbox.get()

    def await_scheduler(self) -> None:
        self.barrier()

    def leave(self) -> None:
        self._tell({"bye": True})
        self.reader.join()
        _silence()

    def fail(self, message: str, status: int) -> NoReturn:
        self._tell({"failed": [message, status]})
        self.reader.join(10 * REPORT_SECONDS)
        _exit(status)

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # rank 0 is no more: the reader tells
            send(self.connection, message)

    def _read(self) -> None:
        while True:
            try:
                message = receive(self.connection)
            except (OSError, EOFError):
                beside = [rank for rank, host in enumerate(self.hosts) if rank and host == self.hosts[self.world.rank]]
                if self.world.rank == beside[0]:
                    _say([f"rank 0 is gone from {self.hosts[0]}: killed, out of memory, crashed, or cut off"])
                _exit(1)
            if "values" in message:
                self.inbox.put(message["values"])
            elif message["end"]:
                _exit(message["end"])
            else:
                return


def summarise(reports: dict[int, tuple[str, int]], size: int) -> list[str]:
    """Return a line for each different failure, with those that it struck unless it struck all ranks."""
    struck: dict[str, list[int]] = {}
    for rank, (text, _) in sorted(reports.items()):
        struck.setdefault(text, []).append(rank)
    return [text if len(ranks) == size else f"{name_ranks(ranks, size)}: {text}" for text, ranks in struck.items()]


_group = Group(World())


def current() -> Group:
    """Return the group that this process is in."""
    return _group


def join(world: World) -> Group:
    """Meet the other ranks of a launch; :func:`current` returns the group from then on.

    Raises:
        UserError: MPI cannot be used, or a port is taken.
        RunError: not all ranks have come, or this one cannot reach the first.
    """
    global _group  # noqa: PLW0603 - a process is in one group, as it has one environment
    if world.size == 1:
        _group = Group(world)
    else:
        hosts, address, connections = meet(world)
        _group = (
            _Other(world, hosts, address, connections[0]) if world.rank else _First(world, hosts, address, connections)
        )
    return _group


def _silence() -> None:
    """Close standard error to MindSpore's threads, which tell of their end whatever the log level is."""
    sys.stderr.flush()
    silence(2)


def _say(lines: list[str]) -> None:
    """Tell of errors, if there is still somebody to read it."""
    with contextlib.suppress(OSError, ValueError):
        for line in lines:
            print_line(f"error: {line}", sys.stderr)


def _exit(status: int) -> NoReturn:
    """End this process at once, whatever its main thread waits for."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
