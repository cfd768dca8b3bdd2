"""Exported files: what is in them, what they compute, and what is refused."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from mindspore import Tensor
from scipy.special import softmax

from mindcv_shufflenet import RunError, UserError, check, convert, create_transform, evaluate, export
from mindcv_shufflenet.deploy.export import onnx_file
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.graph.onnx import NEWEST_OPSET
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import Metadata, parse_metadata
from tests.deploy.export.files import OPTIONS, SIZE, exported, photos
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import arrays_of, random_network, same


def images(batch: int = 3, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(batch, 3, size, size)).astype(np.float32)


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return found.shape == wanted.shape and bool(np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max())


def test_a_checkpoint_becomes_a_file_that_computes_the_same_and_says_what_it_is(
    checkpoint: Path, pynative: None
) -> None:
    result, model = exported(checkpoint)
    network = create_model(MODEL, num_classes=5, checkpoint_path=checkpoint).set_train(False)
    assert close(OnnxRuntimeEngine.start(model).run(images())["logits"], network(Tensor(images())).asnumpy())
    assert [str(port) for port in result.inputs + result.outputs] == [
        "image float32 [batch, 3, 32, 32]",
        "logits float32 [batch, 5]",
    ]
    assert (result.opset, result.ir_version, result.precision) == (17, 8, "fp32")
    assert 0 < (result.error or 0) < 1e-5
    assert result.bytes == Path(result.file).stat().st_size
    entries = {entry.key: entry.value for entry in model.metadata_props}
    told = parse_metadata(entries["mindcv_shufflenet"]).options
    assert {told[name] for name in ("model", "image_resize", "resize_backend")} == {MODEL, SIZE, "pillow"}
    assert "dataset" not in told  # nothing tells it
    made = json.loads(entries["mindcv_shufflenet.export"])
    assert (made["precision"], made["licence"], made["weights"]) == ("fp32", "not known", "net.ckpt")
    assert made["weights_sha256"] == entries["weights_sha256"]
    assert len(made["weights_sha256"]) == 64
    assert json.loads(entries["preprocessing"])["channel_order"] == "bgr"
    assert (entries["model"], "labels" in entries) == (MODEL, False)


def entries_in(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


@pytest.mark.parametrize("tag", ["", ".tv_in1k"])
def test_a_tag_that_the_user_gives_proves_no_licence(tag: str, shared: Path, tmp_path: Path) -> None:
    weights = shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz"
    export({"model": f"shufflenet_v2_x1_0{tag}", "ckpt_path": str(weights)}, tmp_path / "x1_0.onnx")
    entries = entries_in(tmp_path / "x1_0.onnx")
    made = json.loads(entries["mindcv_shufflenet.export"])
    assert (entries["licence"], made["published_as"]) == ("not known", None)
    assert made["named_as"] == ("shufflenet_v2_x1_0.tv_in1k" if tag else None)
    # what `predict` prints for a network of 1000 classes
    assert entries["labels"].splitlines()[:2] == ["tench, Tinca tinca", "goldfish, Carassius auratus"]


@pytest.mark.parametrize("trained_on", [None, "digits"])
def test_images_to_judge_on_are_not_those_of_the_training(trained_on: str | None, tmp_path: Path) -> None:
    data = {"dataset": trained_on, "val_split": "test", "seed": 5} if trained_on else {}
    save_checkpoint(
        random_network(MODEL, num_classes=5), tmp_path / "net.ckpt", Metadata(OPTIONS | data, temperature=1.5)
    )
    judged = folder_of(tmp_path / "data", classes=5)
    options = {"ckpt_path": str(tmp_path / "net.ckpt"), "crop_pct": 0.75, "dataset": "folder", "data_dir": str(judged)}
    export(options, tmp_path / "net.onnx")
    entries = entries_in(tmp_path / "net.onnx")
    metadata = parse_metadata(entries["mindcv_shufflenet"])
    assert metadata.temperature == 1.5
    told = metadata.options
    assert told["crop_pct"] == json.loads(entries["preprocessing"])["crop_pct"] == 0.75
    assert {name: told.get(name) for name in ("dataset", "val_split", "seed")} == {
        "dataset": None, "val_split": None, "seed": None
    } | data  # fmt: skip


def folder_of(folder: Path, classes: int) -> Path:
    """A data set of four validation images a class."""
    for label in range(classes):
        photos(folder / "val" / str(label), 4)
    return folder


def test_probabilities_come_out_of_it(checkpoint: Path) -> None:
    _, model = exported(checkpoint)
    logits = OnnxRuntimeEngine.start(model).run(images())["logits"]
    _, model = exported(checkpoint, softmax=True)
    assert close(OnnxRuntimeEngine.start(model).run(images())["probabilities"], softmax(logits, axis=1))


def test_bytes_are_normalised_inside(checkpoint: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(2, SIZE, SIZE, 3), dtype=np.uint8)
    transform = create_transform(Preprocessing(image_resize=SIZE, channel_order="bgr"))
    _, model = exported(checkpoint)
    wanted = OnnxRuntimeEngine.start(model).run(np.stack([transform.normalise(image) for image in pixels]))["logits"]
    result, model = exported(checkpoint, normalize=True)
    assert str(result.inputs[0]) == "image uint8 [batch, 32, 32, 3]"
    assert close(OnnxRuntimeEngine.start(model).run(pixels)["logits"], wanted)


def test_the_maps_of_the_stages_come_out_of_it(checkpoint: Path, pynative: None) -> None:
    result, model = exported(checkpoint, features=True, dynamic_size=True)
    assert [port.name for port in result.outputs] == ["stem", "stage2", "stage3", "stage4"]
    network = create_model(MODEL, num_classes=5, checkpoint_path=checkpoint).set_train(False)
    found = OnnxRuntimeEngine.start(model).run(images(size=64))
    wanted = network.extract_features(Tensor(images(size=64)))
    assert [*found] == [port.name for port in result.outputs]
    assert all(close(features, wanted[name].asnumpy()) for name, features in found.items())


@pytest.mark.parametrize("shuffle", ["pieces", "transpose", "gather"])
def test_an_exported_file_never_becomes_weights(shuffle: str, tmp_path: Path) -> None:
    """Its arrays have the names of the network's, and in part their shapes, but other orders of channels."""
    path = tmp_path / "net.onnx"
    export({"model": MODEL_V1, "image_resize": SIZE, "random_weights": True}, path, shuffle=shuffle)
    for use in (
        lambda: create_model(MODEL_V1, checkpoint_path=path),
        lambda: export({"model": MODEL_V1, "ckpt_path": str(path)}, tmp_path / "again.onnx"),
        lambda: convert(path, tmp_path / "net.npz", model=MODEL_V1),
    ):
        with pytest.raises(UserError, match=r"exported file, which .* the checkpoint that it was exported from"):
            use()
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_a_fixed_batch_is_fixed(checkpoint: Path) -> None:
    result, model = exported(checkpoint, fixed_batch=3)
    assert result.inputs[0].shape[0] == 3
    assert OnnxRuntimeEngine.start(model).run(images())["logits"].shape == (3, 5)


@pytest.mark.parametrize(
    ("model", "names"), [(MODEL, ("input", "output")), (MODEL_V1, ("gpu_0/data_0", "gpu_0/softmax_1"))]
)
def test_the_names_are_those_of_the_onnx_model_zoo(model: str, names: tuple[str, str], tmp_path: Path) -> None:
    options = {"model": model, "image_resize": SIZE, "random_weights": True}
    result = export(options, tmp_path / "net.onnx", zoo_names=True)
    assert (result.inputs[0].name, result.outputs[0].name) == names


def test_outputs_are_compared_on_real_images(checkpoint: Path, tmp_path: Path) -> None:
    assert exported(checkpoint, calibration=photos(tmp_path, 3))[0].images == 3
    options = {"ckpt_path": str(checkpoint), "dataset": "digits", "num_classes": 5}
    with pytest.raises(UserError, match="classes"):  # ten
        export(options, tmp_path / "digits.onnx")
    result = export({**OPTIONS, "random_weights": True, "dataset": "digits"}, tmp_path / "digits.onnx")
    assert result.images == 16


def test_a_file_of_mindspore_is_compared_too(checkpoint: Path, tmp_path: Path) -> None:
    output = checkpoint.with_suffix(".mindir")
    result = export({"ckpt_path": str(checkpoint)}, output, format="mindir", fixed_batch=1)
    assert (result.format, result.opset, result.bytes) == ("mindir", None, output.stat().st_size)
    weights = {"ckpt_path": str(output), "model": MODEL}
    for use in (lambda: check(output), lambda: export(weights, tmp_path / "a.onnx")):
        with pytest.raises(UserError, match=r"net.mindir is a MindIR file, .*: give the checkpoint that"):
            use()
    assert 0 <= (result.error or 0) < 1e-5


def test_packages_hold_the_file(checkpoint: Path, tmp_path: Path) -> None:
    options = {"ckpt_path": str(checkpoint)}
    result = export(options, tmp_path / "net.tar.gz", package="zoo")
    with tarfile.open(result.file) as archive:
        assert archive.getmember("net/net.onnx").size == result.bytes
    result = export(options, tmp_path / "net", package="hf")
    assert (tmp_path / "net" / "model.onnx").stat().st_size == result.bytes
    assert "Not known: neither published nor measured." in (tmp_path / "net" / "README.md").read_text()
    network = create_model(MODEL, num_classes=5, checkpoint_path=tmp_path / "net" / "model.safetensors")
    assert same(arrays_of(network), arrays_of(create_model(MODEL, num_classes=5, checkpoint_path=checkpoint)))


@pytest.mark.parametrize("is_int8", [False, True])
def test_a_card_says_how_accurate_the_model_is_on_the_data_set_that_is_given(is_int8: bool, tmp_path: Path) -> None:
    options = {**OPTIONS, "random_weights": True, "seed": 3, "dataset": "digits", "num_samples": 20}
    form: dict[str, Any] = {"int8": True, "calibration": photos(tmp_path)} if is_int8 else {}
    result = export(options, tmp_path / "net", package="hf", **form)
    _, header, text = (tmp_path / "net" / "README.md").read_text().split("---\n", 2)
    rows = [line for line in text.splitlines() if line.startswith("| digits | 20 | ")]
    assert len(rows) == 1
    assert "| measured, ONNX Runtime " in rows[0]
    (metric, _) = yaml.safe_load(header)["model-index"][0]["results"][0]["metrics"]
    assert float(rows[0].split("|")[3]) == pytest.approx(metric["value"])
    if result.int8:
        assert metric["value"] == result.int8["top1_int8"]
    else:
        options |= {"ckpt_path": str(tmp_path / "net" / "model.safetensors"), "random_weights": False}
        assert metric["value"] == evaluate({**options, "mode": 1, "jit": False}).top1


@pytest.mark.parametrize("fault", [1.001, np.nan])
def test_a_model_that_computes_otherwise_gets_no_file(
    fault: float, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = onnx_file.onnx_model

    def wrong(*arguments: Any, **options: Any) -> onnx.ModelProto:
        model = write(*arguments, **options)
        weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
        array = onnx.numpy_helper.to_array(weight) * np.float32(fault)
        weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
        return model

    monkeypatch.setattr(onnx_file, "onnx_model", wrong)
    with pytest.raises(RunError, match="the exported model would be wrong: its outputs on ONNX Runtime differ"):
        exported(checkpoint)
    assert not checkpoint.with_suffix(".onnx").exists()
    assert not [*checkpoint.parent.glob(".tmp*")]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"opset": 5}, f"opset=5: it must be from 6 to {NEWEST_OPSET}, the newest"),
        ({"opset": NEWEST_OPSET + 1}, f"opset={NEWEST_OPSET + 1}: it must be"),
        ({"opset": 6, "normalize": True}, "opset=6 has no operators for --normalize: give --opset 7 or more"),
        ({"format": "onxx"}, r"format=onxx: it must be one of onnx, mindir, air \(did you mean onnx\?\)"),
        ({"format": "mindir"}, r"does not fit --format mindir: give --output a name that ends in .mindir"),
        ({"package": "zoo"}, r"does not fit --package zoo: give --output a name that ends in .tar.gz"),
        ({"format": "mindir", "softmax": True}, "softmax is for --format onnx, and the format is mindir"),
        ({"features": True, "softmax": True}, "features and softmax do not go together, since maps have no logits"),
        ({"features": True, "int8": True, "calibration": "."}, "features and int8 do not go together"),
        ({"zoo_names": True, "normalize": True}, "zoo_names and normalize do not go together"),
        ({"int8": True}, "int8 needs images to calibrate on: give --calibration DIR"),
        ({"int8": True, "opset": 11, "calibration": "."}, "int8 needs opset 13 or newer, and 11 is asked for: give"),
        ({"fixed_batch": 0}, "fixed_batch=0: it must be a whole number above 0"),
        ({"softmaxx": True}, r"export has no argument softmaxx \(did you mean softmax\?\)"),
    ],
)
def test_what_cannot_be_exported_is_told_in_a_line(form: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        export({**OPTIONS, "random_weights": True}, tmp_path / "net.onnx", **form)
    assert not [*tmp_path.iterdir()]


def test_an_output_that_is_there_is_kept(tmp_path: Path) -> None:
    output = tmp_path / "net.onnx"
    output.write_text("mine")
    with pytest.raises(UserError, match=r"net.onnx is there already; give another name, or --overwrite"):
        export({**OPTIONS, "random_weights": True}, output)
    with pytest.raises(UserError, match="there is nothing to export: give --ckpt_path FILE or --pretrained"):
        export(OPTIONS, output, overwrite=True)
    assert output.read_text() == "mine"
    with pytest.raises(UserError, match=r"cannot write .*net.onnx/a.onnx: .* is no folder that can be written"):
        export({**OPTIONS, "random_weights": True}, output / "a.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UserError, match="is there already and is not a file"):
        export({**OPTIONS, "random_weights": True}, tmp_path / "folder.onnx", overwrite=True)
    (tmp_path / "package" / ".git").mkdir(parents=True)
    for overwrite, message in (
        (False, "is there already; give another"),
        (True, r"since it holds \.git, which is of no"),
    ):
        with pytest.raises(UserError, match=message):
            export(OPTIONS, tmp_path / "package", package="hf", overwrite=overwrite)


def test_what_is_read_is_never_replaced(checkpoint: Path, tmp_path: Path) -> None:
    weights = tmp_path / "own.onnx"
    convert(checkpoint, weights)
    package = tmp_path / "package"
    package.mkdir()
    convert(checkpoint, package / "model.safetensors")
    for source, output, form, message in (
        (weights, tmp_path / "." / "own.onnx", {}, "own.onnx is what --ckpt_path names and would be replaced: give"),
        (package / "model.safetensors", package, {"package": "hf"}, "package holds what --ckpt_path names and would"),
    ):
        content = source.read_bytes()
        with pytest.raises(UserError, match=message):
            export({"ckpt_path": str(source)}, output, overwrite=True, **form)
        assert source.read_bytes() == content
    image = photos(tmp_path, 1) / "inner" / "0.png"
    image.rename(tmp_path / "photo.onnx")
    with pytest.raises(UserError, match=r"photo.onnx is what --calibration names"):
        exported_to = tmp_path / "photo.onnx"
        export({"ckpt_path": str(checkpoint)}, exported_to, overwrite=True, calibration=exported_to)
