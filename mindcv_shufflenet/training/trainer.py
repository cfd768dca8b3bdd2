"""The training loop."""

import math
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

import mindspore as ms
import numpy as np
from mindspore import Tensor

from mindcv_shufflenet import signals
from mindcv_shufflenet.data.loader import Batch, Loader
from mindcv_shufflenet.data.seeds import Stream, generator
from mindcv_shufflenet.errors import Interrupted, RunError
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.training.display import Display
from mindcv_shufflenet.training.recorder import Recorder
from mindcv_shufflenet.training.state import Progress, Row, weights_checksum


class Trainer:
    """Trains until ``config.epoch_size`` epochs are done.

    Args:
        config: the resolved options.
        step: trains on images, labels and a dropout mask; gives loss and number of correct images. With several ranks
            it takes a vote as well, and gives the share of the ranks that voted to stop.
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
        self.group = current()
        # losses and hits of steps that the device may still be working on
        self.unread: list[tuple[Tensor, Tensor, int]] = []
        self.votes: list[Tensor] = []
        self.received: signal.Signals | None = None
        self.clock = 0.0

    def run(self) -> Progress:
        """Train, validate and record.

        Raises:
            Interrupted: a signal of ``signals.STOPPING``; the state is saved.
            RunError: the loss or a weight is not a number; the state of the last whole epoch is kept.
        """
        with signals.held(), self.display.running(self._steps_done()):
            while self.progress.epoch < self.config.epoch_size:
                self.clock = time.perf_counter()
                self._train_epoch()
                self._check_equality()
                train_seconds = self.progress.seconds
                metrics = self._validate() if self.validate and self._is_due() else None
                self._finish_epoch(metrics, train_seconds)
            signals.take()  # one that comes when all is done and saved has nothing left to stop
        return self.progress

    def _train_epoch(self) -> None:
        """Do the steps of an epoch that are not done yet."""
        progress = self.progress
        if progress.step < len(self.loader):
            for batch in self.loader.batches(progress.epoch, progress.step):
                mask = self._dropout_mask(len(batch.label))
                loss, correct = self._step(batch, mask)
                self.unread.append((loss, correct, len(batch.label) * self.group.world.size))
                progress.step += 1
                if progress.step % self.config.log_interval == 0 or self._bar_is_late():
                    self._read_losses()
                self._check_signals()
        self._read_losses()

    def _step(self, batch: Batch, mask: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """Do one step and return its loss and its number of correct images."""
        inputs = [Tensor(batch.image), Tensor(batch.label)]
        if self.group.world.size == 1:
            return self.step(*inputs, *([] if mask is None else [Tensor(mask)]))
        vote = Tensor(float(self.received is not None), ms.float32)
        loss, correct, stop = self.step(*inputs, None if mask is None else Tensor(mask), vote)
        self.votes.append(stop)
        return loss, correct

    def _bar_is_late(self) -> bool:
        """Whether a progress bar has stood still for a while; to read a loss makes a device wait, so not each step."""
        return self.display.bar is not None and time.perf_counter() - self.clock > 0.5

    def _dropout_mask(self, images: int) -> np.ndarray | None:
        """Draw the factors of the pooled features of one step: 0, or 1 / (1 - drop_rate).

        They are drawn for the images of all ranks, so that they do not depend on how these are shared out.
        """
        rate = self.config.drop_rate
        if not rate:
            return None
        world = self.group.world
        draw = generator(self.config.seed, Stream.DROPOUT, self._steps_done())
        kept = draw.random((images, world.size, self.num_features))[:, world.rank] >= rate
        return (kept / (1 - rate)).astype(np.float32)

    def _read_losses(self) -> None:
        """Add up what the device has computed, and stop if it is not a number."""
        progress = self.progress
        for loss, correct, images in self.unread:
            value = float(loss.asnumpy())
            if not math.isfinite(value):
                raise self.recorder.diverged(f"the loss became {value} in epoch {progress.epoch + 1}")
            progress.loss_sum += value * images
            progress.correct += round(float(correct.asnumpy()))
            progress.seen += images
        self._count_time()
        if self.unread:
            speed = progress.seen / progress.seconds
            self.display.step(self._steps_done(), progress.epoch, progress.loss_sum / progress.seen, speed)
            self.unread.clear()

    def _check_signals(self) -> None:
        """Save and leave if a signal has come, on several ranks if they have agreed that it has."""
        self.received = signals.take() or self.received
        if self._is_stopping():
            self._stop()

    def _is_stopping(self) -> bool:
        """Whether to stop now.

        What the ranks voted in a step is read one step later, so that nobody waits for the device. On a CPU it is read
        at once: the step is then done, in which the ranks have waited for each other, before they gather anything else.
        """
        if self.group.world.size == 1:
            return self.received is not None
        lag = 0 if self.config.device_target == "CPU" else 1
        return len(self.votes) > lag and float(self.votes.pop(0).asnumpy()) > 0

    def _stop(self) -> NoReturn:
        """Save the state and say where the training stands."""
        self._read_losses()
        self._check_equality()
        self.recorder.save_state(self.progress)
        received = next(filter(None, self.group.gather(self.received)))
        if self.group.world.size > 1:
            signals.ignore()  # the same signal may come later to this rank than to the one that has voted
        where = f"epoch {self.progress.epoch + 1}, step {self.progress.step} of {len(self.loader)}"
        raise Interrupted(
            f"{signal.Signals(received).name} in {where}; the state is saved in {self.recorder.state},"
            " --resume_opt goes on from there",
            128 + received,
        )

    def _check_equality(self) -> None:
        """Compare the weights of the ranks, which nothing may have made unequal.

        Raises:
            RunError: they differ; nothing is written.
        """
        sums = self.group.gather(weights_checksum(self.recorder.step))
        if len(set(sums)) > 1:
            rank = next(rank for rank, value in enumerate(sums) if value != sums[0])
            raise RunError(
                f"the weights of rank {rank} are not those of rank 0 after {self._steps_done()} steps, so the ranks"
                f" do not train one network; look at the memory and versions of its host, {self.group.hosts[rank]}."
                f" {self.recorder.state} holds the last state that was saved"
            )

    def _finish_epoch(self, metrics: Metrics | None, train_seconds: float) -> None:
        """Log and save a finished epoch."""
        progress = self.progress
        self._count_time()
        self.recorder.mend(progress)
        row = Row(
            epoch=progress.epoch + 1,
            step=self._steps_done(),
            lr=float(self.rates[self._steps_done() - 1]),
            train_loss=progress.loss_sum / progress.seen,
            train_top1=100 * progress.correct / progress.seen,
            val_loss=metrics.loss if metrics else None,
            val_top1=metrics.top1 if metrics else None,
            val_top5=metrics.top5 if metrics else None,
            ema_top1=None,
            images_per_second=round(progress.seen / train_seconds, 1),
            seconds=round(progress.seconds, 2),
        )
        is_best = False
        if metrics and (progress.best_top1 is None or metrics.top1 > progress.best_top1):
            is_best = True
            progress.best_top1, progress.best_epoch = metrics.top1, progress.epoch + 1
        progress.rows.append(row)
        progress.start_epoch()
        self.recorder.end_epoch(progress, is_best)
        mean = sum(done.seconds for done in progress.rows) / len(progress.rows)
        self.display.epoch(row, is_best, mean * (self.config.epoch_size - progress.epoch))

    def _validate(self) -> Metrics:
        """Validate; several ranks, which cannot agree meanwhile that a signal has come, save what they have before."""
        assert self.validate
        if self.group.world.size > 1:
            self.recorder.save_state(self.progress)
        return self.validate(self._check_signals)

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
