"""The time that fitting may take."""

import time

from mindcv_shufflenet.training.record.state import Progress
from mindcv_shufflenet.training.stopping import Reason, Rule

# Seconds that a fit may take.
MIN_SECONDS, MAX_SECONDS = 60, 7 * 24 * 3600
# The shares of the time that may go into looking at the photos, trying how strongly a classifier is regularised, and
# looking for wrong labels.
SCAN_SHARE, HEAD_SHARE, LABELS_SHARE = 0.3, 0.05, 0.1
# The share of it by which a training may overrun its plan before it is cut off.
SLACK = 0.04
# What comes after the training takes seconds for each layer (most of them for int8), the time of 1500 photos, and that
# of four passes over the validation photos.
_FINISH_LAYER, _FINISH_PHOTOS, _FINISH_PASSES = 0.11, 1500, 4
# Each photo is read about twice outside the training, and these passes may take half of the time.
_PASSES, _PASSES_SHARE = 2, 0.5


class Budget:
    """A time that has begun.

    Args:
        seconds: all of it.
        begin: reading of ``time.perf_counter`` at its beginning; None: now.

    Attributes:
        layers: of the network; set where it is known.
        seconds_per_photo: that reading one and computing the network for it take; set where it has been measured.
    """

    def __init__(self, seconds: float, begin: float | None = None) -> None:
        self.seconds = seconds
        self.layers = 0
        self.seconds_per_photo = 0.0
        self.begin = time.perf_counter() if begin is None else begin

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.begin

    @property
    def left(self) -> float:
        """Seconds to the end; below 0 after it."""
        return self.seconds - self.spent

    @property
    def affordable(self) -> int:
        """How many photos there is time for."""
        seconds = _PASSES_SHARE * (self.left - self.reserve(0))
        return max(0, int(seconds / (_PASSES * self.seconds_per_photo)))

    def reserve(self, images: int) -> float:
        """Return the seconds of what comes after the training, with so many photos for validation."""
        return _FINISH_LAYER * self.layers + (_FINISH_PHOTOS + _FINISH_PASSES * images) * self.seconds_per_photo


class Deadline(Rule):
    """Stops a training when a budget has so many seconds left: between two epochs, or within one.

    Args:
        budget: of all the work.
        reserve: seconds that what comes after the training takes.
    """

    def __init__(self, budget: Budget, reserve: float) -> None:
        self.budget = budget
        self.reserve = reserve
        self.has_stopped = False

    def is_over(self, progress: Progress) -> bool:
        return progress.epoch > 0 and self._is_reached()

    def reason(self) -> Reason | None:
        return Reason("the time is over", 0) if self._is_reached() else None

    def _is_reached(self) -> bool:
        self.has_stopped = self.has_stopped or self.budget.left < self.reserve
        return self.has_stopped
