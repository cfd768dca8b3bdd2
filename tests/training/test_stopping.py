"""Rules that stop a training, and the vote of the ranks on them."""

import signal
from typing import Any

import mindspore as ms
import pytest
from mindspore import Tensor

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import Group
from mindcv_shufflenet.parallel.vote import CommonVote, Vote, create_vote
from mindcv_shufflenet.parallel.world import World
from mindcv_shufflenet.training.record.state import Progress, Row
from mindcv_shufflenet.training.stopping import (
    EarlyStopping,
    EpochsDone,
    Reason,
    Rule,
    SignalReceived,
    Stopping,
    describe_end,
    given_more_epochs,
    is_complete,
)


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


def validated(*top1: float | None) -> Progress:
    """A training after so many epochs, of which those with a top-1 were validated."""
    rows = [Row(n, n, 0.1, 1.0, 50.0, None, value, None, None, 9.0, 1.0) for n, value in enumerate(top1, 1)]
    best = max((value for value in top1 if value is not None), default=None)
    epoch = 1 + top1.index(best) if best is not None else None
    return Progress(epoch=len(rows), rows=rows, best_top1=best, best_epoch=epoch)


@pytest.mark.parametrize(
    ("top1", "is_over"),
    [
        ((), False),
        ((None, None, None), False),
        ((50, 40), False),
        ((50, 40, 50), True),  # a tie is no rise
        ((50, 40, 51), False),
        ((None, 50, None, 40), True),  # two epochs, not two validations
        ((50, None, None), False),  # not before an epoch that is validated
    ],
)
def test_early_stopping_counts_epochs_since_the_best(top1: tuple[float | None, ...], is_over: bool) -> None:
    assert EarlyStopping(2).is_over(validated(*top1)) is is_over
    assert not EarlyStopping(0).is_over(validated(*top1))


def test_a_training_that_was_stopped_early_goes_on_with_more_epochs_and_counts_anew() -> None:
    stopped, longer = Config(early_stopping=2, epoch_size=5), Config(early_stopping=2, epoch_size=9)
    progress = validated(50, 40, 40)
    assert is_complete(stopped, progress)
    assert describe_end(stopped, progress) == (
        "early_stopping ended the training after epoch 3 of 5: the best top-1, 50.000 %, is of epoch 1"
    )
    assert describe_end(Config(epoch_size=5), progress) == "a rule ended the training after epoch 3 of 5"
    assert is_complete(stopped, given_more_epochs(progress, stopped, stopped))
    assert not is_complete(Config(epoch_size=5), progress)
    extended = given_more_epochs(progress, stopped, longer)
    assert not is_complete(longer, extended)
    extended.rows += validated(40, 40).rows
    extended.epoch = 5
    assert is_complete(longer, extended)


def test_the_ranks_end_when_the_first_does() -> None:
    class Second(Group):
        def gather(self, value: Any) -> list[Any]:
            return [True, value]

    assert Stopping([EpochsDone(3)], Second(World(1, 2)), Vote()).is_over(Progress(epoch=1))


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
