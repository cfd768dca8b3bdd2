"""The training loop."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from mindspore import Tensor

from mindcv_shufflenet.data.loader import Batch, Loader
from mindcv_shufflenet.errors import Interrupted, RunError
from mindcv_shufflenet.evaluation.evaluator import Scored
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.parallel.group import Group
from mindcv_shufflenet.training.display import Display
from mindcv_shufflenet.training.masks import Masks
from mindcv_shufflenet.training.record.recorder import Recorder
from mindcv_shufflenet.training.record.state import Progress, Row, weights_checksum
from mindcv_shufflenet.training.stopping import Stopping
from mindcv_shufflenet.training.updates import Updates
from mindcv_shufflenet.training.validation import Scores, Validation

_logger = logging.getLogger(__name__)

# Seconds after which a progress bar shows the present step, whatever the log interval.
_BAR_SECONDS = 0.5


class Trainer:
    """Trains until a stopping rule is met.

    Args:
        step: one training step, as :class:`training.step.TrainStep`.
        loader: the training images.
        updates: which steps end with an update, and its learning rate.
        masks: of dropout and stochastic depth in each step.
        validation: of the weights; None: there is none.
        recorder: writes the files.
        display: shows the progress.
        stopping: says when to stop.
        group: the ranks that train together.
        judge: gives a line for each thing that the rows of the epochs so far show to be wrong.
        log_interval: steps from one look at the loss to the next.
    """

    def __init__(
        self,
        step: Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]],
        loader: Loader,
        updates: Updates,
        masks: Masks,
        validation: Validation | None,
        recorder: Recorder,
        display: Display,
        stopping: Stopping,
        group: Group,
        judge: Callable[[Sequence[Row]], list[str]] = lambda _: [],
        log_interval: int = 100,
    ) -> None:
        self.step = step
        self.loader = loader
        self.updates = updates
        self.masks = masks
        self.validation = validation
        self.recorder = recorder
        self.display = display
        self.stopping = stopping
        self.group = group
        self.judge = judge
        self.log_interval = log_interval
        self.progress = Progress()
        # loss, hits and left-out updates of steps that the device may still be working on, and their images
        self.unread: list[tuple[Tensor, Tensor, Tensor, int]] = []
        self.clock = 0.0

    def run(self, progress: Progress) -> Progress:
        """Train, validate and record.

        Args:
            progress: where to begin; it is changed as the training goes on.

        Returns:
            Where the training has ended.

        Raises:
            Interrupted: a rule has stopped the training inside an epoch; the state is saved.
            RunError: the loss or a weight is not a number; the state of the last whole epoch is kept.
        """
        self.progress = progress
        with self.display.running(self._steps_done()):
            while not self.stopping.is_over(progress):
                self.clock = time.perf_counter()
                skipped = progress.skipped
                self._train_epoch()
                if progress.skipped > skipped:
                    _logger.info(f"{counted(progress.skipped - skipped, 'update')} left out: gradients overflowed")
                self._check_equality()
                train_seconds = progress.seconds
                scores = self._validate()
                self._finish_epoch(scores, train_seconds)
        return progress

    def _train_epoch(self) -> None:
        """Do the steps of an epoch that are not done yet."""
        progress = self.progress
        if progress.step < len(self.loader):
            for batch in self.loader.batches(progress.epoch, progress.step):
                self._train_step(batch)
                if progress.step % self.log_interval == 0 or self._bar_is_late():
                    self._read_losses()
                self._stop_if_due()
        self._read_losses()

    def _train_step(self, batch: Batch) -> None:
        images = len(batch.label)
        masks = [None if mask is None else Tensor(mask) for mask in self.masks.draw(images, self._steps_done())]
        is_update = self.updates.ends_group(self.progress.step)
        loss, correct, stop, skipped = self.step(
            Tensor.from_numpy(batch.image),
            Tensor.from_numpy(batch.label),
            *masks,
            self.stopping.ballot(),
            is_update,
        )
        self.stopping.count(stop)
        self.unread.append((loss, correct, skipped, images * self.group.world.size))
        self.progress.step += 1

    def _bar_is_late(self) -> bool:
        """Whether the progress bar is stale. Reading a loss makes the device wait, so not every step does."""
        return self.display.bar is not None and time.perf_counter() - self.clock > _BAR_SECONDS

    def _read_losses(self) -> None:
        """Add up the losses and hits that the device has computed; a loss that is not a number ends the run."""
        progress = self.progress
        for loss, correct, skipped, images in self.unread:
            value = float(loss.asnumpy())
            if not math.isfinite(value):
                raise self.recorder.diverged(f"the loss became {value} in epoch {progress.epoch + 1}")
            progress.loss_sum += value * images
            progress.correct += round(float(correct.asnumpy()))
            progress.seen += images
            progress.skipped += round(float(skipped.asnumpy()))
        self._count_time()
        if self.unread:
            speed = progress.seen / progress.seconds
            self.display.step(self._steps_done(), progress.epoch, progress.loss_sum / progress.seen, speed)
            self.unread.clear()

    def _stop_if_due(self) -> None:
        if self.stopping.is_due():
            self._stop()

    def _stop(self) -> NoReturn:
        """Save the state and say where the training stands."""
        self._read_losses()
        self._check_equality()
        self.recorder.save_state(self.progress)
        reason = self.stopping.close()
        where = f"epoch {self.progress.epoch + 1}, step {self.progress.step} of {len(self.loader)}"
        raise Interrupted(
            f"{reason.text} in {where}; the state is saved in {self.recorder.state}, --resume_opt goes on from there",
            reason.status,
        )

    def _check_equality(self) -> None:
        """Compare the weights of the ranks, which must be equal.

        Raises:
            RunError: they differ; nothing is written.
        """
        sums = self.group.gather(weights_checksum(self.recorder.step.state_parameters()))
        if len(set(sums)) > 1:
            rank = next(rank for rank, value in enumerate(sums) if value != sums[0])
            raise RunError(
                f"the weights of rank {rank} are not those of rank 0 after {counted(self._steps_done(), 'step')}, so"
                " the ranks do not train one network; look at the memory and versions of its host,"
                f" {self.group.hosts[rank]}. {self.recorder.state} holds the last state that was saved"
            )

    def _finish_epoch(self, scores: Scores | None, train_seconds: float) -> None:
        """Log and save a finished epoch."""
        metrics, average = scores or (None, None)
        progress = self.progress
        self._count_time()
        self.recorder.mend(progress)
        row = Row(
            epoch=progress.epoch + 1,
            step=self._steps_done(),
            lr=self.updates.last_rate(progress.epoch + 1),
            train_loss=progress.loss_sum / progress.seen,
            train_top1=100 * progress.correct / progress.seen,
            val_loss=metrics.loss if metrics else None,
            val_top1=metrics.top1 if metrics else None,
            val_top5=metrics.top5 if metrics else None,
            ema_top1=average.top1 if average else None,
            images_per_second=round(progress.seen / train_seconds, 1),
            seconds=round(progress.seconds, 2),
        )
        is_best = False
        if scores and (progress.best_top1 is None or scores.top1 > progress.best_top1):
            is_best = True
            progress.best_top1, progress.best_epoch = scores.top1, progress.epoch + 1
        progress.rows.append(row)
        progress.start_epoch()
        self.recorder.end_epoch(progress, is_best, scores is not None and scores.is_average_better)
        mean = sum(done.seconds for done in progress.rows) / len(progress.rows)
        self.display.epoch(row, is_best, mean)
        for line in self.judge(progress.rows):
            _logger.warning(line)

    def _validate(self) -> Scores | None:
        """Validate the epoch if it is due; ranks that cannot agree to stop meanwhile save their state before."""
        if self.validation is None or not self.validation.is_due(self.progress.epoch + 1):
            return None
        if self.stopping.needs_step:
            self.recorder.save_state(self.progress)

        def observe(_: Scored) -> None:
            self._stop_if_due()

        return self.validation.run(observe)

    def _steps_done(self) -> int:
        return self.progress.epoch * len(self.loader) + self.progress.step

    def _count_time(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self.clock
        self.clock = now
