"""The training loop with a step that computes nothing: epochs, the best one, divergence, stopping, agreement."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from rich.console import Console

from mindcv_shufflenet.data.loader import Batch
from mindcv_shufflenet.errors import Interrupted, RunError
from mindcv_shufflenet.evaluation.evaluator import Observer, Scored
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.parallel.group import Group
from mindcv_shufflenet.parallel.vote import CommonVote, Vote
from mindcv_shufflenet.parallel.world import World
from mindcv_shufflenet.training.display import Display
from mindcv_shufflenet.training.masks import create_masks
from mindcv_shufflenet.training.record.recorder import Recorder
from mindcv_shufflenet.training.record.state import Progress, load_state
from mindcv_shufflenet.training.stopping import EpochsDone, Reason, Rule, Stopping
from mindcv_shufflenet.training.trainer import Trainer
from mindcv_shufflenet.training.updates import Updates
from mindcv_shufflenet.training.validation import Validate, Validation
from tests.training.runs import MODEL, STEPS, run_in

IMAGES = 4
NO_MASKS = create_masks(0.0, 3, (), 0, World())
SCORED = Scored(np.zeros((1, 2), np.float32), np.zeros(1, np.int32))


class Loader:
    """Three batches of four images, each image the number of its batch."""

    def __len__(self) -> int:
        return STEPS

    def batches(self, epoch: int = 0, first: int = 0) -> Iterator[Batch]:
        for number in range(first, STEPS):
            image = np.full((IMAGES, 1, 1, 1), 10 * epoch + number, np.float32)
            yield Batch(image, np.zeros(IMAGES, np.int32), np.ones(IMAGES, bool))


class Step:
    """Gives a loss by the number of the call, three hits, and the vote as its outcome, or one of ``others``."""

    def __init__(self, loss: Callable[[int], float] = lambda _: 2.0, others: Sequence[float] = ()) -> None:
        self.loss = loss
        self.others = others
        self.images: list[int] = []
        self.masks: list[tuple[Tensor | None, Tensor | None]] = []
        self.updates: list[bool] = []
        self.overflows: set[int] = set()

    def __call__(
        self,
        image: Tensor,
        label: Tensor,
        dropout_mask: Tensor | None,
        path_mask: Tensor | None,
        vote: Tensor,
        is_update: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        number = len(self.images)
        self.updates.append(is_update)
        self.images.append(int(image.asnumpy().flat[0]))
        self.masks.append((dropout_mask, path_mask))
        outcome = Tensor(self.others[number], ms.float32) if number < len(self.others) else vote
        skipped = float(number in self.overflows)
        return Tensor(self.loss(number), ms.float32), Tensor(3.0, ms.float32), outcome, Tensor(skipped, ms.float32)


class Twins(Group):
    """Two ranks that always say the same, or one that says something else of its weights."""

    def __init__(self, is_equal: bool = True) -> None:
        super().__init__(World(0, 2), ["here", "there"])
        self.is_equal = is_equal

    def gather(self, value: Any) -> list[Any]:
        return [value, value if self.is_equal else 0]


class AfterCalls(Rule):
    """Wants to stop from the n-th time on that it is asked."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def reason(self) -> Reason | None:
        self.left -= 1
        return Reason("enough", 7) if self.left <= 0 else None


class Run:
    """A training in a folder.

    Attributes:
        progress: where it has come to.
        lines: what it has shown.
    """

    def __init__(self, folder: Path, locks: ExitStack, progress: Progress | None = None, **options: Any) -> None:
        self.progress = progress or Progress()
        self.recorder = locks.enter_context(Recorder.begin(run_in(folder, overwrite=True), self.progress))
        self.text = io.StringIO()
        self.options = options

    def validation(self, epochs: int) -> Validation | None:
        validate, average = (self.options.pop(name, None) for name in ("validate", "validate_average"))
        interval = self.options.pop("val_interval", 1)
        return Validation(validate, average, interval, epochs) if validate else None

    def train(
        self, step: Step, *rules: Rule, epochs: int = 2, vote: Vote | None = None, group: Group | None = None
    ) -> Progress:
        group = group or Group(World())
        trainer = Trainer(
            step,
            Loader(),  # type: ignore[arg-type]
            Updates(np.arange(100) / 10, STEPS, self.options.pop("accumulation", 1)),
            self.options.pop("masks", NO_MASKS),
            self.validation(epochs),
            self.recorder,
            Display(Console(file=self.text, width=200), epochs, STEPS),
            Stopping([EpochsDone(epochs), *rules], group, vote or Vote()),
            group,
            **self.options,
        )
        return trainer.run(self.progress)


def scores(*top1: float) -> Validate:
    """A validation that gives one top-1 after the other, and shows one batch to its observer."""
    left = [Metrics(100, int(value), 100, [0.5] * 100) for value in top1]

    def validate(observer: Observer) -> Metrics:
        observer(SCORED)
        return left.pop(0)

    return validate


@pytest.fixture
def locks() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_an_epoch_is_every_batch_once_and_its_row_the_mean(tmp_path: Path, locks: ExitStack) -> None:
    run, step = Run(tmp_path, locks, log_interval=2), Step(loss=float)
    progress = run.train(step)
    assert step.images == [0, 1, 2, 10, 11, 12]
    assert [(row.epoch, row.step, row.lr, row.train_loss, row.train_top1) for row in progress.rows] == [
        (1, 3, 0.2, 1.0, 75.0),
        (2, 6, 0.5, 4.0, 75.0),
    ]
    assert (progress.epoch, progress.step, progress.seen, progress.best_top1) == (2, 0, 0, None)
    assert [line.split("  ")[0] for line in run.text.getvalue().splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert load_state(tmp_path / f"{MODEL}-last.state").progress == progress
    assert not (tmp_path / f"{MODEL}-best.ckpt").exists()


def test_the_best_epoch_is_the_first_with_the_highest_top1(tmp_path: Path, locks: ExitStack) -> None:
    run = Run(tmp_path, locks, validate=scores(40, 60, 60, 50))
    progress = run.train(Step(), epochs=4)
    assert (progress.best_top1, progress.best_epoch) == (60, 2)
    assert [row.val_top1 for row in progress.rows] == [40, 60, 60, 50]
    assert ["(best)" in line for line in run.text.getvalue().splitlines()] == [True, True, False, False]


def test_every_so_many_epochs_and_the_last_are_validated(tmp_path: Path, locks: ExitStack) -> None:
    progress = Run(tmp_path, locks, validate=scores(10, 20, 30), val_interval=2).train(Step(), epochs=5)
    assert [row.val_top1 for row in progress.rows] == [None, 10, None, 20, 30]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_epoch(
    loss: float, tmp_path: Path, locks: ExitStack
) -> None:
    with pytest.raises(RunError, match=f"the loss became {loss} in epoch 2; try a lower --lr"):
        Run(tmp_path, locks).train(Step(loss=lambda number: loss if number == 4 else 1.0))
    assert load_state(tmp_path / f"{MODEL}-last.state").progress.epoch == 1


def test_a_rule_stops_inside_an_epoch_and_the_rest_follows(tmp_path: Path, locks: ExitStack) -> None:
    """On one rank right after the step in which it is met."""
    run, whole, parts = Run(tmp_path, locks), Step(loss=float), Step(loss=float)
    with pytest.raises(
        Interrupted, match=r"enough in epoch 2, step 2 of 3; the state is saved in .*last\.state"
    ) as stop:
        run.train(parts, AfterCalls(5))
    assert stop.value.status == 7
    saved = load_state(tmp_path / f"{MODEL}-last.state").progress
    assert (saved.epoch, saved.step, saved.seen, saved.correct, saved.loss_sum) == (1, 2, 8, 6, 4 * (3 + 4))
    run.progress = saved
    resumed = run.train(parts)
    with ExitStack() as others:
        undisturbed = Run(tmp_path / "other", others).train(whole)
    assert parts.images == whole.images
    assert [row.train_loss for row in resumed.rows] == [row.train_loss for row in undisturbed.rows]


def test_a_rule_stops_a_validation(tmp_path: Path, locks: ExitStack) -> None:
    with pytest.raises(Interrupted, match="enough in epoch 1, step 3 of 3"):
        Run(tmp_path, locks, validate=scores(50)).train(Step(), AfterCalls(4))
    saved = load_state(tmp_path / f"{MODEL}-last.state").progress
    assert (saved.epoch, saved.step, saved.rows) == (0, 3, [])


@pytest.mark.parametrize(("lag", "step"), [(0, 2), (1, 3)])
def test_ranks_stop_after_the_same_step_by_their_vote(lag: int, step: int, tmp_path: Path, locks: ExitStack) -> None:
    """Another rank has voted in the second step; this one learns of it at once, or one step later."""

    class Outvoted(Twins):
        def gather(self, value: Any) -> list[Any]:
            return [value, ["told", 3]] if value is None else super().gather(value)

    step_of_two = Step(others=[0.0, 0.5, 0.5])
    with pytest.raises(Interrupted, match=f"told in epoch 1, step {step} of 3"):
        Run(tmp_path, locks).train(step_of_two, vote=DeafToSignals(lag), group=Outvoted())
    assert len(step_of_two.images) == step
    saved = load_state(tmp_path / f"{MODEL}-last.state").progress
    assert (saved.step, saved.seen) == (step, 2 * IMAGES * step)


class DeafToSignals(CommonVote):
    """A vote whose end leaves this process's signals alone."""

    def close(self) -> None:
        """Do nothing."""


def test_ranks_save_before_they_validate_and_stop_later(tmp_path: Path, locks: ExitStack) -> None:
    """They cannot vote meanwhile: a wish is put to the next step's vote."""
    state = tmp_path / f"{MODEL}-last.state"
    saved = []

    def validate(observer: Observer) -> Metrics:
        saved.append(load_state(state).progress)
        return scores(50)(observer)

    with pytest.raises(Interrupted, match="enough in epoch 2, step 1 of 3"):
        Run(tmp_path, locks, validate=validate).train(Step(), AfterCalls(4), vote=DeafToSignals(0), group=Twins())
    assert [(progress.epoch, progress.step) for progress in saved] == [(0, 3)]


def test_ranks_whose_weights_differ_end_the_run(tmp_path: Path, locks: ExitStack) -> None:
    with pytest.raises(RunError, match="the weights of rank 1 are not those of rank 0 after 3 steps.* its host, there"):
        Run(tmp_path, locks).train(Step(), vote=DeafToSignals(0), group=Twins(is_equal=False))
    assert not (tmp_path / f"{MODEL}-last.ckpt").exists()


def test_each_step_has_its_masks(tmp_path: Path, locks: ExitStack) -> None:
    masks, step = create_masks(0.5, 3, (0.0, 0.5), 1, World()), Step()
    Run(tmp_path, locks, masks=masks).train(step)
    for number, given in enumerate(step.masks):
        for mask, drawn in zip(given, masks.draw(IMAGES, number), strict=True):
            assert mask is not None
            assert drawn is not None
            np.testing.assert_array_equal(mask.asnumpy(), drawn)


def test_an_update_follows_each_group_of_batches_and_the_last_one_of_an_epoch(tmp_path: Path, locks: ExitStack) -> None:
    step = Step()
    Run(tmp_path, locks, accumulation=2).train(step)
    assert step.updates == [False, True, True] * 2


def test_left_out_updates_are_counted_and_told_of(
    tmp_path: Path, locks: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    step = Step()
    step.overflows = {1, 2, 5}
    with caplog.at_level("INFO"):
        assert Run(tmp_path, locks).train(step, epochs=3).skipped == 3
    assert [record.getMessage() for record in caplog.records] == [
        "2 updates left out: gradients overflowed",
        "1 update left out: gradients overflowed",
    ]


def test_the_better_of_weights_and_average_makes_the_best_epoch(tmp_path: Path, locks: ExitStack) -> None:
    run = Run(tmp_path, locks, validate=scores(50, 60, 55), validate_average=scores(40, 58, 70))
    progress = run.train(Step(), epochs=3)
    assert [(row.val_top1, row.ema_top1) for row in progress.rows] == [(50, 40), (60, 58), (55, 70)]
    assert (progress.best_top1, progress.best_epoch) == (70, 3)
