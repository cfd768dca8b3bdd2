"""The groups of several ranks, and the messages between them.

Every rank has a connection to rank 0. It carries small JSON messages: values that all ranks gather, and the end of the
job. A rank that fails reports its failure; a killed rank is detected when the system closes its connection. Rank 0 then
prints one line and ends the whole job, even while a rank's main thread waits inside MindSpore for a rank that is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NoReturn

from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.lines import silence
from mindcv_shufflenet.parallel.group import Group, say
from mindcv_shufflenet.parallel.rendezvous import JOIN_SECONDS, SCHEDULER, meet, name_ranks, receive, send
from mindcv_shufflenet.parallel.world import World

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# Seconds that a process has to end once its work is done.
_END_SECONDS = 60
# Seconds that rank 0 waits after the first failure for other ranks to report theirs.
REPORT_SECONDS = 1.0


def connect(world: World) -> Group:
    """Connect with the other ranks of the launch and return their group.

    Raises:
        UserError: MPI cannot be used, or a port is taken.
        RunError: a rank is missing, or rank 0 cannot be reached.
    """
    hosts, address, connections = meet(world)
    return Other(world, hosts, address, connections[0]) if world.rank else First(world, hosts, address, connections)


class First(Group):
    """Rank 0, connected to every other rank."""

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
        _survive_the_end_of_connections()

    def fail(self, message: str, status: int) -> NoReturn:
        if self.is_done:
            say([message])
            _exit(status)
        self._report(0, message, status)
        while True:  # until the thread that reports ends the process
            time.sleep(1)

    def _send(self, message: dict[str, Any], receivers: Collection[int]) -> None:
        for receiver in receivers:
            with contextlib.suppress(OSError):  # the reader reports a rank that is gone
                send(self.connections[receiver], message)

    def _read(self, rank: int) -> None:
        """Take a rank's messages until it leaves."""
        while True:
            try:
                message = receive(self.connections[rank])
            except (OSError, EOFError):
                self.all_reported.set()  # the launcher ends the job by itself now: do not wait
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
        """Record a failure. The first one ends the job after the other ranks have had time to report theirs."""
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
        say(lines)
        self._send({"end": status}, self.connections)
        _exit(status)


class Other(Group):
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
        _survive_the_end_of_connections()

    def fail(self, message: str, status: int) -> NoReturn:
        self._tell({"failed": [message, status]})
        self.reader.join(10 * REPORT_SECONDS)
        _exit(status)

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # rank 0 is gone: the reader reports it
            send(self.connection, message)

    def _read(self) -> None:
        while True:
            try:
                message = receive(self.connection)
            except (OSError, EOFError):
                beside = [rank for rank, host in enumerate(self.hosts) if rank and host == self.hosts[self.world.rank]]
                if self.world.rank == beside[0]:
                    say([f"rank 0 is gone from {self.hosts[0]}: killed, out of memory, crashed, or cut off"])
                _exit(1)
            if "values" in message:
                self.inbox.put(message["values"])
            elif message["end"]:
                _exit(message["end"])
            else:
                return


def summarise(reports: dict[int, tuple[str, int]], size: int) -> list[str]:
    """Return one line a failure, with the ranks that it struck unless it struck all."""
    struck: dict[str, list[int]] = {}
    for rank, (text, _) in sorted(reports.items()):
        struck.setdefault(text, []).append(rank)
    return [text if len(ranks) == size else f"{name_ranks(ranks, size)}: {text}" for text, ranks in struck.items()]


def _silence() -> None:
    """Silence standard error, since MindSpore's threads report their end at any log level."""
    sys.stderr.flush()
    silence(2)


def _survive_the_end_of_connections() -> None:
    """Let a crash of a thread of MindSpore's end that thread alone: the work is done, and this process ends anyway.

    While MindSpore closes the connection with its scheduler, the thread that reads from it now and then crashes, and
    ``msrun`` would take the job for failed. Should it be the main thread, which nobody would miss, an alarm ends the
    process.
    """
    signal.alarm(_END_SECONDS)
    libc = ctypes.CDLL(None)
    libc.signal(signal.SIGSEGV, libc.pthread_exit)


def _exit(status: int) -> NoReturn:
    """End this process at once, even while its main thread waits."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
