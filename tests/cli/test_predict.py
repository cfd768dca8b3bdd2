"""``predict``: the table, the JSON and the pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.deploy.predictor import Prediction, Predictor
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights.formats import write_arrays
from tests.cli.conftest import MODEL, Command
from tests.weights.networks import arrays_of, random_network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.ckpt"
    write_arrays(arrays_of(random_network(MODEL, num_classes=6)), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("one/bird.png", "two/bird.png", "cat.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


def test_a_folder_is_predicted_and_shown(command: Command, checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    words = [photos, "--model", MODEL, "--ckpt_path", checkpoint, "--image_resize", 64, "--topk", 2]
    status, output, error = command("predict", *words, "--cam", tmp_path / "cam", "--json", tmp_path / "result.json")
    assert status == 0, error
    assert f"{photos}/cat.jpg\n  1  " in output
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["model"] == MODEL
    assert [Path(p["image"]).name for p in result["predictions"]] == ["cat.jpg", "bird.png", "bird.png"]
    for prediction in result["predictions"]:
        assert prediction["label"] == str(prediction["index"])
        assert len(prediction["topk"]) == 2
        assert Path(prediction["cam"]).is_file()
    names = sorted(path.name for path in (tmp_path / "cam").iterdir())
    assert names == [
        "bird-1-cam.png",
        "bird-cam.png",
        "cat-cam.png",
    ]


def test_a_damaged_image_does_not_lose_the_others(
    command: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.jpg").write_bytes((photos / "cat.jpg").read_bytes()[:300])
    (photos / "zero.png").touch()
    words = ["--model", MODEL, "--ckpt_path", checkpoint, "--image_resize", 64, "--batch_size", 2, "--topk", 1]
    status, output, error = command("predict", photos, *words, "--json", tmp_path / "result.json")
    assert status == 1
    assert error == "error: of 5 images 2 cannot be read, for the reasons that are listed above\n"
    result = json.loads((tmp_path / "result.json").read_text())
    assert [Path(p["image"]).name for p in result["predictions"]] == ["cat.jpg", "bird.png", "bird.png"]
    assert [Path(p["image"]).name for p in result["failed"]] == ["broken.jpg", "zero.png"]
    for failure in result["failed"]:
        assert f"not predicted: {failure['reason']}\n" in output
    status, _, error = command("predict", photos / "zero.png", *words)
    assert (status, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: cannot read the image {photos}/zero.png: its header is not that of an image")


def test_results_come_as_soon_as_their_batch_is_computed(photos: Path) -> None:
    """The second batch is not read before the first is given."""
    predictor = Predictor(random_network(num_classes=4), batch_size=2, image_resize=32, crop_pct=1)
    files = [photos / "cat.jpg", photos / "none.jpg", photos / "one" / "bird.png", photos / "two" / "bird.png"]
    read: list[Path] = []

    def noted(file: Path) -> Path:
        read.append(file)
        return file

    outcomes = predictor.outcomes(noted(file) for file in files)
    assert isinstance(next(outcomes), Prediction)
    assert read == files[:3]
    assert isinstance(next(outcomes), UserError)
    assert [found.index for found in outcomes if isinstance(found, Prediction)] == [
        predictor(file).index for file in files[2:]
    ]
    with pytest.raises(UserError, match=r"none\.jpg"):
        predictor(files)


def test_whose_weights(command: Command, photos: Path) -> None:
    """A model alone means its published weights, as mindcv's infer.py has it."""
    assert "whose weights? give --ckpt_path FILE, or --model" in command("predict", photos)[2]
    assert "whose weights? pretrained is False" in command("predict", photos, "--model", MODEL, "--no-pretrained")[2]
    status, _, error = command("predict", "--image_path", photos / "cat.jpg", "--model", "resnet50")
    assert (status, "no published weights of resnet50" in error) == (2, True)


def test_ckpt_path_counts(command: Command, checkpoint: Path, photos: Path) -> None:
    words = ["--image_path", photos / "cat.jpg", "--model", MODEL, "--ckpt_path", checkpoint, "--image_resize", 64]
    _, output, error = command("predict", *words, "--json", "-")
    assert json.loads(output)["predictions"][0]["index"] < 6  # of the file's classes, not of ImageNet's
    assert "published weights" not in error


def test_a_switch_does_not_swallow_the_image(command: Command, photos: Path) -> None:
    status, _, error = command("predict", "--model", "resnet50", "--pretrained", photos / "cat.jpg")
    assert status == 2
    assert "no published weights of resnet50" in error


def test_no_photo_is_replaced_by_its_picture(command: Command, checkpoint: Path, photos: Path) -> None:
    before = (photos / "one" / "bird.png").read_bytes()
    words = [photos / "one", "--model", MODEL, "--ckpt_path", checkpoint, "--image_resize", 64, "--cam", photos / "one"]
    assert command("predict", *words)[0] == 0
    assert (photos / "one" / "bird.png").read_bytes() == before
    assert (photos / "one" / "bird-cam.png").is_file()


def test_the_model_is_the_run_directorys(command: Command, finished_run: Path, photos: Path) -> None:
    status, output, error = command("predict", photos, "--ckpt_path", finished_run / f"{MODEL}-best.ckpt")
    assert status == 0, error
    assert f"note: from {finished_run}/{MODEL}-best.ckpt: model={MODEL}" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.jpg", "--pretrained"], "there is no file or folder none.jpg"),
        (["{photos}", "--ckpt_path", "{checkpoint}", "--topk", "0"], "topk=0"),
        (["{photos}", "--ckpt_path", "{checkpoint}", "--num_classes", "7"], "(6, 1024) there and (7, 1024) here"),
        (["{photos}", "--ckpt_path", "{checkpoint}", "--cam", "/dev/null/x"], "give --cam another folder"),
        (["{photos}", "--lr", "1"], "does not take --lr"),
        (["{photos}", "--cam", ""], "cam is given and empty"),
        (["{photos}", "--ckpt_path", "none.ckpt"], "there is no checkpoint none.ckpt"),
        ([], "infer.py needs images; for example: `python infer.py bird.jpg"),
    ],
)
def test_bad_input_gets_one_line(
    words: list[str], message: str, command: Command, checkpoint: Path, photos: Path
) -> None:
    filled = [word.format(photos=photos, checkpoint=checkpoint) for word in words]
    status, _, error = command("predict", *filled, "--model", MODEL)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
