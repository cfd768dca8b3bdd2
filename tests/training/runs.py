"""Trainings that compile nothing: a step of one dense layer and its run, and the options of two eager steps."""

from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.collectives import OneRank
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.training.losses.cross_entropy import CrossEntropy
from mindcv_shufflenet.training.record.recorder import Run
from mindcv_shufflenet.training.record.state import Data
from mindcv_shufflenet.training.step import TrainStep
from tests import small

MODEL = "shufflenet_v2_x0_5"
STEPS = 3
MACHINE, DATA = Machine("CPU", 2, 2, "2.8.0"), Data(12, STEPS, "12ab")


def step_cell(features: int = 3, momentum: float = 0.9) -> TrainStep:
    network = nn.Dense(features, 2)
    optimizer = nn.Momentum(network.trainable_params(), [0.1, 0.2, 0.3], momentum)
    return TrainStep(network, CrossEntropy(), optimizer, OneRank())


def run_in(folder: Path, **options: Any) -> Run:
    """A run of :func:`step_cell` whose files lie in a folder."""
    step = step_cell()
    images = Pixels(np.zeros((2, 8, 8, 3), np.uint8))
    split = Split(images, np.arange(2, dtype=np.int32), ("a", "b"), {"a": 0, "b": 1})
    config = Config(**({"model": MODEL, "ckpt_save_dir": str(folder), "tensorboard": False} | options))
    return Run(config, MACHINE, DATA, split, step.network, step)


def options(folder: Path, **others: Any) -> dict[str, Any]:
    """Two eager steps on 64 digits, with everything on that draws random numbers."""
    return {
        "model": small.MODEL,
        "stem": "cifar",
        "dataset": "digits",
        "image_resize": 16,
        "crop_pct": 1,
        "train_crop": "padded",
        "num_samples": 64,
        "batch_size": 32,
        "epoch_size": 1,
        "re_prob": 0.5,
        "drop_rate": 0.2,
        "val_while_train": False,
        "mode": 1,
        "jit": False,
        "ckpt_save_dir": folder,
        "report": False,
    } | others
