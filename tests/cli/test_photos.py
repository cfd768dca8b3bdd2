"""Folders of photos as people have them: what a training holds out, records and refuses."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from mindcv_shufflenet.weights.formats import write_arrays
from tests.cli.conftest import MODEL, Command
from tests.weights.networks import read_arrays

NETWORK = ["--model", MODEL, "--stem", "cifar", "--image_resize", 16, "--crop_pct", 1]
TRAINING = [*NETWORK, "--batch_size", 4, "--epoch_size", 1, "--lr", 0.01, "--num_classes", 4]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of five images, and a stranger."""
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in (("ant", "red"), ("bee", "green"), ("cow", "blue")):
        (folder / name).mkdir()
        for number in range(5):
            Image.new("RGB", (20, 20), colour).save(folder / name / f"{number}.webp")
    (folder / "ant" / "list.txt").write_text("of ants")
    return folder


def test_a_folder_of_classes_trains_and_is_validated_on_what_it_held_out(
    photos: Path, tmp_path: Path, command: Command
) -> None:
    run, data = tmp_path / "run", ["--data_dir", photos]
    status, output, error = command("train", *TRAINING, *data, "--ckpt_save_dir", run)
    assert status == 0, error
    notes = [line for line in output.splitlines() if line.startswith("note: ")]
    expected = (
        "has classes of its own, not ImageNet's: it is read as with --dataset folder",
        f"{photos} has no validation split; held out for it: 3 of its 15 images",
        f"1 file without an image's suffix passed over (first: {photos}/ant/list.txt)",
        "the network has 4 classes and the data have 3",
    )
    assert [sum(text in note for note in notes) for text in expected] == [1] * 4
    assert "4 classes, 12 images in 3 steps" in output
    assert json.loads((run / "classes.json").read_text()) == {
        "names": ["ant", "bee", "cow", "3"],
        "indices": {"ant": 0, "bee": 1, "cow": 2},
    }
    held_out = json.loads((run / "split.json").read_text())
    assert (held_out["ratio"], held_out["seed"], len(held_out["files"])) == (0.2, 42, 3)
    checkpoint = run / f"{MODEL}-last.ckpt"
    status, output, error = command("train", *TRAINING, *data, "--ckpt_save_dir", run, "--resume_opt", "--seed", 7)
    assert status == 0, error
    assert "validation images are the 3 that the run holds out by its split.json" in output
    assert json.loads((run / "split.json").read_text()) == held_out

    validate = ["validate", "--model", MODEL, "--ckpt_path"]
    status, output, error = command(*validate, checkpoint, *data, "--val_ratio", 0.5, "--json", tmp_path / "result")
    assert status == 0, error
    assert json.loads((tmp_path / "result").read_text())["images"] == 3
    status, output, error = command("predict", photos / "ant", "--ckpt_path", checkpoint, "--topk", 4)
    assert status == 0, error
    assert all(name in output for name in ("ant", "bee", "cow", "3"))

    # a validation folder that lacks a class has the run's indices; without the run nobody knows them
    for name in ("ant", "cow"):
        shutil.copytree(photos / name, tmp_path / "part" / "val" / name)
    status, output, error = command(*validate, checkpoint, "--dataset", "folder", "--data_dir", tmp_path / "part")
    assert status == 0, error
    assert "10 images" in output
    write_arrays(read_arrays(checkpoint), tmp_path / "copied.ckpt")  # which no longer tells its classes
    part = [*NETWORK[2:], "--dataset", "folder", "--data_dir", tmp_path / "part", "--num_classes", 4]
    status, _, error = command(*validate, tmp_path / "copied.ckpt", *part)
    assert status == 2
    assert "tells 4 classes" in error
    assert "put the run's classes.json beside the checkpoint" in error
    (tmp_path / "part" / "val" / "bee").symlink_to(photos / "bee")
    (tmp_path / "part" / "val" / "cow").rename(tmp_path / "part" / "val" / "zebra")
    status, _, error = command(*validate, checkpoint, "--dataset", "folder", "--data_dir", tmp_path / "part")
    assert status == 2
    assert "class 'zebra' of" in error

    # fine-tuning on the same images holds out what the weights were not trained on
    words = [*TRAINING, *data, "--seed", 5, "--ckpt_path", checkpoint, "--ckpt_save_dir", tmp_path / "again"]
    status, output, error = command("train", *words)
    assert status == 0, error
    assert json.loads((tmp_path / "again" / "split.json").read_text())["files"] == held_out["files"]

    # fine-tuning on other classes of the same number
    for name in ("dog", "elk", "fox", "gnu"):
        shutil.copytree(photos / "ant", tmp_path / "others" / name)
    words = ["--data_dir", tmp_path / "others", "--ckpt_path", checkpoint, "--ckpt_save_dir", tmp_path / "tuned"]
    status, output, error = command("train", *TRAINING, *words)
    assert status == 0, error
    assert f"{checkpoint} was trained on other classes (ant, bee, cow ...)" in output


def test_folders_read_as_such_are_called_so(photos: Path, tmp_path: Path, command: Command) -> None:
    words = [*NETWORK, "--epoch_size", 1, "--batch_size", 4]
    status, output, error = command("train", *words, "--data_dir", photos, "--ckpt_save_dir", tmp_path / "run")
    assert status == 0, error
    assert "has classes of its own" in output
    checkpoint = tmp_path / "run" / f"{MODEL}-last.ckpt"
    status, output, _ = command("validate", "--ckpt_path", checkpoint, "--json", tmp_path / "result")
    assert "classes of its own" not in output
    assert json.loads((tmp_path / "result").read_text())["dataset"] == "folder"


def test_too_few_outputs(photos: Path, tmp_path: Path, command: Command) -> None:
    words = ["train", *NETWORK, "--num_classes", 2, "--ckpt_save_dir", tmp_path / "run"]
    status, _, error = command(*words, "--data_dir", photos)
    assert status == 2
    assert "has 3 classes; use --num_classes 3" in error
    for wnid, name in (("n01440764", "ant"), ("n01443537", "bee"), ("n01484850", "cow")):
        for split in ("train", "val"):
            shutil.copytree(photos / name, tmp_path / split / wnid)
    status, _, error = command(*words, "--data_dir", tmp_path)
    assert status == 2
    assert "--dataset folder for the 3 classes with images" in error
