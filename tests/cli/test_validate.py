"""``validate``: exact figures, and what it refuses."""

import csv
import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet.evaluation.evaluate import images_per_second
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import read_weights
from mindcv_shufflenet.weights.metadata import metadata_of
from tests.cli.conftest import MODEL, Command
from tests.weights.networks import random_network, read_arrays


def validate(command: Command, *words: object) -> dict[str, float]:
    status, output, error = command("validate", "--model", MODEL, "--dataset", "digits", "--json", "-", *words)
    assert status == 0, error
    return json.loads(output)


def test_a_checkpoint_scores_what_training_logged_for_every_batch_size(finished_run: Path, command: Command) -> None:
    """Stem and preprocessing come from the run's config.yaml."""
    with open(finished_run / "log.csv") as file:
        last = list(csv.DictReader(file))[-1]
    for batch_size in (7, 64, 500):
        got = validate(command, "--ckpt_path", finished_run / f"{MODEL}-last.ckpt", "--batch_size", batch_size)
        assert set(got) == {"model", "dataset", "images", "top1", "top5", "loss", "images_per_second"}
        assert got["images"] == 360
        assert got["top1"] == float(last["val_top1"])
        assert got["top5"] == float(last["val_top5"])
        assert got["loss"] == pytest.approx(float(last["val_loss"]), rel=1e-6)


def test_pynative_mode_gives_the_same(finished_run: Path, command: Command) -> None:
    checkpoint = finished_run / f"{MODEL}-last.ckpt"
    graph, jit = (validate(command, "--ckpt_path", checkpoint, "--mode", mode) for mode in (0, 1))
    assert graph["loss"] == pytest.approx(jit["loss"], rel=1e-6)


def test_mixed_precision_is_close(finished_run: Path, command: Command) -> None:
    checkpoint = finished_run / f"{MODEL}-last.ckpt"
    full, half = (validate(command, "--ckpt_path", checkpoint, "--val_amp_level", level) for level in ("O0", "O3"))
    assert half["loss"] == pytest.approx(full["loss"], rel=0.02)
    assert half["loss"] != full["loss"]


def test_what_was_taken_over_is_told(finished_run: Path, command: Command) -> None:
    """The checkpoint and its run are enough: model, preprocessing and data set."""
    status, output, error = command("validate", "--ckpt_path", finished_run / f"{MODEL}-last.ckpt")
    assert status == 0, error
    source = f"note: from {finished_run}/{MODEL}-last.ckpt:"
    assert f"{source} model={MODEL}, stem=cifar, image_resize=16, crop_pct=1.0, dataset=digits\n" in output
    assert "preprocessing: opencv resize to 16, crop 16, rgb" in output
    assert "top-1" in output


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_a_checkpoint_scores_the_same_wherever_it_is_and_whatever_it_becomes(
    stem: str, command: Command, tmp_path: Path
) -> None:
    """Network, preprocessing and classes travel in the file."""
    own: dict[str, Any] = {"model": MODEL, "layout": "megvii", "pool": "same", "stem": stem}
    own |= {"dataset": "digits", "seed": 7, "val_ratio": 0.4}
    options = own | {"image_resize": 32, "crop_pct": 1.0, "mean": [120.0] * 3, "std": [60.0] * 3}
    network = random_network(MODEL, stem=stem, num_classes=10)
    classes = Classes(tuple("abcdefghij"), {str(digit): digit for digit in range(10)})
    original = tmp_path / "net.ckpt"
    save_checkpoint(network, original, metadata_of(parse_config(options), classes, 3)._replace(temperature=1.5))

    def loss(path: Path) -> float:
        words = ["--ckpt_path", path, "--num_samples", 60, "--json", "-"]
        status, output, error = command("validate", *words)
        assert status == 0, error
        assert json.loads(output)["model"] == MODEL
        return json.loads(output)["loss"]

    expected = loss(original)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copied = elsewhere / "renamed.bin"
    copied.write_bytes(original.read_bytes())
    assert loss(copied) == expected
    kinds = [".safetensors", ".npz", ".onnx", ".ckpt"] + [".pth"] * (find_spec("torch") is not None)
    source = original
    for suffix in kinds:  # from each kind to the next, under Megvii's names, which alone would tell another origin
        target = elsewhere / f"net{suffix}"
        assert command("convert", source, target, "--keys", "megvii")[0] == 0
        got, first = read_weights(target).metadata, read_weights(original).metadata
        assert got
        assert first
        assert got.options | first.options == got.options  # the graph in the ONNX file tells more
        assert got[1:] == first[1:]
        source = target
    assert loss(source) == pytest.approx(expected, rel=1e-6)


def test_a_rank_without_images_has_no_speed() -> None:
    """More ranks than images."""
    assert images_per_second(2, 3, [1.0]) == 0.0
    assert images_per_second(2, 3, [1.0, 3.0]) == 1.0


def test_nothing_is_validated_by_accident(command: Command) -> None:
    status, _, error = command("validate", "--model", MODEL, "--dataset", "digits")
    assert status == 2
    assert "--random_weights" in error


def test_other_classes_of_the_same_number_are_refused(finished_run: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((finished_run / "config.yaml").read_bytes())
    write_arrays(read_arrays(finished_run / f"{MODEL}-last.ckpt"), tmp_path / f"{MODEL}-last.ckpt")
    indices = {str(digit): 9 - digit for digit in range(10)}
    (tmp_path / "classes.json").write_text(json.dumps({"names": list(indices), "indices": indices}))
    words = ["--model", MODEL, "--dataset", "digits", "--ckpt_path", tmp_path / f"{MODEL}-last.ckpt"]
    status, _, error = command("validate", *words)
    assert status == 2
    assert "class 0 has index 0 in the data and 9 in" in error


def test_training_options_are_not_read_and_that_is_told(finished_run: Path, command: Command, tmp_path: Path) -> None:
    words = ["--model", MODEL, "--dataset", "digits", "--ckpt_path", finished_run / f"{MODEL}-last.ckpt"]
    result = tmp_path / "result.json"
    _, output, _ = command("validate", *words, "--lr", 1, "--mixup", 0.5, "--eval_shuffle", "--json", result)
    assert "note: validate does not read lr, mixup\n" in output
    assert json.loads(result.read_text())["images"] == 360


def test_a_sample_of_imagenet(imagenet_sample: Path, command: Command) -> None:
    """100 images of 100 classes under their indices among the 1000."""
    words = ["--dataset", "imagenet", "--data_dir", imagenet_sample, "--image_resize", 64]
    got = validate(command, "--random_weights", *words)
    assert got["images"] == 100
    assert got["loss"] == pytest.approx(math.log(1000), rel=0.01)


def test_random_weights_when_asked_for(command: Command) -> None:
    got = validate(command, "--random_weights", "--stem", "cifar", "--image_resize", 8, "--num_samples", 100)
    assert got["images"] == 100
    assert got["top1"] < 40


def test_a_checkpoint_with_another_number_of_classes(finished_run: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "alone.ckpt"
    path.write_bytes((finished_run / f"{MODEL}-last.ckpt").read_bytes())
    words = ["--model", MODEL, "--dataset", "digits", "--ckpt_path", path, "--num_classes", 7]
    status, _, error = command("validate", *words)
    assert status == 2
    assert "num_classes=7 and the data set digits" in error
