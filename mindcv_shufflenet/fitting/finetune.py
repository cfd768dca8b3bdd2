"""Training after the first classifier: how fast to learn, what to train and for how long."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted, RunError
from mindcv_shufflenet.fitting.budget import SLACK, Budget, Deadline
from mindcv_shufflenet.fitting.layout import FitFolder
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.report.run import read_log
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.training.rate_finder import RateSearch, find_rate
from mindcv_shufflenet.training.record.state import Progress
from mindcv_shufflenet.training.stopping import Rule
from mindcv_shufflenet.training.train import train

# What all trainings have in common.
_COMMON = {
    "dataset": "folder", "mode": 0, "opt": "adamw", "weight_decay": 0.05, "weight_decay_filter": "norm_and_bias",
    "scheduler": "one_cycle", "min_lr": 0.0, "warmup_epochs": 0, "label_smoothing": 0.1, "color_jitter": 0.2,
    "keep_checkpoint_max": 0, "tensorboard": False, "report": False, "overwrite": True, "drop_remainder": True,
}  # fmt: skip
# From pretrained weights, and from nothing; the last number is the most epochs that help.
_PRETRAINED, _MOST_PRETRAINED = {"layer_decay": 0.8, "scale": [0.35, 1.0]}, 30
_SCRATCH, _MOST_SCRATCH = {"scale": [0.25, 1.0]}, 300
# With time for fewer than six epochs, images have five sevenths of the size, unless the photos are larger than the
# network's images; for fewer than three, only the last stage is trained.
_FULL_SIZE_EPOCHS, _ALL_STAGES_EPOCHS, _SMALLER_SIZE = 6, 3, 5 / 7
# How long a photo takes in a training step, in the time of its features, and seconds of the search for the rate.
_STEP, _SEARCH = 3.0, 20.0
# Seconds of validation of a photo, as a share of those of training on it, and of saving after an epoch.
_VALIDATION, _SAVING = 0.4, 0.3


class Tuned(NamedTuple):
    """What a training has left.

    Attributes:
        top1: the best validation top-1, in percent; None if none was validated.
        epochs: that are done.
        best_epoch: of them, the one with ``top1``; 0: there is none.
        interrupted: exit status of the signal that has stopped it; 0: none has.
    """

    top1: float | None
    epochs: int
    best_epoch: int
    interrupted: int = 0


class Plan(NamedTuple):
    """What is to be trained on what.

    Attributes:
        options: of the training, by name.
        early: names of the stages that stay as they are if there is little time.
        short_side: of a usual photo, in pixels.
        image_resize: of the weights, in pixels.
        images: photos of training.
        val_images: photos of validation.
        is_pretrained: whether the weights were trained before.
    """

    options: Mapping[str, Any]
    early: list[str]
    short_side: int
    image_resize: int
    images: int
    val_images: int
    is_pretrained: bool


class EpochLines(Rule):
    """Tells how good each epoch has been; it stops nothing.

    Args:
        say: shows a line.
        epochs: how many there will be.
    """

    def __init__(self, say: Callable[[str], None], epochs: int) -> None:
        self.say = say
        self.epochs = epochs

    def is_over(self, progress: Progress) -> bool:
        top1 = progress.rows[-1].val_top1 if progress.rows else None
        if top1 is not None:
            best = "" if progress.best_epoch == progress.epoch else f", at best {progress.best_top1:.1f} %"
            self.say(f"epoch {progress.epoch} of {self.epochs}: right on {top1:.1f} %{best}")
        return False


def fine_tune(files: FitFolder, plan: Plan, budget: Budget, say: Callable[[str], None]) -> Tuned | None:
    """Train all layers, or the last ones, for as many epochs as there is time.

    Args:
        files: of the fit.
        plan: what is to be trained.
        budget: the time.
        say: shows a line.

    Returns:
        None where there is no time for it.
    """
    kind, most = (_PRETRAINED, _MOST_PRETRAINED) if plan.is_pretrained else (_SCRATCH, _MOST_SCRATCH)
    own: dict[str, Any] = {**_COMMON, **kind, **plan.options, "ckpt_save_dir": str(files.training)}
    own["batch_size"] = min(own["batch_size"], plan.images)
    reserve = budget.reserve(plan.val_images)
    what = "train the other layers" if plan.is_pretrained else "train for an epoch"
    no_time = f"there is no time to {what}; give a longer --time"
    if plan.is_pretrained and budget.left - reserve < _SEARCH / 2:
        say(no_time)
        return None
    own |= sped_up(plan, budget, reserve, say)
    deadline = Deadline(budget, reserve - SLACK * budget.seconds)
    try:
        with signals.held():
            say("trying how fast it can learn")
            search = find_rate(own)
            epochs = _epochs(search, plan, own["batch_size"], budget.left - reserve)
            if epochs < 1:
                say(no_time)
                return None
            own |= {"lr": search.rate, "epoch_size": min(epochs, most)}
            say(f"training for {counted(own['epoch_size'], 'epoch')}")
            result = train(own, given=(), rules=[deadline, EpochLines(say, own["epoch_size"])])
            tuned = Tuned(result.best_top1, result.epochs, result.best_epoch or 0)
    except Interrupted as error:
        tuned = Tuned(*_best(files), interrupted=0 if deadline.has_stopped else error.status)
    except RunError as error:
        say(f"the training has failed: {error}")
        tuned = Tuned(*_best(files))
    if deadline.has_stopped and tuned.epochs < own["epoch_size"]:
        say("the training ends here, to keep within the time")
    return tuned


def sped_up(plan: Plan, budget: Budget, reserve: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return options that make a step faster, where there is time for few epochs, and say what they change."""
    if not plan.is_pretrained:
        return {}
    options: dict[str, Any] = {}
    epochs = (budget.left - reserve - _SEARCH) / (_STEP * budget.seconds_per_photo * plan.images)
    if epochs < _FULL_SIZE_EPOCHS and "image_resize" not in plan.options and plan.short_side <= plan.image_resize:
        size = max(32, round(_SMALLER_SIZE * plan.image_resize / 32) * 32)
        if size < plan.image_resize:
            options |= {"image_resize": size, "crop_pct": 1.0}
            say(f"there is little time: images of {size} pixels")
            epochs *= (plan.image_resize / size) ** 2
    if epochs < _ALL_STAGES_EPOCHS:
        options |= {"freeze": plan.early}
        say("there is little time: the last stage alone is trained")
    return options


def _epochs(search: RateSearch, plan: Plan, batch_size: int, seconds: float) -> int:
    """Return how many epochs fit into a time, with their validation."""
    of_image = search.seconds_per_step / batch_size
    of_epoch = search.steps_per_epoch * search.seconds_per_step + _VALIDATION * plan.val_images * of_image + _SAVING
    return int((seconds - search.seconds_to_start) / of_epoch)


def _best(files: FitFolder) -> tuple[float | None, int, int]:
    """Return the best validation top-1 of a training that was cut off, its epochs, and the best one of them."""
    log = RunDirectory(files.training).log
    scores = [epoch.score for epoch in read_log(log)] if log.is_file() else []
    known = {number: score for number, score in enumerate(scores, 1) if score is not None}
    best = max(known, key=known.__getitem__, default=0)
    return known.get(best), len(scores), best
