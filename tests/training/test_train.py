"""``train`` called from Python, as in a notebook: several times in one process, and without a word."""

import logging
import os
import signal
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted, UserError
from mindcv_shufflenet.training.state import load_state
from mindcv_shufflenet.training.train import train
from tests.small import MODEL
from tests.weights.networks import read_arrays


def options(folder: Path, **others: Any) -> dict[str, Any]:
    """Two eager steps on 64 digits, with everything on that draws random numbers."""
    return {
        "model": MODEL,
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
    } | others


def test_the_result_and_what_is_left_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Files in the run directory; nothing on the terminal, in MindSpore, in numpy's random numbers, or in the lock."""
    caplog.set_level(logging.INFO, "mindcv_shufflenet")
    ms.set_context(mode=ms.GRAPH_MODE)
    np.random.seed(7)
    first, second = (train(options(tmp_path / name, clip_value=3.0)) for name in ("first", "second"))
    assert capfd.readouterr() == ("", "")
    assert caplog.messages.count("without effect here: clip_value (needs clip_grad)") == 2
    assert np.random.random() == np.random.RandomState(7).random_sample()
    assert ms.get_context("mode") == ms.GRAPH_MODE
    assert (first.model, first.epochs, first.best_top1, first.best_epoch, first.best_checkpoint) == (
        *(MODEL, 1),
        *(None, None, None),
    )
    assert first.training_time > 0
    assert first.last_checkpoint == tmp_path / "first" / f"{MODEL}-last.ckpt"
    assert (first.training_state, first.log) == (
        tmp_path / "first" / f"{MODEL}-last.state",
        tmp_path / "first" / "log.csv",
    )
    assert first.last_checkpoint
    assert second.last_checkpoint
    weights = [read_arrays(path) for path in (first.last_checkpoint, second.last_checkpoint)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_signal_stops_it_and_the_same_call_goes_on(tmp_path: Path) -> None:
    """After the first step; the weights are those of a training that was not stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with signals.held():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM in epoch 1, step 1 of 2; the state is saved in") as stop:
            train(options(tmp_path / "parts"))
    assert stop.value.status == 143
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert load_state(tmp_path / "parts" / f"{MODEL}-last.state").progress.step == 1
    with pytest.raises(UserError, match="already holds a run"):
        train(options(tmp_path / "parts"))
    resumed, whole = train(options(tmp_path / "parts", resume_opt=True)), train(options(tmp_path / "whole"))
    assert resumed.last_checkpoint
    assert whole.last_checkpoint
    weights = [read_arrays(path) for path in (resumed.last_checkpoint, whole.last_checkpoint)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_wrong_option_is_told_as_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown option lrr \(did you mean lr\?\)"):
        train(options(tmp_path, lrr=1))
    with pytest.raises(UserError, match="no batch is full; use --batch_size 64 or less"):
        train(options(tmp_path, batch_size=512))
    assert not any(tmp_path.iterdir())


def test_ranks_that_have_not_met_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would train alone, and all in one folder."""
    for name, value in (("RANK", "1"), ("SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", value)
    with pytest.raises(UserError, match="mpirun has started 2 ranks, and this one has not met the others: call"):
        train(options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
