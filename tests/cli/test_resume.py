"""What ``--resume_opt`` goes on with, what it tells of, and what it refuses."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.commands import train
from mindcv_shufflenet.config import parse_config
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import exclusive
from mindcv_shufflenet.train.state import load_state
from tests.cli.conftest import MODEL, TINY, Command, rows
from tests.conftest import CORES

pytestmark = pytest.mark.usefixtures("small")


def test_nan_ends_the_run_with_status_1_and_keeps_the_last_epoch(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = [*TINY, "--epoch_size", 4, "--ckpt_save_dir", folder, "--resume_opt", "--lr", "1e20"]
    status, output, error = command("train", *words)
    assert status == 1
    assert error.startswith("error: the loss became ")
    assert "lower --lr" in error
    assert error.count("\n") == 1
    assert "note: lr was 0.05 when the run was stopped and is 1e+20 now" in output
    assert not list(folder.glob(".tmp-*"))
    arrays = [load_state(path / f"{MODEL}-last.state").arrays for path in (folder, finished_run)]
    assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])
    last = f"{MODEL}-last.ckpt"
    assert (folder / last).read_bytes() == (finished_run / last).read_bytes()


def test_a_finished_run_has_nothing_left_to_train(finished_run: Path, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    status, output, _ = command("train", *TINY, "--epoch_size", 2, "--ckpt_save_dir", folder, "--resume_opt")
    assert status == 0
    assert "all 2 epochs are done" in output
    assert rows(folder) == rows(finished_run)


def test_the_state_beside_a_checkpoint_is_found(finished_run: Path, tmp_path: Path, command: Command) -> None:
    words: list[Any] = [*TINY, "--epoch_size", 2, "--ckpt_save_dir", tmp_path / "new", "--resume_opt"]
    status, output, _ = command("train", *words, "--ckpt_path", finished_run / f"{MODEL}-best.ckpt")
    assert status == 0
    assert "all 2 epochs are done" in output
    assert rows(tmp_path / "new") == rows(finished_run)
    for name in (f"{MODEL}-best.ckpt", f"{MODEL}-last.ckpt"):
        assert (tmp_path / "new" / name).read_bytes() == (finished_run / name).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch_size", 64], "was trained with 8 steps an epoch and there are 4 now"),
        (["--stem", "imagenet"], "was trained with stem=cifar and stem is imagenet now; give --stem cifar"),
        (["--opt", "adam"], "another network or optimizer"),
        (["--overwrite"], "give only one of them"),
    ],
)
def test_another_training_is_not_resumed(
    words: list[object], message: str, finished_run: Path, command: Command
) -> None:
    before = {path.name: path.read_bytes() for path in finished_run.iterdir()}
    status, _, error = command(
        "train", *TINY, "--epoch_size", 3, "--ckpt_save_dir", finished_run, "--resume_opt", *words
    )
    assert status == 2
    assert message in error
    assert {path.name: path.read_bytes() for path in finished_run.iterdir()} == before


def test_two_trainings_in_one_folder(finished_run: Path, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    with exclusive(folder):
        status, _, error = command("train", *TINY, "--epoch_size", 3, "--ckpt_save_dir", folder, "--resume_opt")
    assert status == 2
    assert "another process is at work in" in error


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path, command: Command) -> None:
    """One step an epoch: its loss is computed before the update that spoils the weights."""
    words = [*TINY, "--epoch_size", 1, "--num_samples", 32, "--warmup_epochs", 0, "--lr", "1e38", "--momentum", 0.99]
    status, _, error = command("train", *words, "--ckpt_save_dir", tmp_path, "--weight_decay", 10)
    assert status == 1
    assert "became NaN or infinite; try a lower --lr" in error
    assert not list(tmp_path.glob("*.ckpt"))
    assert load_state(tmp_path / f"{MODEL}-last.state").progress.epoch == 0


@pytest.mark.skipif(len(CORES) == 1, reason="one core")
def test_another_number_of_workers_is_told(
    finished_run: Path, tmp_path: Path, command: Command, all_cores: None
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    was = load_state(folder / f"{MODEL}-last.state").circumstances["machine"]["workers"]
    now = 2 if was == 1 else 1
    words = [*TINY, "--epoch_size", 2, "--ckpt_save_dir", folder, "--resume_opt", "--num_parallel_workers", now]
    _, output, _ = command("train", *words)
    assert f"the run was stopped on workers={was} and goes on with {now}" in output


def test_other_classes_are_refused_and_another_folder_is_told(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = [*TINY, "--ckpt_save_dir", folder, "--epoch_size", 2, "--resume_opt"]
    status, output, _ = command("train", *words, "--data_dir", tmp_path)
    assert status == 0
    assert f"note: data_dir was ./ when the run was stopped and is {tmp_path} now" in output
    classes = json.loads((folder / "classes.json").read_text())
    classes["indices"] = {name: 9 - index for name, index in classes["indices"].items()}
    (folder / "classes.json").write_text(json.dumps(classes))
    before = (folder / "classes.json").read_bytes()
    status, _, error = command("train", *words)
    assert status == 2
    assert f"the classes of the data are not those of the stopped run ({folder}/classes.json)" in error
    assert (folder / "classes.json").read_bytes() == before


def test_a_run_that_another_process_began_meanwhile_is_not_replaced(
    finished_run: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run appears after the folder was looked at first and before it is locked."""
    folder = tmp_path / "run"
    prepare = train._prepare

    def slow(*arguments: Any) -> Any:
        setup = prepare(*arguments)
        shutil.copytree(finished_run, folder)
        return setup

    monkeypatch.setattr(train, "_prepare", slow)
    status, _, error = command("train", *TINY, "--ckpt_save_dir", folder, "--epoch_size", 3)
    assert status == 2
    assert f"{folder} already holds a run" in error
    assert rows(folder) == rows(finished_run)


@pytest.mark.parametrize("place", [10, 40, 100])
def test_a_state_that_is_damaged_at_its_head_is_told(
    place: int, finished_run: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    state = folder / f"{MODEL}-last.state"
    whole = bytearray(state.read_bytes())
    for seed in range(20):
        damaged = whole.copy()
        damaged[place : place + 4] = np.random.default_rng(seed).bytes(4)
        state.write_bytes(damaged)
        with suppress(UserError):  # and nothing else; some bytes there do not matter
            load_state(state)


def test_a_run_of_an_earlier_version_keeps_its_decay_epochs(finished_run: Path) -> None:
    """They were 100 by themselves."""
    state = load_state(finished_run / f"{MODEL}-last.state")
    state.circumstances["config"]["decay_epochs"] = 100
    config = parse_config({"epoch_size": 4})
    assert train._as_stopped(config, {}, state).decay_epochs == 100
    assert train._as_stopped(config, {"decay_epochs"}, state).decay_epochs is None


def test_the_first_run_is_not_told_off() -> None:
    assert train._odd_schedule(parse_config({})) == []
    assert train._odd_schedule(parse_config({"decay_epochs": 87})) == []
    assert "ends at epoch 13" in train._odd_schedule(parse_config({"decay_epochs": 10}))[0]
    cycles = {"decay_epochs": 10, "num_cycles": 3, "epoch_size": 33}
    assert train._odd_schedule(parse_config(cycles)) == []
    assert "ends at epoch 13" in train._odd_schedule(parse_config(cycles | {"scheduler": "linear_decay"}))[0]
