"""``data stats``, ``data check`` and ``data show``: what they tell, write and refuse."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Command


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight images of two classes, three of them ants, without a validation split."""
    draw = np.random.default_rng(0)
    for number in range(8):
        path = tmp_path / "photos" / ("ant" if number < 3 else "bee") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (10, 10 + number, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def test_stats(photos: Path, tmp_path: Path, command: Command) -> None:
    (photos / "bee" / "bad.jpg").write_bytes(b"<html>")
    status, output, error = command("data_stats", photos, "--json", tmp_path / "stats.json")
    assert status == 0, error
    assert "folder: 2 classes, 7 images in train, 2 images in val" in output
    assert "balance: bee has 5 training images and ant 2, 2.5 times as many" in output
    assert f"unreadable: {photos}/bee/bad.jpg: its header is not that of an image" in output
    stats = json.loads((tmp_path / "stats.json").read_text())
    (options,) = [line.strip() for line in output.splitlines() if line.startswith("  --mean")]
    assert options == " ".join(
        f"--{name} {' '.join(f'{value:.3f}' for value in stats[name])}" for name in ("mean", "std")
    )
    assert stats["class_names"] == ["ant", "bee"]
    assert stats["splits"]["train"]["per_class"] == [2, 5]


def test_stats_of_many_classes_show_both_ends(tmp_path: Path, command: Command) -> None:
    for number in range(45):
        folder = tmp_path / f"class{number:02}"
        folder.mkdir()
        for copy in range(2 + number % 7):
            Image.new("L", (4, 4), number).save(folder / f"{copy}.png")
    status, output, error = command("data_stats", tmp_path, "--val_split", "train")
    assert status == 0, error
    assert "the 10 largest of 45 classes (--json has all)" in output
    assert "the 10 smallest" in output
    assert "the images are grey; for one channel: --in_channels 1 --mean " in output
    assert sum("class" in line and line.split()[-1].isdigit() for line in output.splitlines()) == 20


def test_check_ends_with_1_if_there_is_something(photos: Path, tmp_path: Path, command: Command) -> None:
    status, output, error = command("data_check", photos)
    assert (status, error) == (0, "")
    assert output.splitlines()[-1] == f"folder in {photos}: 6 images in train, 2 images in val looked at"
    shutil.copy(photos / "bee" / "5.png", photos / "ant" / "copy.png")
    (photos / "ant" / "empty.jpg").touch()
    (photos / "ant" / "notes.txt").touch()
    words = ["--val_split", "train", "--json", tmp_path / "found.json"]
    status, output, error = command("data_check", photos, *words)
    assert status == 1
    assert f"unreadable: {photos}/ant/empty.jpg: it is empty\n" in output
    assert f"no image: {photos}/ant/notes.txt\n" in output
    assert f"label conflict, ant and bee: {photos}/ant/copy.png = {photos}/bee/5.png\n" in output
    assert error == (
        f"error: {photos} has 1 unreadable image, 1 file that is no image, 1 image there more than once,"
        " 1 of these in several classes, so a label is wrong: mend or remove what is named above\n"
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["is_clean"] is False
    assert [(one["is_leak"], one["is_conflict"], len(one["copies"])) for one in found["duplicates"]] == [
        (False, True, 2)
    ]


def test_a_leak_is_called_so(photos: Path, command: Command) -> None:
    for split in ("train", "val"):
        shutil.copytree(photos / "ant", photos / split / "ant")
    shutil.rmtree(photos / "ant")
    shutil.rmtree(photos / "bee")
    status, output, error = command("data_check", "--dataset", "folder", "--data_dir", photos)
    assert status == 1
    assert f"leak, in train and val: {photos}/train/ant/0.png = {photos}/val/ant/0.png\n" in output
    assert "3 of these in several splits, so validation sees what was trained on" in error


def test_show_takes_a_recipe_and_replaces_nothing_but_a_sheet(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["-c", "digits", "--images", 2, "--views", 1, "--weight_decay", "0.1"]
    for _ in range(2):
        status, output, error = command("data_show", *words)
        assert status == 0, error
    assert output == ("show.png: 2 images of digits in 1 view each, and the learning rate of 20 epochs of 22 steps\n")
    Image.new("L", (4, 4)).save("mine.png")
    status, _, error = command("data_show", *words, "--output", "mine.png")
    assert status == 2
    assert "mine.png is there already and is no earlier result" in error


@pytest.mark.parametrize(
    ("verb", "words", "message"),
    [
        ("data_stats", ["--json", "a.json"], "shufflenet data stats needs a data set; for example: "),
        ("data_stats", ["nowhere"], "no folder nowhere"),
        ("data_check", ["empty"], "no folder empty/train"),
        ("data_check", ["file"], "no folder file"),
        ("data_check", ["empty", "--data_dir", "empty"], "empty and --data_dir are given: leave one out"),
        ("data_check", ["empty", "--lr", "1"], "shufflenet data check does not take --lr"),
        ("data_show", ["empty"], "unexpected argument empty"),
        ("data_show", ["-c", "digits", "--output", "show.txt"], "show.txt is no picture"),
        ("data_show", ["--data_dir", "empty"], "no folder empty/train"),
    ],
)
def test_bad_input_gets_one_line(
    verb: str, words: list[str], message: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    status, _, error = command(verb, *words)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
