"""The time of a fit."""

import time

import pytest

from mindcv_shufflenet.fitting.budget import Budget, Deadline
from mindcv_shufflenet.training.record.state import Progress


def test_a_budget_keeps_time_for_the_end() -> None:
    budget = Budget(100)
    budget.layers, budget.seconds_per_photo = 200, 0.01
    assert budget.reserve(0) > 20
    assert budget.reserve(100) == pytest.approx(budget.reserve(0) + 4)
    left = 100 - budget.reserve(0)  # half of it is for two passes
    assert budget.affordable == pytest.approx(left / 2 / 2 / 0.01, rel=0.01)
    late = Budget(1)
    late.seconds_per_photo = 0.01
    assert late.affordable == 0


def test_a_budget_may_have_begun_before() -> None:
    assert Budget(100, time.perf_counter() - 30).left == pytest.approx(70, abs=1)
    assert Budget(100).left == pytest.approx(100, abs=1)


def test_a_deadline_stops_between_and_within_epochs() -> None:
    over, ahead = Deadline(Budget(5), 6), Deadline(Budget(100), 6)
    assert over.reason() is not None
    assert over.has_stopped
    assert over.is_over(Progress(epoch=1))
    assert not over.is_over(Progress())
    assert ahead.reason() is None
    assert not ahead.is_over(Progress(epoch=1))
