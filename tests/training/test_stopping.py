"""Rules that stop a training, and the vote of the ranks on them."""

import signal
from typing import Any

import mindspore as ms
import pytest
from mindspore import Tensor

from mindcv_shufflenet.parallel.group import Group
from mindcv_shufflenet.parallel.vote import CommonVote, Vote, create_vote
from mindcv_shufflenet.parallel.world import World
from mindcv_shufflenet.training.state import Progress
from mindcv_shufflenet.training.stopping import EpochsDone, Reason, Rule, SignalReceived, Stopping


class Wanting(Rule):
    def __init__(self, *reasons: Reason | None) -> None:
        self.reasons = [*reasons]

    def reason(self) -> Reason | None:
        return self.reasons.pop(0) if self.reasons else None


def share(value: float) -> Tensor:
    return Tensor(value, ms.float32)


def test_all_epochs_done() -> None:
    stopping = Stopping([EpochsDone(3)], Group(World()), Vote())
    assert [stopping.is_over(Progress(epoch=epoch)) for epoch in (2, 3, 4)] == [False, True, True]
    assert not stopping.is_due()


def test_one_rank_stops_by_its_own_wish_at_once() -> None:
    stopping = Stopping([EpochsDone(3), Wanting(None, Reason("late", 5))], Group(World()), create_vote(World(), "GPU"))
    stopping.vote.count(stopping.ballot())
    assert not stopping.is_due()
    assert stopping.is_due()
    assert stopping.close() == Reason("late", 5)


@pytest.mark.parametrize(("device", "outcomes"), [("CPU", [False, True, False]), ("Ascend", [False, False, True])])
def test_ranks_read_a_vote_at_once_on_a_cpu_and_else_a_step_later(device: str, outcomes: list[bool]) -> None:
    vote = create_vote(World(0, 2), device)
    assert vote.needs_step
    read = []
    for value in (0.0, 0.5, 0.0):
        vote.count(share(value))
        read.append(vote.is_carried(True))
    assert read == outcomes


def test_a_rank_casts_its_wish_in_the_next_step_and_all_learn_the_reason() -> None:
    class Second(Group):
        def gather(self, value: Any) -> list[Any]:
            return [None, value]

    stopping = Stopping([Wanting(Reason("late", 5))], Second(World(1, 2)), CommonVote(0))
    assert float(stopping.ballot().asnumpy()) == 0
    stopping.vote.count(share(0.0))
    assert not stopping.is_due()
    assert float(stopping.ballot().asnumpy()) == 1
    assert stopping.wish == Reason("late", 5)


def test_a_signal_is_a_reason_and_the_last_one_is_dropped() -> None:
    with SignalReceived.held() as rule:
        assert rule.reason() is None
        signal.raise_signal(signal.SIGTERM)
        assert rule.reason() == Reason("SIGTERM", 143)
        assert rule.reason() == Reason("SIGTERM", 143)  # until the ranks have agreed
        signal.raise_signal(signal.SIGINT)  # has nothing left to stop, and raises no KeyboardInterrupt
    assert signal.sigpending() == set()
