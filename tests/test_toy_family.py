"""A family of a few lines is listed, built, trained, resumed, validated, converted, exported and asked as any other."""

from pathlib import Path

import numpy as np
import pytest
from mindspore import nn
from PIL import Image

from mindcv_shufflenet import Predictor, cli, create_model, families, list_models, load_weights
from mindcv_shufflenet.families.base import Family, Layer, Plan, Project
from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.kernels.library import library
from mindcv_shufflenet.models import base, layers
from tests.weights.networks import read_arrays, same


def describe(width: int, *, in_channels: int, num_classes: int) -> list[Layer]:
    net = Builder(in_channels)
    x = net.conv(0, width, "first.0", {"other": ("conv1",)}, kernel=3, stride=2)
    x = net.stage(net.relu(net.norm(x, "first.1", {"other": ("bn1",)})), "stem")
    net.dense(net.mean(x), num_classes, "classifier", {"other": ("fc",)}, bias=True)
    return net.layers


class ToyNet(base.Network):
    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        conv, norm = layers.conv2d(plan.in_channels, plan.variant, 3, 2), layers.batch_norm(plan.variant)
        self.first = nn.SequentialCell(conv, norm, nn.ReLU())
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.first,),)


@pytest.fixture
def toy() -> object:
    others = {"other": Project("Other")}
    families.register(Family("Toy", f"{__name__}:ToyNet", {"toy_8": 8}, describe, projects=others))
    yield
    del families.FAMILIES["Toy"]


def test_a_toy_family_does_all_that_a_family_does(toy: None, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def run(verb: str, *words: object) -> str:
        assert cli.main([str(word) for word in words], verb=verb) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    assert (list_models("toy*"), "toy_8" in run("models", "toy*")) == (["toy_8"], True)
    train = "--model toy_8 --dataset digits --image_resize 16 --crop_pct 1 --num_samples 64 --batch_size 32".split()
    first = run("train", *train, "--ckpt_save_dir", tmp_path, "--epoch_size", 1)
    assert ("own kernels" in first) == (library() is not None)
    assert "epoch 2/2" in run("train", *train, "--ckpt_save_dir", tmp_path, "--epoch_size", 2, "--resume_opt")
    last = tmp_path / "toy_8-last.ckpt"
    assert "model=toy_8" in run("validate", "--ckpt_path", last)
    run("convert", last, tmp_path / "other.npz", "--keys", "other")
    assert {"conv1.weight", "bn1.running_var", "fc.bias"} < np.load(tmp_path / "other.npz").keys()
    run("convert", tmp_path / "other.npz", tmp_path / "back.ckpt")
    assert same(read_arrays(tmp_path / "back.ckpt"), read_arrays(last))
    assert load_weights(create_model("toy_8", num_classes=10, checkpoint_path=tmp_path / "other.npz"), last) == []
    run("export", "--ckpt_path", last, "--output", tmp_path / "toy.onnx")
    assert "correctly" in run("check", tmp_path / "toy.onnx")
    Image.new("RGB", (20, 20)).save(tmp_path / "photo.png")
    run(
        *("export", "--ckpt_path", last, "--output", tmp_path / "int8.onnx"),
        *("--int8", "--calibration", tmp_path / "photo.png"),
    )
    assert "correctly" in run("check", tmp_path / "int8.onnx")
    assert "toy_8" in run("predict", tmp_path / "photo.png", "--ckpt_path", last)
    assert Predictor(ckpt_path=last)(tmp_path / "photo.png").index in range(10)
