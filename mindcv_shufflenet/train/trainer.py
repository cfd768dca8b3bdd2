"""The training loop."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from mindspore import Tensor

from mindcv_shufflenet import signals
from mindcv_shufflenet.config import Config
from mindcv_shufflenet.data.loader import Loader
from mindcv_shufflenet.data.seeds import Stream, generator
from mindcv_shufflenet.errors import Interrupted
from mindcv_shufflenet.evaluate.metrics import Metrics
from mindcv_shufflenet.train.display import Display
from mindcv_shufflenet.train.recorder import Recorder
from mindcv_shufflenet.train.state import Progress


class Trainer:
    """Trains until ``config.epoch_size`` epochs are done.

    Args:
        config: the resolved options.
        step: trains on images, labels and a dropout mask; gives loss and number of correct images.
        loader: the training images.
        rates: learning rate of each step.
        validate: gives the metrics of the network as it is, calling what it is given after each batch; None: no
            validation.
        num_features: length of a dropout mask.
        recorder: writes the files.
        display: shows the progress.
        progress: where to begin.
    """

    def __init__(
        self,
        config: Config,
        step: Callable[..., Any],
        loader: Loader,
        rates: np.ndarray,
        validate: Callable[[Callable[[], None]], Metrics] | None,
        num_features: int,
        recorder: Recorder,
        display: Display,
        progress: Progress,
    ) -> None:
        self.config = config
        self.step = step
        self.loader = loader
        self.rates = rates
        self.validate = validate
        self.num_features = num_features
        self.recorder = recorder
        self.display = display
        self.progress = progress
        # losses and hits of steps that the device may still be working on
        self.unread: list[tuple[Tensor, Tensor, int]] = []
        self.clock = 0.0

    def run(self) -> Progress:
        """Train, validate and record.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the state is saved.
            RunError: the loss or a weight is not a number; the state of the last whole epoch is kept.
        """
        with signals.held(), self.display.running(self._steps_done()):
            while self.progress.epoch < self.config.epoch_size:
                self.clock = time.perf_counter()
                self._train_epoch()
                train_seconds = self.progress.seconds
                metrics = self.validate(self._check_signals) if self.validate and self._is_due() else None
                self._finish_epoch(metrics, train_seconds)
            signals.take()  # one that comes when all is done and saved has nothing left to stop
        return self.progress

    def _train_epoch(self) -> None:
        """Do the steps of an epoch that are not done yet."""
        progress = self.progress
        if progress.step < len(self.loader):
            for batch in self.loader.batches(progress.epoch, progress.step):
                mask = self._dropout_mask(len(batch.label))
                inputs = [Tensor(batch.image), Tensor(batch.label)] + ([Tensor(mask)] if mask is not None else [])
                loss, correct = self.step(*inputs)
                self.unread.append((loss, correct, len(batch.label)))
                progress.step += 1
                if progress.step % self.config.log_interval == 0 or self._bar_is_late():
                    self._read_losses()
                self._check_signals()
        self._read_losses()

    def _bar_is_late(self) -> bool:
        """Whether a progress bar has stood still for a while; to read a loss makes a device wait, so not each step."""
        return self.display.bar is not None and time.perf_counter() - self.clock > 0.5

    def _dropout_mask(self, images: int) -> np.ndarray | None:
        """Draw the factors of the pooled features of one step: 0, or 1 / (1 - drop_rate)."""
        rate = self.config.drop_rate
        if not rate:
            return None
        draw = generator(self.config.seed, Stream.DROPOUT, self._steps_done()).random((images, self.num_features))
        return ((draw >= rate) / (1 - rate)).astype(np.float32)

    def _read_losses(self) -> None:
        """Add up what the device has computed, and stop if it is not a number."""
        progress = self.progress
        for loss, correct, images in self.unread:
            value = float(loss.asnumpy())
            if not math.isfinite(value):
                raise self.recorder.diverged(f"the loss became {value} in epoch {progress.epoch + 1}")
            progress.loss_sum += value * images
            progress.correct += int(correct.asnumpy())
            progress.seen += images
        self._count_time()
        if self.unread:
            speed = progress.seen / progress.seconds
            self.display.step(self._steps_done(), progress.epoch, progress.loss_sum / progress.seen, speed)
            self.unread.clear()

    def _check_signals(self) -> None:
        """Save and leave if a signal has come."""
        received = signals.take()
        if received is None:
            return
        self._read_losses()
        self.recorder.save_state(self.progress)
        where = f"epoch {self.progress.epoch + 1}, step {self.progress.step} of {len(self.loader)}"
        raise Interrupted(
            f"{received.name} in {where}; the state is saved in {self.recorder.state}, --resume_opt goes on from there",
            128 + received,
        )

    def _finish_epoch(self, metrics: Metrics | None, train_seconds: float) -> None:
        """Log and save a finished epoch."""
        progress = self.progress
        self._count_time()
        row = {
            "epoch": progress.epoch + 1,
            "step": self._steps_done(),
            "lr": float(self.rates[self._steps_done() - 1]),
            "train_loss": progress.loss_sum / progress.seen,
            "train_top1": 100 * progress.correct / progress.seen,
            "val_loss": metrics.loss if metrics else None,
            "val_top1": metrics.top1 if metrics else None,
            "val_top5": metrics.top5 if metrics else None,
            "ema_top1": None,
            "images_per_second": round(progress.seen / train_seconds, 1),
            "seconds": round(progress.seconds, 2),
        }
        is_best = False
        if metrics and (progress.best_top1 is None or metrics.top1 > progress.best_top1):
            is_best = True
            progress.best_top1, progress.best_epoch = metrics.top1, progress.epoch + 1
        progress.rows.append(row)
        progress.start_epoch()
        self.recorder.end_epoch(progress, is_best)
        mean = sum(done["seconds"] for done in progress.rows) / len(progress.rows)
        self.display.epoch(row, is_best, mean * (self.config.epoch_size - progress.epoch))

    def _is_due(self) -> bool:
        """Whether this epoch is one that is validated; the last one always is."""
        epoch = self.progress.epoch + 1
        return epoch % self.config.val_interval == 0 or epoch == self.config.epoch_size

    def _steps_done(self) -> int:
        return self.progress.epoch * len(self.loader) + self.progress.step

    def _count_time(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self.clock
        self.clock = now
