"""No option of a training and none of its values is refused: trainings of some steps that between them take every one.

The trainings cycle through the values of each option, so that as many of them as the longest list has take them all.
"""

import math
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from PIL import Image
from pydantic.fields import FieldInfo

from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.bounds import OneOf
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.policy import POLICIES
from mindcv_shufflenet.options.tables import names_of, read_by
from mindcv_shufflenet.training.train import train
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.small import MODEL, MODEL_V1

# Values of each option that a training reads.
VALUES: dict[str, tuple[Any, ...]] = {
    "mode": (1,),  # in which nothing is compiled; the other tests train in graph mode
    "distribute": (False, True),
    "val_while_train": (False, True),
    "val_interval": (1, 2),
    "log_interval": (100, 1),
    "seed": (42, 0),
    "jit": (False,),
    "device_target": ("auto", "CPU"),
    "sync_bn": (False, True),
    "early_stopping": (0, 3),
    "tensorboard": (False, True),
    "dataset": ("folder",),  # the others have tests of their own
    "data_dir": ("{data}",),
    "train_split": ("train",),
    "val_split": ("val", "test"),
    "val_ratio": (0.2, 0.5),
    "dataset_download": (False,),
    "num_parallel_workers": (None, 1, 8),
    "shuffle": (True, True, False),
    "num_samples": (4, 4, None),
    "batch_size": (4,),
    "drop_remainder": (True, False),
    "eval_shuffle": (False, True),
    "image_resize": (16,),
    "image_resize_schedule": (None, ["24@0", "16@1"]),
    "train_crop": ("auto", "resized", "padded"),
    "crop_padding": (None, 2),
    "scale": ((0.08, 1.0), (0.5, 0.5)),
    "ratio": ((0.75, 1.333), (1.0, 1.0)),
    "hflip": (0.5, 0.0, 1.0),
    "vflip": (0.0, 0.5),
    "color_jitter": (0.4, None, (0.4, 0.4, 0.4), (0.1, 0.2, 0.3, 0.1)),
    "interpolation": ("bilinear", "nearest", "bicubic", "area"),
    "auto_augment": (
        None, "randaug-m9-n2-mstd0.5", "autoaug", "autoaugr-mstd0.5", "3a", "trivialaugwide", "augmix-m3-w3-d-1-a1.0",
    ),
    "aug_splits": (0, 0, 0, 0, 0, 0, 3),
    "aug_repeats": (0, 2),
    "re_prob": (0.0, 0.5),
    "re_scale": ((0.02, 0.33), (0.1, 0.2)),
    "re_ratio": ((0.3, 3.3), (1.0, 1.0)),
    "re_value": (0, "random", (1.0, 2.0, 3.0)),
    "re_max_attempts": (10, 1),
    "mean": ((123.675, 116.28, 103.53),),
    "channel_order": ("rgb", "bgr"),
    "resize_backend": ("pillow", "opencv"),
    "std": ((58.395, 57.12, 57.375),),
    "crop_pct": (0.875, 1.0),
    "mixup": (0.0, 0.2),
    "cutmix": (0.0, 0.0, 1.0),
    "cutmix_prob": (1.0, 0.5),
    "mixup_off_epoch": (0, 5),
    "model": (MODEL, MODEL_V1),
    "num_classes": (None, 10, 12, 10),
    "in_channels": (3, 3, 3, 3, 3, 3, 3, 3, 1),
    "drop_rate": (None, 0.0, 0.2),
    "drop_path_rate": (None, 0.2),
    "freeze": ([], ["stage2"], ["stem", "features.1.*"]),
    "pretrained": (False,),
    "ckpt_path": ("", "", "", "", "", "", "", "", "", "{folder}/start.ckpt"),
    "ckpt_key": (None,),
    "reset_classifier": (False, False, False, False, False, False, False, False, False, True),
    "allow_missing": ([], [], [], [], [], [], [], [], [], ["classifier.*"]),
    "resume_opt": (False,),
    "keep_checkpoint_max": (10, 0, 1),
    "ckpt_save_dir": ("{folder}/run",),
    "overwrite": (False, True),
    "report": (False,),
    "ckpt_save_interval": (1, 2),
    "ckpt_save_policy": ("latest_k", "top_k", None, "latest_k"),
    "epoch_size": (1,),
    "dataset_sink_mode": ("auto", False, True),
    "ema": (False, True),
    "ema_decay": (0.9999, 0.9),
    "clip_grad": (False, True),
    "clip_value": (15.0, 1.0),
    "gradient_accumulation_steps": (1, 3),
    "opt": ("sgd", "momentum", "adam", "adamw", "lion", "nadam", "adan", "rmsprop", "adagrad", "lamb"),
    "momentum": (0.9, 0.0),
    "weight_decay": (4e-5, 0.0),
    "weight_decay_filter": ("disable", "auto", "norm_and_bias"),
    "use_nesterov": (True, False, True, False, False, False, False, False, False, False),
    "eps": (1e-10, 1e-6),
    "layer_decay": (None, 0.9),
    "scheduler": (
        "constant", "cosine_decay", "exponential_decay", "linear_decay", "polynomial_decay", "step_decay",
        "multi_step_decay", "one_cycle", "cyclic",
    ),
    "lr": (0.001,),
    "min_lr": (1e-6, 0.0),
    "warmup_epochs": (3, 0),
    "warmup_factor": (0.0, 0.1),
    "decay_epochs": (30, 30, 30, 30, 30, 30, None),
    "decay_rate": (0.9, 0.5),
    "multi_step_decay_milestones": ((30, 60, 90), (1, 2)),
    "lr_epoch_stair": (False, True),
    "num_cycles": (1, 2),
    "cycle_decay": (1.0, 0.5),
    "loss": ("CE", "BCE", "CE", "BCE", "CE", "BCE", "JSD"),
    "label_smoothing": (0.0, 0.1),
    "aux_factor": (0.0, 0.4),
    "reduction": ("mean", "sum"),
    "teacher": ("", "{folder}/teacher.ckpt"),
    "kd": ("hinton", "hinton", "decoupled", "decoupled"),
    "kd_alpha": (None, None, 0.5, 0.5),
    "kd_beta": (8.0, 2.0),
    "kd_temperature": (4.0, 2.0),
    "amp_level": ("O0", "O1", "O2", "O3"),
    "cpu_precision": ("fp32",),
    "amp_cast_list": (None, ("Conv2d", "Dense")),
    "loss_scale_type": ("fixed", "dynamic", "auto"),
    "loss_scale": (1.0, 1024.0),
    "drop_overflow_update": (False, True),
}  # fmt: skip

# Those of the network options, which each family has its own of: in turn for the trainings of that family.
NETWORK: dict[str, dict[str, tuple[Any, ...]]] = {
    MODEL: {
        "layout": (None, "megvii", "torchvision"),
        "stem": ("cifar", "imagenet", None),
        "pool": (None, "same", "pad"),
        "activation": (None, "relu", "leaky_relu"),
        "se": (None, False, True),
        "residual": (None, True, False),
    },
    MODEL_V1: {
        "layout": ("mindcv", "megvii", "mmpretrain", "imgclsmob"),
        "channel_shuffle": (None, "deinterleave", "interleave"),
    },
}

# Values that other tests train with: in a compiled graph, on other devices and processors, with files that are fetched,
# after a stop.
ELSEWHERE: dict[str, list[Any]] = {
    "mode": [0],
    "jit": [True],
    "device_target": ["Ascend", "GPU"],
    "cpu_precision": ["bf16"],
    "dataset_download": [True],
    "pretrained": [True],
    "resume_opt": [True],
    "report": [True],
}

TRAININGS = max(map(len, VALUES.values()))


def options_of(number: int) -> dict[str, Any]:
    """The options of one of the trainings."""
    options = {name: values[number % len(values)] for name, values in VALUES.items()}
    network = NETWORK[options["model"]]
    options |= {name: values[number // len(NETWORK) % len(values)] for name, values in network.items()}
    if options["aug_repeats"] > 1:
        options["shuffle"] = True  # without it the same images would be left out of each epoch
    if options["model"] == MODEL:
        options["drop_path_rate"] = None  # no block of stride 1, which could have a shortcut
    if options["in_channels"] == 1:
        options |= {"mean": (123.675,), "std": (58.395,), "re_value": (1.0,)}
    return options


def choices(field: FieldInfo) -> list[Any]:
    """The values that the schema lists for an option; none where it takes any number or text."""
    names = [name for known in field.metadata if isinstance(known, OneOf) for name in known.names]
    return names + listed(field.annotation)


def listed(annotation: Any) -> list[Any]:
    if annotation in (bool, type(None)):
        return [False, True] if annotation is bool else [None]
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for part in get_args(annotation) for value in listed(part)]


def test_every_option_of_a_training_is_here() -> None:
    assert {*VALUES}.union(*NETWORK.values()) == {*read_by("train")}
    assert {*VALUES}.isdisjoint({*names_of("network")} - {"in_channels"})


@pytest.mark.parametrize("name", read_by("train"))
def test_the_trainings_take_every_value(name: str) -> None:
    taken = [options_of(number).get(name) for number in range(TRAININGS)]
    tables = [table.get(name, ()) for table in (VALUES, *NETWORK.values())]
    wanted = [*choices(Config.model_fields[name]), *(value for table in tables for value in table)]
    assert [value for value in wanted if value not in taken and value not in ELSEWHERE.get(name, ())] == []


def test_the_trainings_take_every_policy() -> None:
    taken = [str(options_of(number)["auto_augment"]).partition("-")[0] for number in range(TRAININGS)]
    assert {*taken} == {*POLICIES, "None"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of each of ten classes in each of three splits."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for place in (f"{split}/{name}" for split in ("train", "val", "test") for name in "abcdefghij"):
        (folder / place).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / place / "1.png")
    return folder


@pytest.mark.parametrize("number", range(TRAININGS))
def test_a_training_of_one_epoch(number: int, data: Path, tmp_path: Path) -> None:
    places = {"data": data, "folder": tmp_path}
    given = options_of(number)
    options = {name: value.format(**places) if isinstance(value, str) else value for name, value in given.items()}
    if options["teacher"]:
        save_checkpoint(create_model(MODEL, num_classes=10, stem="cifar"), tmp_path / "teacher.ckpt")
    if options["ckpt_path"]:
        network: dict[str, Any] = {name: options[name] for name in NETWORK[options["model"]]}
        save_checkpoint(create_model(options["model"], num_classes=7, **network), tmp_path / "start.ckpt")
    result = train(options)
    assert result.epochs == 1
    assert result.last_checkpoint
    assert result.best_top1 is None or math.isfinite(result.best_top1)
