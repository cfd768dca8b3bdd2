"""The strings of policies and of size schedules: what is read, and which part is named where one is wrong."""

import pytest

from mindcv_shufflenet import cli
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.augmentation import Augmentation
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.policy import parse_policy
from mindcv_shufflenet.options.size_schedule import parse_stages, size_at
from mindcv_shufflenet.options.tables import notes_on_options


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("randaug", {"m": 10, "n": 2, "mstd": 0.5, "mmax": 10, "inc": 0, "w": -1}),
        ("randaug-m9-n3-mstd1.5-inc1-w0", {"m": 9, "n": 3, "mstd": 1.5, "mmax": 10, "inc": 1, "w": 0}),
        ("randaug-m15-mmax20", {"m": 15, "n": 2, "mstd": 0.5, "mmax": 20, "inc": 0, "w": -1}),
        ("autoaug-mstd0.25", {"mstd": 0.25}),
        ("autoaugr", {"mstd": 0.5}),
        ("3a-mstd0", {"mstd": 0}),
        ("trivialaugwide-m20", {"m": 20}),
        ("augmix-m3-w4-d-1-a0.5", {"m": 3, "w": 4, "d": -1, "a": 0.5}),
        ("augmix-d2", {"m": 3, "w": 3, "d": 2, "a": 1}),
    ],
)
def test_the_parts_of_a_policy(text: str, parts: dict[str, float]) -> None:
    policy = parse_policy(text)
    assert policy.name == text.split("-")[0]
    assert policy.parts == parts
    assert parse_config({"auto_augment": text}).auto_augment == text


WRONG = [
    ("randaug-m9-q2", "unknown part q2; randaug has m, n, mstd, mmax, inc and w"),
    ("randaug-m9-msdt1", r"unknown part msdt1 \(did you mean mstd\?\)"),
    ("autoaug-m9", r"unknown part m9.*; autoaug has mstd, each"),
    ("randag-m9", r"unknown policy randag \(did you mean randaug\?\)"),
    ("rand-m9-mstd0.5-inc1", r"unknown policy rand .*there are randaug, autoaug"),
    ("randaug-m9-", "unknown part -;"),
    ("randaug-n2.5", "wrong part n2.5: behind n stands a whole number, from 1 to 10"),
    ("randaug-m9-n", "wrong part n: "),
    ("randaug-n0", "wrong part n0"),
    ("randaug-m31", "wrong part m31"),
    ("randaug-m9-m8", "m stands there twice"),
    ("randaug-m12", "m12 is above the largest magnitude: add mmax12"),
    ("augmix-a0", "wrong part a0: behind a stands a number, from 0.001 to 1000"),
    ("augmix-w3.5x", "wrong part w3.5x"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_the_wrong_part_of_a_policy_is_named(text: str, message: str) -> None:
    for refuse in (lambda: parse_config({"auto_augment": text}), lambda: Augmentation(auto_augment=text)):
        with pytest.raises(UserError, match=f"^auto_augment={text}: {message}") as raised:
            refuse()
        assert "\n" not in str(raised.value)


def test_a_command_with_a_wrong_policy_ends_with_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--auto_augment", "randaug-m9-q2"], verb="train") == 2
    assert capfd.readouterr().err.startswith("error: auto_augment=randaug-m9-q2: unknown part q2; randaug has")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"aug_splits": 1, "auto_augment": "augmix"}, "aug_splits=1 is no split"),
        ({"aug_splits": 3}, "aug_splits=3 needs auto_augment"),
        ({"aug_splits": 3, "auto_augment": "augmix", "mixup": 0.2}, "aug_splits .* mixup and cutmix mix images"),
        ({"aug_splits": 3, "auto_augment": "augmix", "cutmix": 1}, "aug_splits .* mixup and cutmix mix images"),
        ({"loss": "JSD"}, "loss=JSD compares views of an image: give aug_splits 3"),
        ({"mixup_off_epoch": -1}, "mixup_off_epoch=-1"),
        ({"image_resize_schedule": []}, "image_resize_schedule=.*: give at least one stage"),
        ({"image_resize_schedule": ["128"]}, "128 is no stage: write SIZE@EPOCH"),
        ({"image_resize_schedule": ["128@0", "160@-3"]}, "160@-3 is no stage"),
        ({"image_resize_schedule": ["7@0"]}, "7@0: the size must be from 8 to 4096"),
        ({"image_resize_schedule": ["128@0", "4097@3"]}, "4097@3: the size must be from 8 to 4096"),
        ({"image_resize_schedule": ["128@1"]}, "the first stage is 128@1: it must begin at epoch 0, 128@0"),
        ({"image_resize_schedule": ["128@0", "160@9", "192@9"]}, "192@9 follows 160@9: the epochs must ascend"),
        (
            {"image_resize_schedule": ["16@0", "32@1"], "crop_padding": 16},
            "of 16 pixels out of sight.*at most 15",
        ),
    ],
)
def test_what_cannot_be_augmented_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_config(options)


def test_options_without_effect_are_told() -> None:
    options = {"auto_augment": "3a", "color_jitter": 0.4, "mixup_off_epoch": 3}
    (note,) = notes_on_options("train", parse_config(options), list(options))
    assert "color_jitter (needs auto_augment null" in note
    assert "mixup_off_epoch (needs mixup or cutmix)" in note
    assert not notes_on_options("train", parse_config({"mixup": 0.2, "mixup_off_epoch": 3}), ["mixup_off_epoch"])


def test_the_size_of_an_epoch() -> None:
    stages = parse_stages(["160@0", "128@2", "192@60"])
    assert [size_at(stages, epoch) for epoch in (0, 1, 2, 59, 60, 1000)] == [160, 160, 128, 128, 192, 192]
    assert parse_config({"image_resize_schedule": ["160@0", "128@2"]}).stages == [(160, 0), (128, 2)]
    assert parse_config({}).stages == [(224, 0)]
