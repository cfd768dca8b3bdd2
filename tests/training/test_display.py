"""What people see of a training."""

import io

import pytest
from rich.console import Console

from mindcv_shufflenet.training.display import Display, clock
from mindcv_shufflenet.training.record.state import Row

ROW = Row(3, 24, 0.04567, 1.23456, 56.789, 2.5, 43.21, 90.0, None, 123.4, 9.0)


def shown(row: Row, is_best: bool = False, *, is_terminal: bool = False) -> str:
    text = io.StringIO()
    display = Display(Console(file=text, width=200, force_terminal=is_terminal, color_system=None), 10, 8)
    with display.running(16):
        display.step(20, 2, 1.5, 99.6)
        display.epoch(row, is_best, 75.4 / 7)
    return text.getvalue()


def test_a_line_an_epoch() -> None:
    assert shown(ROW, is_best=True) == (
        "epoch  3/10  lr 0.0457  train loss 1.235 top-1 56.79 %  val loss 2.500 top-1 43.21 % (best)"
        "  123 images/s  1:15 left\n"
    )


def test_an_epoch_without_validation() -> None:
    row = Row(3, 24, 0.04567, 1.23456, 56.789, None, None, None, None, 123.4, 9.0)
    assert shown(row) == "epoch  3/10  lr 0.0457  train loss 1.235 top-1 56.79 %  123 images/s  1:15 left\n"


def test_an_epoch_with_an_average() -> None:
    row = Row(3, 24, 0.04567, 1.23456, 56.789, 2.5, 43.21, 90.0, 44.5, 123.4, 9.0)
    assert "  val loss 2.500 top-1 43.21 % (average 44.50 %) (best)  " in shown(row, is_best=True)


def test_a_bar_on_a_terminal() -> None:
    text = shown(ROW, is_terminal=True)
    assert "20/80" in text
    assert "epoch 3/10  loss 1.500  100 images/s" in text
    assert "epoch  3/10  lr 0.0457" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75.4, "1:15"), (3599, "59:59"), (3723, "1:02:03")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
