"""``train`` with a teacher, frozen parts and stochastic depth: stopped, resumed and refused."""

import logging
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted, UserError
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.training.record.state import load_state
from mindcv_shufflenet.training.train import train
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.small import MODEL, MODEL_V1
from tests.training.runs import options
from tests.weights.networks import read_arrays


def weights_of(path: Path | None) -> dict[str, np.ndarray]:
    assert path
    return read_arrays(path)


def everything(folder: Path, **others: Any) -> dict[str, Any]:
    """Two eager steps of a student that starts with frozen weights."""
    for name, model in (("teacher", MODEL), ("start", MODEL_V1)):
        if not (folder / f"{name}.ckpt").exists():
            save_checkpoint(create_model(model, num_classes=10, stem="cifar"), folder / f"{name}.ckpt")
    return options(
        folder / "run", model=MODEL_V1, ckpt_path=folder / "start.ckpt", teacher=folder / "teacher.ckpt",
        kd="decoupled", lr=0.1, warmup_epochs=0, drop_path_rate=0.9, freeze=["first_conv", "stage4"], mixup=0.2,
        **others,
    )  # fmt: skip


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """With a teacher, mixed images, dropped branches and frozen parts; the teacher is no part of state and weights."""
    wanted = everything(tmp_path)
    with signals.held():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM in epoch 1, step 1 of 2"):
            train(wanted)
    state = load_state(tmp_path / "run" / f"{MODEL_V1}-last.state")
    assert not any("teacher" in name for name in state.arrays)
    assert state.circumstances.teacher is not None
    assert state.circumstances.config["teacher"] == str(tmp_path / "teacher.ckpt")
    assert state.circumstances.config["drop_path_rate"] == 0.9
    resumed = weights_of(train({"resume_opt": True, "ckpt_save_dir": tmp_path / "run"}).last_checkpoint)
    whole = weights_of(train(wanted | {"ckpt_save_dir": tmp_path / "whole"}).last_checkpoint)
    before = weights_of(tmp_path / "start.ckpt")
    assert before.keys() == whole.keys() == resumed.keys()
    assert [name for name in whole if not np.array_equal(whole[name], resumed[name])] == []
    last_block = f"features.{max(int(name.split('.')[1]) for name in before if name.startswith('features.'))}."
    frozen = {name for name in before if name.startswith(("first_conv.", last_block))}
    unchanged = {name for name in before if np.array_equal(before[name], whole[name])}
    assert frozen <= unchanged
    assert not any(name.endswith("weight") for name in unchanged - frozen)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"freeze": ["*"]}, r"freeze=\* leaves nothing to train"),
        ({"freeze": ["stage9"]}, r"freeze=stage9: .* has no such part \(did you mean stage"),
        ({"model": MODEL, "drop_path_rate": 0.1}, "has no residual branch to leave out; give it residual=True, or"),
        ({"drop_path_rate": 1}, "drop_path_rate=1: it must be less than or equal to 0.99"),
        ({"kd_alpha": 1.5}, "kd_alpha=1.5: with kd=hinton it is a share"),
        ({"teacher": "{folder}/of_other_classes.ckpt"}, r"teacher=.* has 7 classes and the data have 10: take one"),
    ],
)
def test_what_cannot_be_is_told_before_the_first_step(others: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_checkpoint(create_model(MODEL, num_classes=7, stem="cifar"), tmp_path / "of_other_classes.ckpt")
    others = {name: value.format(folder=tmp_path) if name == "teacher" else value for name, value in others.items()}
    with pytest.raises(UserError, match=message):
        train(options(tmp_path / "run", **({"model": MODEL_V1} | others)))
    assert not (tmp_path / "run").exists()


def test_what_does_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mindcv_shufflenet")
    train(options(tmp_path / "run", aux_factor=0.4, freeze=["backbone"], kd_beta=2, num_samples=32))
    assert f"without effect here: aux_factor ({MODEL} has no auxiliary outputs)" in caplog.messages
    told = "freeze=backbone keeps weights that are drawn at random: give trained ones by --pretrained or --ckpt_path"
    assert told in caplog.messages
    assert "without effect here: kd_beta (needs teacher and kd decoupled)" in caplog.messages
