"""What a training refuses or tells before its first step."""

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import train_loader
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.storage.run_directory import Classes, HeldOut
from mindcv_shufflenet.training.checks.before_start import (
    check_batch_norm,
    check_same_classes,
    class_notes,
    held_out_here,
    loader_notes,
    precision_notes,
    schedule_notes,
)


def split_of(images: int, *names: str) -> Split:
    """Some images of the first class of those names."""
    names = names or ("a",)
    source = Pixels(np.zeros((images, 32, 32, 3), np.uint8))
    return Split(source, np.zeros(images, np.int32), names, {name: index for index, name in enumerate(names)})


@pytest.mark.parametrize(
    ("images", "ranks", "options", "advice"),
    [
        (17, 1, {"batch_size": 4}, "(17 images, 4 a batch) has one image"),
        (17, 1, {"batch_size": 4}, "use --drop_remainder, another --batch_size, or --image_resize 33 or more"),
        (17, 2, {"batch_size": 4}, "use --drop_remainder, another"),
        (17, 1, {"batch_size": 1, "drop_remainder": True}, "use --batch_size 2 or more, or --image_resize 33"),
        (1, 1, {"batch_size": 4}, "use --image_resize 33 or more"),
        (17, 1, {"batch_size": 4, "drop_remainder": True}, None),
        (17, 1, {"batch_size": 4, "image_resize": 33}, None),
        (17, 1, {"batch_size": 5}, None),
        (17, 1, {"batch_size": 4, "image_resize": 64, "image_resize_schedule": ["64@0", "32@1"]}, "image_resize=32"),
        (17, 1, {"batch_size": 4, "auto_augment": "augmix", "aug_splits": 3}, None),
        (17, 2, {"batch_size": 4, "sync_bn": True}, None),
    ],
)
def test_one_value_a_channel_is_refused(images: int, ranks: int, options: dict[str, Any], advice: str | None) -> None:
    split = split_of(images)
    config = Config(**({"image_resize": 32, "drop_remainder": False} | options))
    loader = train_loader(config, split, 1, 0, ranks)
    network = nn.BatchNorm2d(1)
    network.stride = 32
    if advice is None:
        check_batch_norm(config, network, loader)
    else:
        with pytest.raises(UserError) as raised:
            check_batch_norm(config, network, loader)
        assert advice in str(raised.value)


def test_batch_norm_needs_two_values_a_channel() -> None:
    """What MindSpore does, which the check is for."""
    for images, is_finite in ((1, False), (2, True)):
        norm = nn.BatchNorm2d(1).set_train()
        norm(Tensor(np.arange(images).reshape(images, 1, 1, 1), ms.float32))
        assert np.isfinite(norm.moving_variance.asnumpy()).all() == is_finite


def test_a_decay_that_does_not_end_with_the_training_is_told() -> None:
    assert schedule_notes(parse_config({})) == []
    assert schedule_notes(parse_config({"decay_epochs": 87})) == []
    assert "ends at epoch 13" in schedule_notes(parse_config({"decay_epochs": 10}))[0]
    cycles = {"decay_epochs": 10, "num_cycles": 3, "epoch_size": 33}
    assert schedule_notes(parse_config(cycles)) == []
    assert "ends at epoch 13" in schedule_notes(parse_config(cycles | {"scheduler": "linear_decay"}))[0]
    assert schedule_notes(parse_config({"decay_epochs": 10, "scheduler": "constant"})) == []
    sizes = {"epoch_size": 20, "image_resize_schedule": ["32@0", "48@19", "64@20", "96@30"]}
    (told,) = schedule_notes(parse_config(sizes))
    assert told.startswith("image_resize_schedule: 64@20 96@30 is not reached")
    assert schedule_notes(parse_config(sizes | {"epoch_size": 31})) == []


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        ({"amp_level": "O2"}, True),
        ({"amp_level": "O2", "loss_scale": 1024}, False),
        ({"amp_level": "O2", "loss_scale_type": "auto"}, False),
        ({"amp_level": "O2", "loss_scale_type": "fixed"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_dynamic_scale_that_begins_at_one_is_told(options: dict[str, Any], is_told: bool) -> None:
    notes = precision_notes(parse_config({"loss_scale_type": "dynamic"} | options))
    assert ["--loss_scale 65536 is a usual start" in note for note in notes] == [True] * is_told


def test_images_that_fill_up_the_batches_of_the_ranks_are_told() -> None:
    for drop_remainder, told in ((False, ["an epoch reads 1 image once more"]), (True, [])):
        loader = train_loader(Config(batch_size=2, drop_remainder=drop_remainder), split_of(7), 1, 0, 2)
        assert [note.split(",")[0] for note in loader_notes(loader)] == told


def test_validation_on_other_classes_is_refused() -> None:
    check_same_classes(Config(), split_of(2, "a", "b"), split_of(3, "a", "b"))
    with pytest.raises(UserError, match="the classes of val are not those of train"):
        check_same_classes(Config(), split_of(2, "a", "b"), split_of(3, "b", "a"))


@pytest.mark.parametrize(
    ("names", "reset", "told"),
    [(("a", "b"), False, False), (("b", "a"), False, True), (("b", "a"), True, False), (("b", "a", "c"), False, False)],
)
def test_a_classifier_of_other_classes_is_told(names: tuple[str, ...], reset: bool, told: bool) -> None:
    config = Config(ckpt_path="m.ckpt", reset_classifier=reset)
    recorded = Classes(names, {name: index for index, name in enumerate(names)})
    notes = class_notes(config, split_of(2, "a", "b"), recorded)
    assert len(notes) == told
    assert all("m.ckpt was trained on other classes (b, a ...); its classifier is kept" in n for n in notes)


def test_images_that_the_first_weights_held_out_stay_out_in_the_same_folder(tmp_path: Path) -> None:
    held_out = HeldOut(0.25, 3, ("a/1.jpg", "b/2.jpg"))
    assert held_out_here(held_out, tmp_path) is None
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.jpg").touch()
    assert held_out_here(held_out, tmp_path) == held_out
    assert held_out_here(None, tmp_path) is None
