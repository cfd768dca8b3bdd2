"""Ranks that talk, fail and are killed, as processes without MPI or MindSpore."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from mindcv_shufflenet.errors import Interrupted
from mindcv_shufflenet.parallel.group import Group
from mindcv_shufflenet.parallel.ranks import summarise
from mindcv_shufflenet.parallel.world import World

# A rank that meets the others as msrun's do, and then does what the test says.
RANK = """
import sys, time
from mindcv_shufflenet.parallel.group import join
from mindcv_shufflenet.parallel.world import find_world
group = join(find_world())
rank = group.world.rank
{body}
group.leave()
print("left", flush=True)
"""


# What stands beside msrun's scheduler.
OBSERVER = """
from mindcv_shufflenet.parallel.rendezvous import meet_as_scheduler, receive
connection = meet_as_scheduler()
receive(connection)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


Launch = Callable[..., list[subprocess.Popen[str]]]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start ranks that run the lines given, and what stands beside the scheduler as the last of them."""
    started = []

    def start(size: int, body: str, port: int | None = None) -> list[subprocess.Popen[str]]:
        port = port or free_port() - 1
        for rank in range(size + 1):
            place = {"MS_NODE_ID": str(rank), "MS_WORKER_NUM": str(size), "DEVICE_ID": str(rank)}
            place |= {"MS_ROLE": "MS_WORKER", "MS_SCHED_HOST": "127.0.0.1", "MS_SCHED_PORT": str(port)}
            code = OBSERVER if rank == size else RANK.format(body=body)
            process = subprocess.Popen(
                [sys.executable, "-c", code], env=os.environ | place, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            started.append(process)
        return started[:size]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(ranks: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    ended = []
    for process in ranks:
        output, error = process.communicate(timeout=60)
        ended.append((process.returncode, output, error))
    return ended


def test_a_process_by_itself() -> None:
    group = Group(World())
    assert group.gather({"a": 1}) == [{"a": 1}]
    assert group.is_first
    group.barrier()
    group.leave()


def test_signals_are_held_where_there_are_no_other_ranks() -> None:
    """With others they keep their default, as the ranks cannot agree that one has come."""
    with Group(World()).signals_held() as check:
        signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(Interrupted, match="SIGUSR1"):
            check()
    with Group(World(size=2)).signals_held() as check:
        assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        check()


def test_ranks_gather_values_in_their_order(launch: Launch) -> None:
    body = """
for turn in range(3):
    time.sleep(0.05 * ((rank + turn) % 3))
    print(group.gather([rank, turn]), group.address)
"""
    expected = "".join(f"{[[rank, turn] for rank in range(3)]} 127.0.0.1\n" for turn in range(3))
    assert finish(launch(3, body)) == [(0, expected + "left\n", "")] * 3


def test_one_failure_ends_all_with_one_line(launch: Launch) -> None:
    body = """
if rank == 2:
    group.fail("no folder photos", 2)
group.gather(None)
"""
    start = time.monotonic()
    ended = finish(launch(3, body))
    assert time.monotonic() - start < 20
    assert [status for status, _, _ in ended] == [2, 2, 2]
    assert [error for _, _, error in ended] == ["error: rank 2 of 3: no folder photos\n", "", ""]


def test_the_same_failure_of_all_is_told_once(launch: Launch) -> None:
    ended = finish(launch(3, "group.fail('unknown model', 2)"))
    assert [(status, error) for status, _, error in ended] == [(2, "error: unknown model\n"), (2, ""), (2, "")]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_ends_all_with_one_line(launch: Launch, victim: int) -> None:
    ranks = launch(3, "group.barrier(); print('in', flush=True); time.sleep(60)")
    for process in ranks:
        assert process.stdout
        assert process.stdout.readline() == "in\n"
    ranks[victim].send_signal(signal.SIGKILL)
    start = time.monotonic()
    ended = finish(ranks)
    assert time.monotonic() - start < 10
    assert [status for status, _, _ in ended] == [-9 if rank == victim else 1 for rank in range(3)]
    lines = [error for _, _, error in ended if error]
    assert len(lines) == 1
    assert f"rank {victim}" in lines[0]
    assert "is gone from" in lines[0]


def test_a_port_that_is_taken_is_told(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = launch(2, "", port - 1)[0]
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port} on 127.0.0.1" in error
    assert "give another --master_port" in error


def test_a_stranger_at_the_port_is_turned_away(launch: Launch) -> None:
    port = free_port()
    ranks = launch(2, "print(group.gather(rank))", port - 1)
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            break
        except OSError:
            time.sleep(0.02)
    assert finish(ranks) == [(0, "[0, 1]\nleft\n", "")] * 2


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_a_scheduler_that_is_gone_ends_all_with_one_line(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """At once, or while the ranks wait for each other."""
    monkeypatch.setattr(
        sys.modules[__name__],
        "OBSERVER",
        OBSERVER.replace("receive(c", f"import time; time.sleep({seconds}); exit()\nreceive(c"),
    )
    ended = finish(launch(2, "time.sleep(60)"))
    told = "error: msrun's scheduler: it is gone from "
    assert [(status, error[: len(told)]) for status, _, error in ended] == [(1, told), (1, "")]


def test_a_rank_works_alone_while_the_others_wait(launch: Launch) -> None:
    body = """
from mindcv_shufflenet.parallel.group import alone, current
if rank == 0:
    with alone():
        current().barrier()
        print(current().gather("own"), current().world.size)
print(group.gather(rank), current() is group)
"""
    ended = finish(launch(2, body))
    assert [output.splitlines()[:-1] for _, output, _ in ended] == [["['own'] 1", "[0, 1] True"], ["[0, 1] True"]]


def test_failures_are_summed_up_by_what_they_say() -> None:
    assert summarise({0: ("a", 2), 1: ("a", 2)}, 2) == ["a"]
    assert summarise({2: ("b", 1), 1: ("a", 2), 3: ("b", 1)}, 4) == ["rank 1 of 4: a", "rank 2, 3 of 4: b"]


SUM = """
import numpy as np
from mindcv_shufflenet.parallel.shared_memory import open_shared_sum
{before}
add_up = open_shared_sum(group, 7)
print(None if add_up is None else [add_up.add_up(np.arange(7, dtype=np.float32) * (rank + i)).tolist() for i in (1, 2)])
"""


def test_ranks_add_up_in_shared_memory(launch: Launch) -> None:
    sums = str([[6.0 * i for i in range(7)], [9.0 * i for i in range(7)]])
    assert [output for _, output, _ in finish(launch(3, SUM.format(before="")))] == [f"{sums}\nleft\n"] * 3


@pytest.mark.parametrize(
    "before",
    [
        "group.hosts = ['a', 'b']",
        "import os; os.getpid = lambda: 2**22 + 1",  # another container has other processes
        "import os; del os.memfd_create",
    ],
)
def test_ranks_that_share_no_memory_do_without(launch: Launch, before: str) -> None:
    assert [output for _, output, _ in finish(launch(2, SUM.format(before=before)))] == ["None\nleft\n"] * 2
