"""``data prepare``: what it packs, tells and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.datasets import DATASETS, Request, open_split
from tests.cli.conftest import TINY, Command


def prepare(command: Command, folder: Path, *words: object) -> str:
    status, output, error = command("data_prepare", folder, "--dataset", "digits", *words)
    assert status == 0, error
    return output


def test_packed_digits_train(tmp_path: Path, command: Command) -> None:
    output = prepare(command, tmp_path / "packed", "--images_per_shard", 800, "--json", tmp_path / "result.json")
    assert "train: 1437 images in 2 shards" in output
    assert output.splitlines()[-1] == f"train from them with `--dataset mindrecord --data_dir {tmp_path}/packed`"
    splits = {"train": {"images": 1437, "shards": 2}, "val": {"images": 360, "shards": 1}}
    assert json.loads((tmp_path / "result.json").read_text())["splits"] == splits
    words = [*TINY, "--dataset", "mindrecord", "--data_dir", tmp_path / "packed", "--ckpt_save_dir", tmp_path / "run"]
    status, _, error = command("train", *words, "--epoch_size", 1)
    assert status == 0, error
    assert (tmp_path / "run" / "classes.json").is_file()


def test_the_result_is_no_manifest(tmp_path: Path, command: Command) -> None:
    status, _, error = command("data_prepare", tmp_path, "--dataset", "digits", "--json", tmp_path / "val.json")
    assert (status, [*tmp_path.iterdir()]) == (2, [])
    assert "val.json is where the shards are listed: give --json another name" in error


def test_the_share_and_the_drawing_of_the_validation_split_are_the_users(tmp_path: Path, command: Command) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.full((8, 8, 3), number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    words = ["--dataset", "folder", "--data_dir", tmp_path / "photos", "--val_ratio", 0.5, "--seed", 7]
    status, output, error = command("data_prepare", tmp_path / "packed", *words)
    assert status == 0, error
    assert "held out for it: 4 of its 8 images (val_ratio=0.5, seed=7)" in output
    assert len(open_split("mindrecord", Request(tmp_path / "packed", "val"))) == 4


def test_another_packing_beside_it_and_overwriting_leave_it_alone(tmp_path: Path, command: Command) -> None:
    prepare(command, tmp_path, "--train_split", "val")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "val-clean-00000-of-00001.mindrecord").write_text("of a split with a longer name")
    output = prepare(command, tmp_path, "--train_split", "val", "--overwrite", "--num_parallel_workers", 999)
    assert "note: num_parallel_workers=999: " in output
    assert (tmp_path / "val-clean-00000-of-00001.mindrecord").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {*before, "val-clean-00000-of-00001.mindrecord"}
    assert open_split("mindrecord", Request(tmp_path, "val")).class_to_index == {
        str(digit): digit for digit in range(10)
    }
    status, _, error = command("data_prepare", tmp_path, "--dataset", "digits", "--short_side", 4)
    assert status == 2
    assert f"{tmp_path} holds a packing of other images or with other options; give --overwrite" in error


def test_the_crop_of_cifar10_is_told(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits stand for its images."""
    monkeypatch.setitem(DATASETS, "cifar10", DATASETS["digits"])
    status, output, error = command("data_prepare", tmp_path, "--dataset", "cifar10", "--train_split", "val")
    assert status == 0, error
    assert output.splitlines()[-1].endswith(f"--data_dir {tmp_path} --train_crop padded`")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "mindrecord"], "dataset=mindrecord is what data prepare makes"),
        (["--dataset", "digits", "--short_side", "-1"], "-1 is not a whole number above 0"),
        (["--dataset", "digits", "--lr", "1"], "does not take --lr"),
        (["--dataset", "folder", "--data_dir", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], message: str, tmp_path: Path, command: Command) -> None:
    status, _, error = command("data_prepare", tmp_path / "out", *words)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()
