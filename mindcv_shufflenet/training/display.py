"""What people see of a training: a progress bar on a terminal, one line an epoch elsewhere."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mindcv_shufflenet.training.record.state import Row


class Display:
    """Shows how a training goes on.

    Args:
        console: where to write.
        epochs: of the whole training.
        steps_per_epoch: steps of one epoch.
    """

    def __init__(self, console: Console, epochs: int, steps_per_epoch: int) -> None:
        self.console = console
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.bar = _bar(console) if console.is_terminal else None

    def running(self, done: int) -> AbstractContextManager[Any]:
        """Show the bar while the training runs, from ``done`` steps on."""
        if self.bar is None:
            return nullcontext()
        self.task = self.bar.add_task("", total=self.epochs * self.steps_per_epoch, completed=done, detail="compiling")
        return self.bar

    def step(self, done: int, epoch: int, loss: float, images_per_second: float) -> None:
        """Move the bar to ``done`` steps of the whole training."""
        if self.bar:
            detail = f"epoch {epoch + 1}/{self.epochs}  loss {loss:.3f}  {images_per_second:.0f} images/s"
            self.bar.update(self.task, completed=done, detail=detail)

    def epoch(self, row: Row, is_best: bool, mean_seconds: float) -> None:
        """Write the line of a finished epoch, with the time that those to come take at so many seconds each."""
        seconds_left = mean_seconds * (self.epochs - row.epoch)
        width = len(str(self.epochs))
        parts = [
            f"epoch {row.epoch:{width}}/{self.epochs}",
            f"lr {row.lr:.3g}",
            f"train loss {row.train_loss:.3f} top-1 {row.train_top1:.2f} %",
        ]
        if row.val_top1 is not None:
            average = f" (average {row.ema_top1:.2f} %)" if row.ema_top1 is not None else ""
            best = " (best)" if is_best else ""
            parts.append(f"val loss {row.val_loss:.3f} top-1 {row.val_top1:.2f} %{average}{best}")
        parts += [f"{row.images_per_second:.0f} images/s", f"{clock(seconds_left)} left"]
        self.console.print("  ".join(parts))


def clock(seconds: float) -> str:
    """Spell a time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}"),
        console=console,
        transient=True,
    )
