"""What ``--resume_opt`` goes on with, what it tells of, and what it refuses."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import load_yaml
from mindcv_shufflenet.storage.files import exclusive
from mindcv_shufflenet.training.record.resume_point import ResumePoint
from mindcv_shufflenet.training.record.state import load_state
from tests.cli.conftest import MODEL, TINY, Command, rows
from tests.conftest import CORES
from tests.weights.networks import read_arrays


def test_nan_ends_the_run_with_status_1_and_keeps_the_last_epoch(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = [*TINY, "--epoch_size", 4, "--ckpt_save_dir", folder, "--resume_opt", "--lr", "1e4", "--weight_decay", 10]
    status, output, error = command("train", *words)
    assert status == 1
    assert error.startswith("error: the loss became ")
    assert "lower --lr" in error
    assert error.count("\n") == 1
    assert "note: lr was 0.05 when the run was stopped and is 10000.0 now" in output
    assert not list(folder.glob(".tmp-*"))
    arrays = [load_state(path / f"{MODEL}-last.state").arrays for path in (folder, finished_run)]
    assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])
    last = f"{MODEL}-last.ckpt"
    assert (folder / last).read_bytes() == (finished_run / last).read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_finished_run_is_left_as_it_is(finished_run: Path, tmp_path: Path, command: Command) -> None:
    """Other options of training are told, and change nothing in the run directory."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    words = ["--ckpt_save_dir", folder, "--resume_opt", "--lr", 0.5, "--epoch_size", 1, "--seed", 3]
    status, output, _ = command("train", *words, "--json", tmp_path / "result.json")
    assert status == 0
    assert "note: lr was 0.05 when the run was stopped and is 0.5 now" in output
    assert "1 epoch done (the run has 2), so nothing changes; give a larger --epoch_size" in output
    assert contents(folder) == contents(finished_run)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["epochs"], result["last_checkpoint"]) == (2, str(folder / f"{MODEL}-last.ckpt"))


def test_going_back_with_nothing_left_to_train_undoes_nothing(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    before, first = contents(finished_run), finished_run / f"{MODEL}-1_8.ckpt"
    words = ["--resume_opt", "--ckpt_path", first, "--ckpt_save_dir", finished_run, "--epoch_size", 1]
    status, output, error = command("train", *words, "--json", tmp_path / "result.json")
    assert status == 0, error
    assert "replaced" not in output
    assert "1 epoch done (the run has 2), so nothing changes; give a larger --epoch_size" in output
    assert json.loads((tmp_path / "result.json").read_text())["epochs"] == 2
    assert contents(finished_run) == before


def test_the_run_directory_alone_says_how_to_go_on(finished_run: Path, tmp_path: Path, command: Command) -> None:
    """All options, the model too, are the stopped run's. An earlier version did not record all of them."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    state = folder / f"{MODEL}-last.state"
    with np.load(state) as archive:
        entries = dict(archive)
    meta = json.loads(str(entries["meta"]))
    for name in ("activation", "se", "residual"):
        del meta["circumstances"]["config"][name]
    with state.open("wb") as file:
        np.savez(file, **entries | {"meta": np.array(json.dumps(meta))})
    status, output, error = command("train", "--resume_opt", "--ckpt_save_dir", folder, "--epoch_size", 3)
    assert status == 0, error
    assert f"goes on from {folder}/{MODEL}-last.state: epoch 3 of 3, step 0 of 8\n" in output
    before, after = (load_yaml(path / "config.yaml") for path in (finished_run, folder))
    assert after == before | {"epoch_size": 3, "ckpt_save_dir": str(folder)}
    assert rows(folder)[:2] == rows(finished_run)


def test_going_back_to_an_earlier_epoch_in_a_new_folder(finished_run: Path, tmp_path: Path, command: Command) -> None:
    """Weights, log and learning rate are those of the first epoch's end; the momentum begins anew."""
    folder, before = tmp_path / "new", contents(finished_run)
    first = finished_run / f"{MODEL}-1_8.ckpt"
    words = ["--resume_opt", "--ckpt_path", first, "--ckpt_save_dir", folder, "--lr", 0, "--min_lr", 0]
    status, output, error = command("train", *words)
    assert status == 0, error
    assert f"goes on from {first}: epoch 2 of 2, step 0 of 8\n" in output
    assert contents(finished_run) == before
    assert rows(folder)[0] == rows(finished_run)[0]
    progress = load_state(folder / f"{MODEL}-last.state").progress
    assert (progress.epoch, progress.rows[1].step, progress.rows[1].lr) == (2, 16, 0)
    assert (folder / f"{MODEL}-best.ckpt").is_file()
    # without a learning rate the weights stay those of the first epoch
    weights = [read_arrays(path) for path in (first, folder / f"{MODEL}-2_8.ckpt", folder / f"{MODEL}-last.ckpt")]
    trained = [name for name in weights[0] if "moving" not in name]
    assert all(np.array_equal(weights[0][name], other[name]) for other in weights[1:] for name in trained)


def test_swapped_images_and_a_moved_folder(tmp_path: Path, command: Command) -> None:
    """Files are known by path, size and class: a moved data set is the same, swapped classes and a lost image not."""
    data, folder = tmp_path / "data", tmp_path / "run"
    for split, images in (("train", 4), ("val", 2)):
        for name in ("cat", "dog"):
            (data / split / name).mkdir(parents=True)
            for number in range(images):
                pixels = np.random.default_rng(number).integers(0, 256, (16 + 8 * (name == "cat"), 16, 3), np.uint8)
                Image.fromarray(pixels).save(data / split / name / f"{number}.png")
    words = ["--dataset", "folder", "--data_dir", data, "--model", MODEL, "--stem", "cifar", "--image_resize", 16]
    words += ["--batch_size", 4, "--epoch_size", 1, "--ckpt_save_dir", folder]
    assert command("train", *words)[0] == 0
    data.rename(tmp_path / "moved")
    again = ["--resume_opt", "--ckpt_save_dir", folder, "--data_dir", tmp_path / "moved"]
    _, output, _ = command("train", *again)
    assert "images are not those" not in output
    train, val = tmp_path / "moved" / "train", tmp_path / "moved" / "val"
    for source, target in (("cat", "x"), ("dog", "cat"), ("x", "dog")):
        (train / source).rename(train / target)
    (val / "cat" / "1.png").unlink()
    status, output, _ = command("train", *again)
    assert status == 0
    assert "note: the training images are not those of the stopped run" in output
    assert "note: the validation images are not those of the stopped run" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch_size", 64], "was trained with 8 steps an epoch and has 4 now"),
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
    was = load_state(folder / f"{MODEL}-last.state").circumstances.machine.workers
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
    state.circumstances.config["decay_epochs"] = 100
    assert ResumePoint(finished_run, state, state.progress, None, []).options()["decay_epochs"] == 100
