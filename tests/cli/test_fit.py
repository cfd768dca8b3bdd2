"""``shufflenet fit``: from a folder of photos to files that work without this package."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.fitting import fit
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.weights.load import read_weights
from tests.cli.conftest import MODEL, Command

CLASSES = ("猫 🐱", "a dog", "elk")


def photo(label: int, seed: int) -> Image.Image:
    """Noise with a bright bar, whose direction is the class."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 110, (40, 40, 3))
    place = int(rng.integers(8, 28))
    if label == 0:
        pixels[place : place + 5] += 140
    elif label == 1:
        pixels[:, place : place + 5] += 140
    else:
        pixels[place : place + 5, :20] += 140
        pixels[:20, place : place + 5] += 140
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of three classes, with a copy, a damaged one and a wrong label."""
    folder = tmp_path_factory.mktemp("data") / "my photos"
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(80):
            photo(label, 1000 * label + number).save(folder / name / f"{number}.png")
    photo(0, 0).save(folder / CLASSES[0] / "copy.bmp")
    (folder / CLASSES[1] / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


@pytest.fixture(scope="module")
def fitted(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """A fit from nothing, with time for some epochs: its folder, its result and what it printed."""
    folder = tmp_path_factory.mktemp("fit") / "out"
    words = ["fit", photos, "--out", folder, "--model", MODEL, "--time", "75s", "--json", folder.parent / "result.json"]
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "tests/cli/small.py", *map(str, words)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.perf_counter() - begin < 75 * 1.1
    return folder, json.loads((folder.parent / "result.json").read_text()), done.stdout


def test_it_keeps_its_time_and_its_best_model(fitted: tuple[Path, dict[str, Any], str]) -> None:
    folder, result, output = fitted
    assert isinstance(result["seconds"], float)
    assert result["seconds"] < 75 * 1.1
    assert result["photos"] == 241
    assert result["issues"] == result["issues"] | {"unreadable": 1, "alike": 1}
    assert result["first_top1"] is None
    assert result["top1"] > 60
    assert result["top1_low"] < result["top1"] <= result["top1_high"]
    assert "starting from nothing" in output
    assert "241 photos of 3 classes: " in output
    assert f"python {folder}/classify.py PHOTO..." in output
    metadata = read_weights(folder / f"{MODEL}.ckpt").metadata
    assert metadata is not None
    assert metadata.classes is not None
    assert sorted(metadata.classes.names) == sorted(CLASSES)
    threshold = 1 if result["threshold"] is None else result["threshold"]
    assert (metadata.temperature, metadata.threshold) == (result["temperature"], threshold)


def test_its_tables_name_every_photo(fitted: tuple[Path, dict[str, Any], str], photos: Path) -> None:
    folder = fitted[0]
    with open(folder / "photos.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 241
    assert all(Path(row["photo"]).parent.name == row["class"] for row in rows)
    assert all((folder / row["copy"]).is_file() for row in rows)
    twins = [row for row in rows if row["photo"] in (str(photos / CLASSES[0] / name) for name in ("copy.bmp", "0.png"))]
    assert len({row["group"] for row in twins}) == len({row["split"] for row in twins}) == 1
    with open(folder / "issues.csv") as file:
        found = list(csv.DictReader(file))
    assert {row["kind"] for row in found} >= {"unreadable", "alike"}
    with Image.open(folder / "issues.png") as sheet:
        assert sheet.size[0] > 500


def test_the_script_answers_as_validate_does(
    fitted: tuple[Path, dict[str, Any], str], command: Command, tmp_path: Path
) -> None:
    folder, result, _ = fitted
    held = sorted((folder / "photos" / "val").rglob("*.jpg"))
    words = ["-I", folder / "classify.py", *held]  # without this package's folder on the path
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    right = sum(lines[4 * number + 1].split(maxsplit=1)[1] == path.parent.name for number, path in enumerate(held))
    status, _, error = command(
        "validate", "--ckpt_path", folder / f"{MODEL}.ckpt", "--dataset", "folder", "--data_dir", folder / "photos",
        "--json", tmp_path / "validated.json",
    )  # fmt: skip
    assert status == 0, error
    validated = json.loads((tmp_path / "validated.json").read_text())
    assert validated["images"] == len(held) == result["images"]
    assert validated["top1"] == pytest.approx(100 * right / len(held)) == pytest.approx(result["top1"])


def test_a_page_tells_it_all(fitted: tuple[Path, dict[str, Any], str]) -> None:
    page = (fitted[0] / "report.html").read_text()
    for text in ("Unusual photos", "damaged.jpg", "Confusion matrix", "95 %", "Curves", "猫 🐱", "照片"):
        assert text in page
    assert RunDirectory(fitted[0] / "training").log.is_file()


def test_mistakes_are_told_in_a_line(photos: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    for words, told in (
        (["fit", tmp_path / "nowhere"], f"there is no folder {tmp_path}/nowhere"),
        (["fit", photos, "--out", tmp_path / "mine"], "exists and is no earlier fit: give --out another folder"),
        (["fit", photos, "--out", photos / "out"], "overlap: give --out another folder"),
        (["fit", photos, "--time", "5s"], "5 s is no time for a fit: give 1m to 168h"),
        (["fit", photos, "--model", "shufflenet_v2_x1_1"], "unknown model shufflenet_v2_x1_1"),
        (["fit", photos, "--lr", "0.1"], "lr"),
        (["fit"], "needs a folder of photos"),
    ):
        status, _, error = command(*words)
        assert status == 2, words
        assert told in error
        assert len(error.splitlines()) == 1
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep me"


def test_weights_are_tuned_behind_their_first_classifier(
    photos: Path, fitted: tuple[Path, dict[str, Any], str], tmp_path: Path, command: Command
) -> None:
    """The network is that of the weights: no option names it."""
    words = ["--ckpt_path", fitted[0] / f"{MODEL}.ckpt", "--hflip", "0", "--num_parallel_workers", "2"]
    status, output, error = command(
        "fit", photos, "--out", tmp_path / "out", "--time", "60s", *words, "--json", tmp_path / "result"
    )
    assert status == 0, error
    result = json.loads((tmp_path / "result").read_text())
    assert result["model"] == MODEL
    assert result["first_top1"] > 60
    assert result["epochs"] > 0
    assert result["top1"] >= result["first_top1"]
    assert "first model: right on " in output
    with open(tmp_path / "out" / "photos.csv", newline="") as file:
        assert all(-1 <= float(row["margin"]) <= 1 for row in csv.DictReader(file))
    config = (tmp_path / "out" / "training" / "config.yaml").read_text()
    assert "hflip: 0.0\n" in config


def test_photos_of_which_each_class_has_one(tmp_path: Path, command: Command) -> None:
    for label, name in enumerate(CLASSES):
        (tmp_path / "photos" / name).mkdir(parents=True)
        photo(label, label).save(tmp_path / "photos" / name / "0.png")
    status, _, error = command("fit", tmp_path / "photos", "--out", tmp_path / "out", "--model", MODEL)
    assert status == 2
    assert "each class has one photo alone, or copies of one, so there is none to check with: add photos" in error
    assert not (tmp_path / "out").exists()


def test_few_photos_with_weights_keep_the_classifier(
    photos: Path,
    fitted: tuple[Path, dict[str, Any], str],
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in CLASSES[:2]:
        (tmp_path / "few" / name).mkdir(parents=True)
        for path in sorted((photos / name).glob("?.png")):
            (tmp_path / "few" / name / path.name).symlink_to(path)
    weights = ["--ckpt_path", fitted[0] / f"{MODEL}.ckpt", "--model", MODEL]
    status, output, error = command(
        "fit", tmp_path / "few", "--out", tmp_path / "out", *weights, "--json", tmp_path / "result"
    )
    assert status == 0, error
    assert "fewer than 200 photos: the classifier alone is trained" in output
    result = json.loads((tmp_path / "result").read_text())
    assert (result["images"], result["trained_top1"], result["epochs"]) == (20, None, 0)
    status, _, error = command("fit", tmp_path / "few", "--out", tmp_path / "out", *weights)
    assert status == 2
    assert "has an earlier fit: give --out another folder, or --overwrite" in error

    def fail(*_: object) -> None:
        raise RunError("the runtime computes it incorrectly")

    monkeypatch.setattr(fit, "keep_int8", fail)
    words = ["--out", tmp_path / "out", "--overwrite", "--json", tmp_path / "result"]
    status, output, error = command("fit", tmp_path / "few", *words, *weights)
    assert status == 0, error
    assert "there is no int8 file: the runtime computes it incorrectly" in output
    assert json.loads((tmp_path / "result").read_text())["int8"] is None
    assert [path.name for path in (tmp_path / "out").glob("*.onnx")] == [f"{MODEL}.onnx"]
