"""``train --teacher --drop_path_rate --freeze`` from the command line, compiled."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.cli.conftest import MODEL, TINY, Command
from tests.small import MODEL_V1
from tests.weights.networks import arrays_of, random_network, read_arrays

STUDENT = [MODEL_V1 if word == MODEL else word for word in TINY]


def test_a_student_of_another_family(
    finished_run: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_run)
    start = random_network(MODEL_V1, num_classes=10, stem="cifar")
    save_checkpoint(start, tmp_path / "start.ckpt")
    words = [*STUDENT, "--ckpt_path", tmp_path / "start.ckpt", "--num_samples", 64, "--epoch_size", 1]
    others = ["--drop_path_rate", 0.3, "--freeze", "stem", "stage2", "--opt", "adamw", "--no-val_while_train"]
    teacher = ["--teacher", f"{MODEL}-best.ckpt", "--kd", "decoupled"]
    status, _, error = command("train", *words, *others, *teacher, "--ckpt_save_dir", tmp_path / "run")
    assert status == 0, error
    recorded = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (recorded["teacher"], recorded["drop_path_rate"]) == (str(finished_run / f"{MODEL}-best.ckpt"), 0.3)
    assert recorded["freeze"] == ["stem", "stage2"]
    before, after = arrays_of(start), read_arrays(tmp_path / "run" / f"{MODEL_V1}-last.ckpt")
    assert before.keys() == after.keys()
    kept = {name for name in before if name.startswith(("first_conv", "features.0."))}
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert kept.isdisjoint(moved)
    assert {name for name in before if name.endswith("weight")} <= kept | moved


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--freeze", "backbon"], "did you mean backbone?"),
        (["--freeze", "*"], "leaves nothing to train"),
        (["--drop_path_rate", 0.1, "--model", MODEL], "has no residual branch to leave out"),
        (["--teacher", "nowhere.ckpt"], "error: teacher=nowhere.ckpt: there is no checkpoint nowhere.ckpt"),
        (
            ["--teacher", "{folder}/of_7.ckpt"],
            "of_7.ckpt has 7 classes and the data have 10: take one",
        ),
        (["--kd", "hintom"], "kd=hintom: it must be 'hinton' or 'decoupled'"),
    ],
)
def test_wrong_options(words: list[object], message: str, tmp_path: Path, command: Command) -> None:
    save_checkpoint(random_network(MODEL, num_classes=7, stem="cifar"), tmp_path / "of_7.ckpt")
    given = [str(word).format(folder=tmp_path) for word in words]
    status, _, error = command("train", *STUDENT, "--epoch_size", 1, "--ckpt_save_dir", tmp_path / "run", *given)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error
    assert not (tmp_path / "run").exists()
