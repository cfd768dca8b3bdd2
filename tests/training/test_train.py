"""``train`` called from Python, as in a notebook: several times in one process, and without a word."""

import io
import logging
import os
import signal
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from rich.console import Console

from mindcv_shufflenet import signals
from mindcv_shufflenet.errors import Interrupted, UserError
from mindcv_shufflenet.kernels.library import version
from mindcv_shufflenet.training.record.state import load_state
from mindcv_shufflenet.training.train import train
from tests.small import MODEL
from tests.training.runs import options
from tests.weights.networks import read_arrays


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
    assert load_state(tmp_path / "first" / f"{MODEL}-last.state").circumstances.machine.kernels == version()
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


def test_a_training_that_is_ended_early_goes_on_with_more_epochs(tmp_path: Path) -> None:
    text = io.StringIO()
    console = Console(file=text, width=200)
    early = options(tmp_path, epoch_size=5, early_stopping=1, val_while_train=True, lr=0.0, warmup_epochs=0)
    ended = train(early, console=console)
    assert ended.best_epoch == ended.epochs - 1 < 4
    assert f"early_stopping ended the training after epoch {ended.epochs} of 5: the best" in text.getvalue()
    assert train(early | {"resume_opt": True}, console=console).epochs == ended.epochs
    assert "so nothing changes; give a larger --epoch_size or --early_stopping 0 to" in text.getvalue()
    longer = train({"resume_opt": True, "ckpt_save_dir": tmp_path, "epoch_size": 6, "mode": 1, "jit": False})
    assert longer.epochs > ended.epochs
