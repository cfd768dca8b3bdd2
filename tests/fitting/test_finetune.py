"""How a training is planned within a time."""

from pathlib import Path

import pytest

from mindcv_shufflenet.errors import Interrupted
from mindcv_shufflenet.fitting import finetune
from mindcv_shufflenet.fitting.budget import Budget, Deadline
from mindcv_shufflenet.fitting.finetune import EpochLines, Plan, Tuned, fine_tune, sped_up
from mindcv_shufflenet.fitting.layout import FitFolder
from mindcv_shufflenet.parallel.group import current
from mindcv_shufflenet.parallel.vote import Vote
from mindcv_shufflenet.training.rate_finder import RateSearch
from mindcv_shufflenet.training.record.state import Progress
from mindcv_shufflenet.training.stopping import EpochsDone, Stopping


def plan(images: int, short_side: int = 300, **options: object) -> Plan:
    return Plan({"batch_size": 32, **options}, ["stem", "stage2"], short_side, 224, images, 100, is_pretrained=True)


def budget(seconds: float) -> Budget:
    found = Budget(seconds)
    found.layers, found.seconds_per_photo = 208, 0.01
    return found


def test_with_little_time_images_are_smaller_and_then_early_stages_stay() -> None:
    told: list[str] = []
    assert sped_up(plan(100), budget(600), 50, told.append) == {}
    assert not told
    small = sped_up(plan(5000, 200), budget(500), 50, told.append)
    assert small == {"image_resize": 160, "crop_pct": 1.0}
    assert told == ["there is little time: images of 160 pixels"]
    assert sped_up(plan(50_000, 200), budget(500), 50, told.append) == {**small, "freeze": ["stem", "stage2"]}
    assert sped_up(plan(4000, 300), budget(500), 50, told.append) == {}  # the photos are larger than that
    assert sped_up(plan(4000, 200, image_resize=224), budget(500), 50, told.append) == {}
    assert sped_up(plan(4000)._replace(is_pretrained=False), budget(60), 50, told.append) == {}


def test_a_training_for_which_there_is_no_time_is_not_begun(tmp_path: Path) -> None:
    told: list[str] = []
    assert fine_tune(FitFolder(tmp_path, "model"), plan(100), budget(20), told.append) is None
    assert told == ["there is no time to train the other layers; give a longer --time"]


def test_a_training_that_the_time_ends_was_not_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[str] = []

    def train(_options: object, *, given: object, rules: list[Deadline]) -> None:
        rules[0].budget.seconds = 0
        reason = rules[0].reason()
        assert reason
        raise Interrupted(reason.text, reason.status)

    monkeypatch.setattr(finetune, "find_rate", lambda _: RateSearch(0.01, 0.1, 1.0, 10))
    monkeypatch.setattr(finetune, "train", train)
    assert fine_tune(FitFolder(tmp_path, "model"), plan(100), budget(600), told.append) == Tuned(None, 0, 0)
    assert told[-2:] == ["training for 30 epochs", "the training ends here, to keep within the time"]


def test_every_epoch_is_told_the_last_one_too() -> None:
    asked: list[int] = []

    class Asked(EpochLines):
        def is_over(self, progress: Progress) -> bool:
            asked.append(progress.epoch)
            return super().is_over(progress)

    stopping = Stopping([EpochsDone(2), Asked(print, 2)], current(), Vote())
    assert [stopping.is_over(Progress(epoch=epoch)) for epoch in range(3)] == [False, False, True]
    assert asked == [0, 1, 2]
