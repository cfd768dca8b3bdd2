"""When a training stops: its rules, and the ranks' vote on them."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from mindspore import Tensor

from mindcv_shufflenet import signals
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import Group
from mindcv_shufflenet.parallel.vote import Vote
from mindcv_shufflenet.training.record.state import Progress


class Reason(NamedTuple):
    """Why a training stops inside an epoch: a few words, and the exit status."""

    text: str
    status: int


class Rule:
    """A rule that may stop a training; a subclass answers one of the two questions, or both."""

    def is_over(self, _progress: Progress) -> bool:
        """Whether the training is complete. The first rank's answer counts.

        Asked once before each epoch and once after the last one.
        """
        return False

    def reason(self) -> Reason | None:
        """Return why this rank wants to stop now, or None. Asked after each step; the ranks vote on it."""
        return None


class EpochsDone(Rule):
    """Stops when all epochs are done."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def is_over(self, progress: Progress) -> bool:
        return progress.epoch >= self.epochs


class EarlyStopping(Rule):
    """Stops when the best validation top-1 has not risen for some epochs, after an epoch that was validated.

    Args:
        epochs: how many; 0: never.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def is_over(self, progress: Progress) -> bool:
        if not self.epochs or not progress.best_epoch or progress.rows[-1].val_top1 is None:
            return False
        return progress.epoch - max(progress.best_epoch, progress.patient_from) >= self.epochs


def ends(config: Config) -> list[Rule]:
    """Return the rules by which a training is complete."""
    return [EpochsDone(config.epoch_size), EarlyStopping(config.early_stopping)]


def is_complete(config: Config, progress: Progress) -> bool:
    """Whether nothing is left to train."""
    return any(rule.is_over(progress) for rule in ends(config))


def given_more_epochs(progress: Progress, stopped: Config, now: Config) -> Progress:
    """Let early stopping count anew where it had ended a training that now has more epochs."""
    is_extended = EarlyStopping(stopped.early_stopping).is_over(progress) and now.epoch_size > stopped.epoch_size
    return replace(progress, patient_from=progress.epoch) if is_extended else progress


def describe_end(config: Config, progress: Progress) -> str:
    """Say why a training is complete."""
    if EarlyStopping(config.early_stopping).is_over(progress) and progress.epoch < config.epoch_size:
        return (
            f"early_stopping ended the training after epoch {progress.epoch} of {config.epoch_size}: the best top-1,"
            f" {progress.best_top1:.3f} %, is of epoch {progress.best_epoch}"
        )
    if progress.epoch < config.epoch_size:
        return f"a rule ended the training after epoch {progress.epoch} of {config.epoch_size}"
    more = f" (the run has {progress.epoch})" if progress.epoch > config.epoch_size else ""
    return f"{counted(config.epoch_size, 'epoch')} done{more}"


class SignalReceived(Rule):
    """Stops when a signal of ``signals.STOPPING`` has come; exit status 128 + its number."""

    received: signal.Signals | None = None

    def reason(self) -> Reason | None:
        self.received = signals.take() or self.received
        return Reason(self.received.name, 128 + self.received) if self.received else None

    @classmethod
    @contextmanager
    def held(cls) -> Iterator["SignalReceived"]:
        """Hold the signals back while a training runs, and give the rule that looks for them."""
        with signals.held():
            yield cls()
            signals.take()  # one that comes when all is done and saved has nothing left to stop


class Stopping:
    """The rules of a training.

    Args:
        rules: each may stop the training.
        group: the ranks.
        vote: decides where the ranks may answer differently.
    """

    def __init__(self, rules: Sequence[Rule], group: Group, vote: Vote) -> None:
        self.rules = rules
        self.group = group
        self.vote = vote
        self.wish: Reason | None = None

    def is_over(self, progress: Progress) -> bool:
        """Whether the training is complete after the present epoch, as the first rank sees it."""
        answers = [rule.is_over(progress) for rule in self.rules]  # each one is asked
        return bool(self.group.gather(any(answers))[0])

    @property
    def needs_step(self) -> bool:
        """Whether the ranks can only agree in a training step, and not while they validate."""
        return self.vote.needs_step

    def count(self, share: Tensor) -> None:
        """Take the outcome of a training step: the share of the ranks that voted to stop, ``[] float32``."""
        self.vote.count(share)

    def ballot(self) -> Tensor:
        """Return this rank's vote for a training step."""
        return self.vote.ballot(self.wish is not None)

    def is_due(self) -> bool:
        """Whether all ranks stop now, inside an epoch. Asked after each step, and each batch of a validation."""
        self.wish = next(filter(None, (rule.reason() for rule in self.rules)), None)
        return self.vote.is_carried(self.wish is not None)

    def close(self) -> Reason:
        """Return why the ranks stop, the same on all, after :meth:`is_due` has said that they do."""
        reason = Reason(*next(filter(None, self.group.gather(self.wish))))
        self.vote.close()
        return reason
