"""``image_resize_schedule``: the size of training images by epoch, such as ``128@0 160@30 192@60``.

Training begins with small images, which are faster, and ends with large ones.
Source: Tan and Le 2021, "EfficientNetV2", arXiv:2104.00298, section 4; Touvron et al. 2019, "Fixing the train-test
resolution discrepancy", arXiv:1906.06423, for training and validation sizes that differ.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

SMALLEST, LARGEST = 8, 4096


class Stage(NamedTuple):
    """The size of training images from an epoch on; both are whole numbers, the epoch from 0."""

    size: int
    epoch: int


def parse_stages(texts: Sequence[str]) -> list[Stage]:
    """Read the stages of a schedule.

    Raises:
        ValueError: there is no stage, one is malformed or out of bounds, or the epochs do not begin at 0 and ascend.
    """
    if not texts:
        raise ValueError("give at least one stage, such as 128@0")
    stages: list[Stage] = []
    for text in texts:
        match = re.fullmatch(r"(\d{1,6})@(\d{1,6})", text)
        if not match:
            raise ValueError(f"{text} is no stage: write SIZE@EPOCH, such as 128@0 160@30")
        stage = Stage(int(match[1]), int(match[2]))
        if not SMALLEST <= stage.size <= LARGEST:
            raise ValueError(f"{text}: the size must be from {SMALLEST} to {LARGEST} pixels")
        if not stages and stage.epoch:
            raise ValueError(f"the first stage is {text}: it must begin at epoch 0, {stage.size}@0")
        if stages and stage.epoch <= stages[-1].epoch:
            raise ValueError(f"{text} follows {texts[len(stages) - 1]}: the epochs must ascend")
        stages.append(stage)
    return stages


def size_at(stages: Sequence[Stage], epoch: int) -> int:
    """Return the size of the images of an epoch, from 0."""
    return next(stage.size for stage in reversed(stages) if stage.epoch <= epoch)
