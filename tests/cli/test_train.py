"""``train``: what it leaves, and every wrong input in one line that loses nothing."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.training.record.recorder import COLUMNS
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.cli.conftest import MODEL, SMALL, TINY, Command, start
from tests.small import TENSORS
from tests.weights.networks import read_arrays


def test_a_run_leaves_what_it_promises(finished_run: Path) -> None:
    names = {path.name for path in finished_run.iterdir()}
    assert names == {
        f"{MODEL}-best.ckpt", f"{MODEL}-last.ckpt", f"{MODEL}-last.state", f"{MODEL}-1_8.ckpt", f"{MODEL}-2_8.ckpt",
        "log.csv", "config.yaml", "classes.json",
    }  # fmt: skip
    with open(finished_run / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["step"] for row in rows] == ["8", "16"]
    assert all(float(row["images_per_second"]) > 0 and row["ema_top1"] == "" for row in rows)
    config = parse_config(yaml.safe_load((finished_run / "config.yaml").read_text()))
    assert (config.num_classes, config.batch_size, config.stem) == (10, 32, "cifar")
    assert (config.layout, config.pool, config.drop_rate, config.device_target) == ("megvii", "same", 0.2, "CPU")
    classes = json.loads((finished_run / "classes.json").read_text())
    assert classes["indices"] == {str(digit): digit for digit in range(10)}


def test_the_result_as_json(tmp_path: Path, command: Command) -> None:
    words = [*TINY, "--epoch_size", 1, "--ckpt_save_dir", tmp_path, "--json", "-", "--no-val_while_train"]
    status, output, error = command("train", *words, "--mode", 1)
    result = json.loads(output)
    assert status == 0
    assert "epoch 1/1" in error
    assert (result["epochs"], result["best_top1"], result["best_checkpoint"]) == (1, None, None)
    assert Path(result["last_checkpoint"]).is_file()


def test_training_with_the_padded_pool_ends(tmp_path: Path) -> None:
    """In a process of its own, since a step that does not end cannot be interrupted."""
    network = ["--layout", "torchvision", "--pool", "pad", "--stem", "imagenet", "--image_resize", 64]
    words = [*TINY, *network, "--batch_size", 8, "--epoch_size", 2, "--no-val_while_train", "--ckpt_save_dir", tmp_path]
    process = start("train", *words, script=SMALL)
    try:
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, output


def test_starting_from_a_checkpoint(finished_run: Path, tmp_path: Path, command: Command) -> None:
    """With learning rate 0 and no augmentation, the weights that are validated are the checkpoint's."""
    words = [*TINY, "--epoch_size", 1, "--ckpt_save_dir", tmp_path, "--lr", 0, "--min_lr", 0, "--json", "-"]
    status, _, error = command("train", *words, "--ckpt_path", finished_run / f"{MODEL}-last.ckpt")
    assert status == 0, error
    before = read_arrays(finished_run / f"{MODEL}-last.ckpt")
    after = read_arrays(tmp_path / f"{MODEL}-last.ckpt")
    for name, value in before.items():
        if not name.rsplit(".", 1)[-1].startswith("moving"):
            assert (value == after[name]).all(), name


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two classes with three images each in train and val."""
    folder = tmp_path / "photos"
    for split in ("train", "val"):
        for name, colour in (("cat", "red"), ("dog", "blue")):
            (folder / split / name).mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (40, 30), colour).save(folder / split / name / f"{number}.jpg")
    return folder


FOLDER = ["--model", MODEL, "--dataset", "folder", "--image_resize", 32, "--batch_size", 2, "--epoch_size", 1]


def refused(command: Command, tmp_path: Path, *words: object) -> str:
    """Run a command that must fail as the user's mistake, and return its one line."""
    run = tmp_path / "run"
    status, _, error = command("train", *words, "--ckpt_save_dir", run)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not run.exists() or not any(run.iterdir())
    return error


def test_a_folder_of_photos_trains(photos: Path, tmp_path: Path, command: Command) -> None:
    status, output, error = command("train", *FOLDER, "--data_dir", photos, "--ckpt_save_dir", tmp_path / "run")
    assert status == 0, error
    assert "2 classes, 6 images in 3 steps an epoch" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lrr", 1], "unknown option lrr (did you mean lr?)"),
        (["--lr", "fast"], "lr=fast"),
        (["--model", "shufflenet_v2_x9"], "unknown model shufflenet_v2_x9"),
        (["--dataset", "digit"], "did you mean digits?"),
        (["--num_classes", 7], "num_classes=7"),
        (["--in_channels", 2, "--mean", 1, 1, "--std", 1, 1], "in_channels=2"),
        (["--batch_size", 512], "batch_size=512 and only 256 training images"),
        (["--num_samples", 9999], "num_samples=9999 and the split has only 1437"),
        (["--ckpt_path", "nothing.ckpt"], "there is no checkpoint nothing.ckpt"),
        (["--resume_opt"], "there is no training state"),
        (["--device_target", "Ascend"], "device_target=Ascend: no such device here"),
        (["--ema", "--ema_decay", 1], "ema_decay=1: it must be less than 1"),
        (["--ema", "--ema_decay", 0], "ema_decay=0: it must be greater than 0"),
        (["--amp_level", "O1", "--amp_cast_list", "Conv2D"], "no cell Conv2D (did you mean Conv2d?)"),
        (["--dataset_download"], "digits"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_wrong_options(words: list[object], message: str, tmp_path: Path, command: Command) -> None:
    assert message in refused(command, tmp_path, *TINY, *words)


def test_wrong_folders(photos: Path, tmp_path: Path, command: Command) -> None:
    assert "nowhere" in refused(command, tmp_path, *FOLDER, "--data_dir", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused(command, tmp_path, *FOLDER, "--data_dir", tmp_path / "empty")
    (photos / "train" / "empty_class").mkdir()
    assert "empty_class" in refused(command, tmp_path, *FOLDER, "--data_dir", photos)
    (photos / "train" / "empty_class").rmdir()
    (photos / "val" / "horse").mkdir()
    Image.new("RGB", (9, 9)).save(photos / "val" / "horse" / "a.jpg")
    assert "horse" in refused(command, tmp_path, *FOLDER, "--data_dir", photos)


@pytest.mark.parametrize("content", ["text", "cut", "empty"])
def test_files_that_are_no_images_are_named(content: str, photos: Path, tmp_path: Path, command: Command) -> None:
    path = photos / "train" / "dog" / "1.jpg"
    whole = path.read_bytes()
    path.write_bytes({"text": b"not an image", "cut": whole[:300], "empty": b""}[content])
    assert str(path) in refused(command, tmp_path, *FOLDER, "--data_dir", photos)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 7}, "classifier.weight is (7, 1024) there and (10, 1024) here"),
        ({"name": "shufflenet_v2_x1_0", "num_classes": 10}, "does not fit the network"),
    ],
)
def test_wrong_checkpoints(options: dict[str, Any], message: str, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "other.ckpt"
    save_checkpoint(create_model(**({"name": MODEL} | options)), path)
    assert message in refused(command, tmp_path, *TINY, "--ckpt_path", path)
    assert "layout megvii" in refused(command, tmp_path, *TINY, "--ckpt_path", path, "--layout", "torchvision")
    path.write_bytes(path.read_bytes()[:5000])
    assert str(path) in refused(command, tmp_path, *TINY, "--ckpt_path", path)


def test_a_checkpoint_trained_with_another_stem_brings_its_own(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    words = [word for word in TINY if word not in ("--stem", "cifar")]
    checkpoint = finished_run / f"{MODEL}-best.ckpt"
    _, output, _ = command("train", *words, "--ckpt_path", checkpoint, "--ckpt_save_dir", tmp_path, "--epoch_size", 1)
    assert f"note: from {finished_run}/{MODEL}-best.ckpt: stem=cifar" in output


@pytest.mark.parametrize("level", ["O2", "O3"])
def test_mixed_precision_keeps_names_and_float32_weights(level: str, tmp_path: Path, command: Command) -> None:
    words = [*TINY, "--epoch_size", 1, "--num_samples", 64, "--ckpt_save_dir", tmp_path, "--loss_scale", 1024]
    status, _, error = command("train", *words, "--amp_level", level)
    assert status == 0, error
    weights = read_arrays(tmp_path / f"{MODEL}-last.ckpt")
    assert len(weights) == TENSORS
    assert {str(value.dtype) for value in weights.values()} == {"float32"}
    checkpoint = ["--ckpt_path", tmp_path / f"{MODEL}-best.ckpt"]
    assert command("validate", "--model", MODEL, "--dataset", "digits", *checkpoint)[0] == 0
    if level == "O3":  # the level of mindcv's recipes
        status, _, error = command("train", *words, "--amp_level", level, "--epoch_size", 2, "--resume_opt")
        assert status == 0, error


def test_without_jit_and_with_every_other_way_of_training(tmp_path: Path, command: Command) -> None:
    """Eager mode, Adam with decoupled decay, clipped gradients, a last batch that is not full, no shuffling."""
    words = [*TINY, "--epoch_size", 1, "--num_samples", 40, "--ckpt_save_dir", tmp_path, "--no-val_while_train"]
    others = ["--opt", "adamw", "--clip_grad", "--clip_value", 1, "--no-drop_remainder", "--no-shuffle"]
    status, output, error = command("train", *words, *others, "--mode", 1, "--no-jit")
    assert status == 0, error
    assert "40 images in 2 steps an epoch" in output
    assert "cosine_decay ends at epoch 10, which warmup_epochs and decay_epochs give, and the training at 1;" in output


def test_cifar10_trains(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.random.default_rng(0).integers(256, size=(10_000, 3073), dtype=np.uint8)
    records[:, 0] %= 10
    for number in range(1, 6):
        records.tofile(folder / f"data_batch_{number}.bin")
    words = ["--model", MODEL, "--stem", "cifar", "--dataset", "cifar10", "--data_dir", tmp_path, "--image_resize", 16]
    run = [*words, "--epoch_size", 1, "--num_samples", 64, "--batch_size", 32, "--ckpt_save_dir", tmp_path / "run"]
    status, output, error = command("train", *run, "--no-val_while_train")
    assert status == 0, error
    assert "10 classes, 64 images in 2 steps an epoch" in output


def test_a_folder_that_holds_a_run_is_not_overwritten(finished_run: Path, command: Command) -> None:
    before = {path.name: path.read_bytes() for path in finished_run.iterdir()}
    status, _, error = command("train", *TINY, "--epoch_size", 1, "--ckpt_save_dir", finished_run)
    assert status == 2
    assert "already holds a run" in error
    assert "--overwrite" in error
    assert {path.name: path.read_bytes() for path in finished_run.iterdir()} == before


def test_overwrite_does_not_delete_the_checkpoint_that_it_starts_from(finished_run: Path, command: Command) -> None:
    checkpoint = finished_run / f"{MODEL}-best.ckpt"
    words = [*TINY, "--ckpt_save_dir", finished_run, "--overwrite", "--ckpt_path", checkpoint]
    status, _, error = command("train", *words)
    assert status == 2
    assert f"--overwrite would delete {checkpoint}" in error
    assert checkpoint.is_file()


def test_overwrite_replaces_the_whole_run(finished_run: Path, tmp_path: Path, command: Command) -> None:
    for path in finished_run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "shufflenet_v2_x1_0-best.ckpt").write_text("of another model")
    status, _, _ = command("train", *TINY, "--epoch_size", 1, "--ckpt_save_dir", tmp_path, "--overwrite")
    assert status == 0
    assert not (tmp_path / f"{MODEL}-2_8.ckpt").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "shufflenet_v2_x1_0-best.ckpt").exists()


def test_a_run_directory_that_cannot_be_written_is_named(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run", "/proc/run"):
        status, _, error = command("train", *TINY, "--ckpt_save_dir", folder)
        assert status == 2
        assert str(folder) in error


def test_options_without_effect_are_told(tmp_path: Path, command: Command) -> None:
    words = [*TINY, "--epoch_size", 1, "--ckpt_save_dir", tmp_path / "run", "--no-val_while_train"]
    idle = ["--clip_value", 3, "--eps", 1e-8, "--pool", "pad", "--decay_rate", 0.5, "--val_interval", 2]
    idle += ["--cutmix_prob", 0.5]
    status, output, error = command("train", *words, *idle)
    assert status == 0, error
    assert (
        "note: without effect here: val_interval (needs val_while_train); cutmix_prob (needs mixup or cutmix);"
        " clip_value (needs clip_grad); eps (needs opt adam, adamw, nadam, adan, rmsprop, lamb); decay_rate (needs"
        " scheduler" in output
    )
    assert f"without effect in {MODEL} with its other options: pool" in output
