"""``validate`` and ``predict`` on other engines than MindSpore, and with files that are run as they are."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import mindcv_shufflenet as zoo
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.network import resolve_preprocessing
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import metadata_of
from tests.cli.conftest import Command
from tests.cli.jobs import NEEDS_MPIRUN, mpirun
from tests.engines.models import SIZE, export, foreign
from tests.small import MODEL
from tests.weights.networks import random_network

CLASSES = Classes(tuple("abcdefghij"), {str(digit): digit for digit in range(10)})
COLOURS: dict[str, Any] = {"mean": [60.0, 50.0, 40.0], "std": [70.0, 80.0, 90.0], "channel_order": "bgr"}
OPTIONS: dict[str, Any] = {"dataset": "digits", "num_samples": 60, **COLOURS}
EAGER = ["--mode", 1, "--no-jit"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network with random weights in several forms: a checkpoint, and models of several kinds."""
    folder = tmp_path_factory.mktemp("models")
    config = parse_config({"model": MODEL, "image_resize": SIZE, "crop_pct": 1.0, **OPTIONS})
    save_checkpoint(random_network(MODEL, num_classes=10), folder / "net.ckpt", metadata_of(config, CLASSES))
    takes_bytes = Interface(SIZE, normalize=Preprocessing.of(config), softmax=True, output_name="probabilities")
    for name, interface in (("net", Interface(SIZE)), ("bytes", takes_bytes), ("seven", Interface(SIZE, batch=7))):
        onnx.save(export(interface, CLASSES, **OPTIONS), folder / f"{name}.onnx")
    alone = export(Interface(SIZE, batch=1), CLASSES, **OPTIONS)
    del alone.metadata_props[:]
    onnx.save(alone, folder / "alone.onnx")
    zoo.export({"ckpt_path": folder / "net.ckpt"}, folder / "exported.onnx")
    onnx.save(foreign(["n", 3, SIZE, SIZE], {"boxes": ["n", 9], "scores": ["n", 3]}), folder / "detector.onnx")
    (folder / "text.onnx").write_text("not a model\n")
    (folder / "cut.onnx").write_bytes((folder / "net.onnx").read_bytes()[:50_000])
    (folder / "folder.onnx").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(folder / "photo.png")
    return folder


def run(command: Command, verb: str, *words: object) -> dict[str, Any]:
    status, output, error = command(verb, *words, "--json", "-")
    assert status == 0, error
    return json.loads(output)


@pytest.fixture(scope="module")
def figures(files: Path) -> dict[str, float]:
    """What MindSpore computes."""
    from mindcv_shufflenet import evaluate

    result = evaluate({"ckpt_path": files / "net.ckpt", "num_samples": 60, "mode": 1, "jit": False})
    assert 0 < result.top1 < result.top5 < 100  # of a network that tells images apart
    return {"images": result.images, "top1": result.top1, "top5": result.top5, "loss": result.loss}


def same_figures(got: dict[str, float], figures: dict[str, float]) -> None:
    assert {name: got[name] for name in ("images", "top1", "top5")} == {
        name: figures[name] for name in ("images", "top1", "top5")
    }
    assert got["loss"] == pytest.approx(figures["loss"], rel=1e-4)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("given", [("ckpt_path", "net.ckpt"), ("model", "net.onnx"), ("model", "bytes.onnx")])
def test_every_engine_gives_the_same_figures(
    engine: str, given: tuple[str, str], files: Path, figures: dict[str, float], command: Command
) -> None:
    """Of weights, and of files whose metadata tell data set, preprocessing and classes."""
    pytest.importorskip(engine)
    words = ["--engine", engine, "--num_samples", 60, "--batch_size", 25]
    words += ["--precision", "fp32"] if engine == "openvino" else []
    same_figures(run(command, "validate", f"--{given[0]}", files / given[1], *words), figures)


def test_a_file_of_a_fixed_batch_and_what_is_told(files: Path, figures: dict[str, float], command: Command) -> None:
    status, output, error = command("validate", "--model", files / "seven.onnx", "--num_samples", 60)
    assert status == 0, error
    told = "mean=[60.0, 50.0, 40.0], std=[70.0, 80.0, 90.0], channel_order=bgr"
    assert f"note: from {files}/seven.onnx: " in output
    assert told in output
    assert "note: computed by ONNX Runtime, floats in fp32\n" in output
    assert f"{files}/seven.onnx on digits val: top-1 {figures['top1']:.3f} %" in output


def test_the_preprocessing_of_an_exported_file_is_found(files: Path) -> None:
    own = resolve_preprocessing(files / "exported.onnx")
    assert (own.image_resize, own.mean, own.channel_order) == (SIZE, (60.0, 50.0, 40.0), "bgr")


def test_somebody_elses_file_runs_with_the_preprocessing_of_the_options(
    files: Path, figures: dict[str, float], command: Command
) -> None:
    words = ["--mean", 60, 50, 40, "--std", 70, 80, 90, "--dataset", "digits", "--num_samples", 60]
    words = ["--model", files / "alone.onnx", *words, "--crop_pct", 1, "--channel_order", "bgr"]
    same_figures(run(command, "validate", *words), figures)
    _, output, _ = command("validate", *words)
    assert f"{files}/alone.onnx does not say how its network was trained; assumed is interpolation=bilinear" in output


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_predictions_are_the_same(engine: str, files: Path, command: Command) -> None:
    pytest.importorskip(engine)
    photo = files / "photo.png"
    (own,) = run(command, "predict", photo, "--ckpt_path", files / "net.ckpt", "--mode", 1)["predictions"]
    assert own["label"] in CLASSES.names
    words = ["--engine", engine, *(["--precision", "fp32"] if engine == "openvino" else [])]
    for name, value in (("ckpt_path", "net.ckpt"), ("model", "net.onnx"), ("model", "bytes.onnx")):
        (other,) = run(command, "predict", photo, f"--{name}", files / value, *words)["predictions"]
        assert [(found["label"], found["index"]) for found in other["topk"]] == [
            (found["label"], found["index"]) for found in own["topk"]
        ]
        assert other["score"] == pytest.approx(own["score"], rel=1e-4)


@pytest.mark.parametrize(
    ("verb", "words", "message"),
    [
        ("predict", ["--model", "none.onnx"], "there is no file {files}/none.onnx; check the path"),
        ("predict", ["--model", "folder.onnx"], "folder.onnx is a folder: give the ONNX file in it"),
        ("predict", ["--model", "text.onnx"], "text.onnx: it is damaged or no ONNX file"),
        ("predict", ["--model", "cut.onnx"], "cut.onnx: it is damaged or no ONNX file"),
        ("predict", ["--model", "detector.onnx"], "gives boxes [n,9] float32, scores [n,3] float32; supported: one"),
        ("predict", ["--model", "net.onnx", "--engine", "mindspore"], "net.onnx is a whole network: leave engine out"),
        ("predict", ["--model", "net.onnx", "--cam", "cam"], "give the checkpoint as --ckpt_path"),
        ("predict", ["--ckpt_path", "net.ckpt", "--engine", "onnxruntime", "--cam", "cam"], "needs gradients"),
        ("predict", ["--model", "net.onnx", "--stem", "cifar"], "stem=cifar: {files}/net.onnx is a whole network"),
        ("predict", ["--model", "net.onnx", "--num_classes", "9"], "with num_classes=10; leave num_classes out"),
        ("predict", ["--model", "net.onnx", "--image_resize", "64"], "with image_resize=32; leave image_resize out"),
        ("predict", ["--model", "bytes.onnx", "--std", "1", "1", "2"], "leave std out"),
        ("predict", ["--model", "net.onnx", "--ckpt_path", "net.ckpt"], "ckpt_path is given and"),
        ("predict", ["--ckpt_path", "net.ckpt", "--engine", "onnxruntim"], "(did you mean onnxruntime?)"),
        (
            "predict",
            ["--ckpt_path", "exported.onnx"],
            "exported file, which holds no checkpoint: give the checkpoint that it was exported from",
        ),
        ("validate", ["--model", "net.onnx", "--random_weights"], "random_weights is given and"),
        (
            "train",
            ["--model", "net.onnx", "--dataset", "digits"],
            "net.onnx is a file, and here --model NAME is a network's name: give as --ckpt_path",
        ),
    ],
)
def test_bad_input_gets_one_line(verb: str, words: list[str], message: str, files: Path, command: Command) -> None:
    there = {path.name for path in files.iterdir()} | {"none.onnx"}
    filled = [files / word if word in there else word for word in words]
    status, _, error = command(verb, *([files / "photo.png"] if verb == "predict" else []), *filled)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message.format(files=files) in error


def test_data_of_other_classes_are_refused(files: Path, command: Command, tmp_path: Path) -> None:
    for folder in ("train/a", "train/b", "val/a", "val/b"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one.png").write_bytes((files / "photo.png").read_bytes())
    words = ["--model", files / "alone.onnx", "--dataset", "folder", "--data_dir", tmp_path]
    status, _, error = command("validate", *words)
    assert status == 2
    assert f"{files}/alone.onnx has 10 classes, and the data or --num_classes have 2: give data" in error
    assert run(command, "validate", *words, "--num_classes", 10)["images"] == 2


def test_an_engine_that_is_not_installed(files: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    words = [files / "photo.png", "--ckpt_path", files / "net.ckpt", "--engine", "openvino"]
    status, _, error = command("predict", *words)
    assert (status, error) == (
        2,
        'error: openvino is not installed here: pip install "mindcv_shufflenet[openvino]"\n',
    )


def test_mixed_precision_is_mindspores(files: Path, command: Command) -> None:
    words = ["--ckpt_path", files / "net.ckpt", "--num_samples", 60, "--engine", "onnxruntime"]
    _, output, _ = command("validate", *words, "--val_amp_level", "O3", "--precision", "bf16")
    assert "without effect here: val_amp_level (needs the engine mindspore); precision (needs the engine" in output


@NEEDS_MPIRUN
def test_ranks_share_the_images(files: Path, figures: dict[str, float], tmp_path: Path) -> None:
    words = ["--model", files / "net.onnx", "--num_samples", 60, "--json", tmp_path / "result.json"]
    status, _, error = mpirun(2, *words, verb="validate").finish()
    assert status == 0, error
    same_figures(json.loads((tmp_path / "result.json").read_text()), figures)


def test_published_weights_are_verified_on_another_engine(
    imagenet_sample: Path, shared: Path, command: Command
) -> None:
    weights = shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz"
    words = [
        "shufflenet_v2_x1_0.tv_in1k",
        "--data_dir",
        imagenet_sample,
        "--ckpt_path",
        weights,
        "--engine",
        "onnxruntime",
    ]
    result = run(command, "verify", *words)
    assert abs(result["measured"]["top1"] - 81) <= 2
    assert result["agrees"]
    assert {attempt["preprocessing"]: attempt["top1"] for attempt in result["tried"]}["channels bgr"] < 72


def test_the_zoos_int8_file_reaches_its_score(imagenet_sample: Path, shared: Path, command: Command) -> None:
    """79 of the 100 images here; another processor may round one of them otherwise."""
    words = [
        "--dataset",
        "imagenet",
        "--data_dir",
        imagenet_sample,
    ]  # its names are torchvision's, which tells the resize
    got = run(command, "validate", "--model", shared / "weights" / "shufflenet-v2-12-int8.onnx", *words)
    assert abs(got["top1"] - 79) <= 1
    assert abs(got["top5"] - 96) <= 1
