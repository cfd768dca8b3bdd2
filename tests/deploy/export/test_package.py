"""Packages for the ONNX model zoo and for Hugging Face."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import yaml
from mindspore import nn
from onnx import TensorProto, helper, numpy_helper

from mindcv_shufflenet import create_model
from mindcv_shufflenet.deploy.export.card import Score
from mindcv_shufflenet.deploy.export.exported import Exported
from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY, Golden, golden_input
from mindcv_shufflenet.deploy.export.package import hf_package, zoo_package
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.engines.runs import in_batches
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.storage.archive import unpack_tar
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.formats import read_file
from mindcv_shufflenet.weights.metadata import ENTRY, EXPORT_ENTRY, Metadata
from tests.small import MODEL
from tests.weights.networks import arrays_of, random_network, same

OPTIONS: dict[str, Any] = {"layout": "torchvision", "pool": "pad"}
LABELS = ("ant", "bee", "cat|dog", "dragonfly", "é")
# Of the network and preprocessing of torchvision's weights.
TV: dict[str, Any] = {"published_as": "shufflenet_v2_x1_0.tv_in1k"}
SMALL = Preprocessing(image_resize=32, crop_pct=0.5)
SCORE = Score("cifar10", 900, 81.0, 95.5, "ONNX Runtime 1.31 on two cores")


@pytest.fixture
def network(pynative: None) -> nn.Cell:
    return random_network(MODEL, num_classes=5, **OPTIONS)


@pytest.fixture
def write(network: nn.Cell) -> Callable[..., Exported]:
    """Make the network a model as ``shufflenet export`` does, with some settings."""

    def written(
        batch: int | None = None,
        preprocessing: Preprocessing = SMALL,
        labels: tuple[str, ...] = LABELS,
        **settings: object,
    ) -> Exported:
        model = onnx_model(network, Interface(32, batch))
        images = golden_input((2, 3, 32, 32), "float32")
        outputs = in_batches(OnnxRuntimeEngine.start(model).run, images, batch)
        settings = {"precision": "fp32", "target": "x86", "weights": "net.ckpt", "weights_sha256": "0" * 64} | settings
        options = {"model": MODEL, "dataset": "cifar10"} | OPTIONS | preprocessing.options()
        classes = Classes(labels, {name: index for index, name in enumerate(labels)}) if labels else None
        entries = {
            ENTRY: Metadata(options, classes, 7, temperature=1.5).dump(),
            EXPORT_ENTRY: json.dumps(settings),
            GOLDEN_ENTRY: Golden.of(images, outputs, 1e-3, "ONNX Runtime").dump(),
            "labels": "\n".join(labels),
        }
        helper.set_model_props(model, entries)
        return Exported.of(model)

    return written


def read_tensor(path: Path) -> tuple[str, np.ndarray]:
    tensor = TensorProto.FromString(path.read_bytes())
    return tensor.name, numpy_helper.to_array(tensor)


@pytest.mark.parametrize("batch", [None, 3])
def test_the_zoo_s_archive_holds_the_model_and_tests_that_it_passes(
    batch: int | None, write: Callable, tmp_path: Path
) -> None:
    exported = write(batch, published_as="shufflenet_v2_x1_0.tv_in1k")
    archive = tmp_path / "net-17.tar.gz"
    zoo_package(exported, archive, measured=[SCORE])
    unpack_tar(archive, tmp_path)
    folder = tmp_path / "net-17"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    assert files == ["README.md", "net-17.onnx", "test_data_set_0/input_0.pb", "test_data_set_0/output_0.pb"]
    (given, images), (taken, expected) = (
        read_tensor(folder / "test_data_set_0" / f"{kind}_0.pb") for kind in ("input", "output")
    )
    session = onnxruntime.InferenceSession(folder / "net-17.onnx", providers=["CPUExecutionProvider"])
    assert np.allclose(session.run([taken], {given: images})[0], expected, rtol=1e-5)
    assert expected.shape == (batch or 2, 5)
    text = (folder / "README.md").read_text()
    told = (
        "ShuffleNetV2", "BSD-3-Clause", "5666bf0f80.pth", "0" * 64,
        hashlib.sha256((folder / "net-17.onnx").read_bytes()).hexdigest(),
        f"| input | `image` | float32 | [{batch or 'batch'}, 3, 32, 32] |",
        f"| output | `logits` | float32 | [{batch or 'batch'}, 5] |",
        "short side to 64 pixels", "| cifar10 | 900 | 81.00 | 95.50 | measured, ONNX Runtime 1.31 on two cores |",
        "| imagenet | 50,000 | 69.36 | 88.32 | published for another network or preprocessing than this one, torch",
        "shufflenet check net-17.onnx", "The file holds the names of the classes, the preprocessing, and",
        "layout=torchvision",
    )  # fmt: skip
    assert [one for one in told if one not in text] == []
    again = tmp_path / "again" / "net-17.tar.gz"
    zoo_package(exported, again, measured=[SCORE])
    assert again.read_bytes() == archive.read_bytes()


def test_hugging_face_s_folder_holds_weights_that_load_and_keys_that_are_known(
    write: Callable, network: nn.Cell, tmp_path: Path
) -> None:
    exported, folder = write(), tmp_path / "net"
    hf_package(exported, folder, arrays_of(network))
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.onnx", "model.safetensors"]
    assert (folder / "model.onnx").read_bytes() == exported.content
    loaded = create_model(MODEL, num_classes=5, checkpoint_path=folder / "model.safetensors")
    assert same(arrays_of(loaded), arrays_of(network))
    assert loaded.options["layout"] == "torchvision"
    assert read_file(folder / "model.safetensors").metadata
    config = json.loads((folder / "config.json").read_text())
    assert (config["architecture"], config["num_classes"], config["label_names"]) == (MODEL, 5, [*LABELS])
    known = config["pretrained_cfg"]
    assert (known["input_size"], known["crop_pct"], known["interpolation"]) == ([3, 32, 32], 0.5, "bilinear")
    assert np.allclose(known["mean"], [0.485, 0.456, 0.406])
    assert np.allclose(known["std"], [0.229, 0.224, 0.225])
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(header)
    assert (head["license"], head["pipeline_tag"], head["datasets"]) == ("unknown", "image-classification", ["cifar10"])
    assert "model-index" not in head
    assert "| licence of the weights | not known |" in text
    assert "| `net.ckpt`, trained on cifar10, after epoch 7 |" in text
    assert "Not known: neither published nor measured." in text
    assert "Divide the logits by the temperature 1.5 first" in text


def test_a_quantised_model_does_not_pass_off_the_float_score_as_its_own(write: Callable, tmp_path: Path) -> None:
    settings = {"method": "Entropy", "excluded": ["first_conv.0"], "accuracy": {"before": 81.5}}
    exported = write(published_as="shufflenet_v2_x1_0.tv_in1k", precision="int8", int8=settings)
    hf_package(exported, tmp_path / "net", {}, measured=[SCORE])
    _, header, text = (tmp_path / "net" / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(header)
    assert [one["metrics"][0]["value"] for one in head["model-index"][0]["results"]] == [81.0]
    assert head["license"] == "bsd-3-clause"
    rows = ("| method | Entropy |", '| excluded | ["first_conv.0"] |', "| accuracy.before | 81.5 |")
    assert all(row in text for row in rows)
    assert "published for the weights in float32" in text


def head_and_text(folder: Path) -> tuple[dict[str, Any], str]:
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header), text


@pytest.mark.parametrize("size", [224, 32])
def test_the_published_score_is_claimed_for_the_publisher_s_preprocessing_alone(
    size: int, write: Callable, tmp_path: Path
) -> None:
    exported = write(preprocessing=Preprocessing(image_resize=size, resize_backend="pillow"), **TV)
    hf_package(exported, tmp_path / "net", {})
    head, text = head_and_text(tmp_path / "net")
    assert (head["license"], head["datasets"]) == ("bsd-3-clause", ["imagenet-1k"])
    assert ("model-index" in head) == (size == 224)
    assert ("| published, torchvision" in text) == (size == 224)


def test_weights_that_the_user_names_claim_nothing(write: Callable, tmp_path: Path) -> None:
    hf_package(write(named_as="shufflenet_v2_x1_0.tv_in1k"), tmp_path / "net", {})
    head, text = head_and_text(tmp_path / "net")
    assert head["license"] == "unknown"
    assert not head.keys() & {"datasets", "model-index"}
    assert "`net.ckpt`, named `shufflenet_v2_x1_0.tv_in1k` by the user, which no checksum proves" in text
    assert "download.pytorch.org" not in text


def test_a_card_claims_no_names_of_classes_that_are_not_there(write: Callable, tmp_path: Path) -> None:
    hf_package(write(labels=()), tmp_path / "net", {})
    _, text = head_and_text(tmp_path / "net")
    assert "The file holds the preprocessing, and golden inputs with their outputs. The names of the classes" in text


def test_a_card_says_that_it_is_judged_on_calibration_images(write: Callable, tmp_path: Path) -> None:
    int8 = {"calibration_images": 9, "held_out_images": 3, "calibration_in_validation": 5, "top1_int8": None}
    hf_package(write(precision="int8", int8=int8), tmp_path / "net", {})
    _, text = head_and_text(tmp_path / "net")
    assert "The validation images include 5 of the 12 calibration images" in text
    assert "top1_int8" not in text


def test_a_package_is_replaced(write: Callable, tmp_path: Path) -> None:
    model, archive, folder = write(), tmp_path / "net.tar.gz", tmp_path / "net"
    archive.write_bytes(b"mine")
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    zoo_package(model, archive)
    hf_package(model, folder, {})
    assert tarfile.is_tarfile(archive)
    assert len([*folder.iterdir()]) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "net.tar.gz"]


def test_a_wrong_machine_is_told(write: Callable, tmp_path: Path) -> None:
    exported = write()
    weight = next(one for one in exported.model.graph.initializer if one.name == "first_conv.0.weight")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.1, weight.name))
    with pytest.raises(RunError, match="no package is written: the model's outputs on ONNX Runtime differ"):
        zoo_package(exported, tmp_path / "net.tar.gz")
    assert not [*tmp_path.iterdir()]
