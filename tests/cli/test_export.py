"""``export`` and ``check`` on the command line."""

import json
import tarfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from mindcv_shufflenet import export
from tests.cli.conftest import Command
from tests.small import MODEL, MODEL_V1

NETWORK = ("--model", MODEL, "--image_resize", 32, "--num_classes", 5, "--random_weights")


def test_a_network_is_exported_checked_and_found_out_when_it_is_damaged(command: Command, tmp_path: Path) -> None:
    output = tmp_path / "net.onnx"
    status, text, error = command("export", *NETWORK, "--output", output, "--json", tmp_path / "export.json")
    assert (status, error) == (0, "")
    assert "image float32 [batch, 3, 32, 32]" in text
    result = json.loads((tmp_path / "export.json").read_text())
    assert (result["format"], result["precision"], result["error"] < 1e-5) == ("onnx", "fp32", True)
    assert result["outputs"] == [{"name": "logits", "dtype": "float32", "shape": ["batch", 5]}]
    status, text, error = command("check", output, "--json", "-")
    assert (status, json.loads(text)["agrees"]) == (0, True)
    model = onnx.load(output)
    weight = model.graph.initializer[0]
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))
    onnx.save(model, output)
    status, text, error = command("check", output, "--json", tmp_path / "check.json")
    assert (status, json.loads((tmp_path / "check.json").read_text())["agrees"]) == (1, False)
    assert error.startswith("error: onnxruntime ")
    assert error.count("\n") == 1
    status, _, error = command("export", *NETWORK, "--output", output)
    assert (status, "is there already; give another name, or --overwrite" in error) == (2, True)
    assert command("export", *NETWORK, "--output", output, "--overwrite")[0] == 0
    assert command("check", output)[0] == 0


def test_the_words_of_an_export_have_its_own_meaning(command: Command, tmp_path: Path) -> None:
    """``--channel_shuffle`` is the form of the shuffle here, and switches take values as options do."""
    words = ("--model", MODEL_V1, "--image_resize", 32, "--random_weights", "--output", tmp_path / "net.onnx")
    assert command("export", *words, "channel_shuffle=transpose", "--softmax=True", "--no-zoo_names")[0] == 0
    model = onnx.load(tmp_path / "net.onnx")
    assert "Transpose" in {node.op_type for node in model.graph.node}
    assert [output.name for output in model.graph.output] == ["probabilities"]


@pytest.mark.parametrize(
    ("photos", "told"),
    [(1, ("on 1 image", "not compared with float32 on other images")), (8, ("on 6 images", "% of 2 other images"))],
)
def test_the_table_of_an_int8_file_fits_a_terminal(
    photos: int, told: tuple[str, ...], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(photos):
        pixels = np.random.default_rng(number).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    network = ("--model", MODEL, "--image_resize", 32, "--random_weights", "--dataset", "digits", "--num_samples", 20)
    status, text, _ = command("export", *network, "--output", "net.onnx", "--int8", "--calibration", "photos")
    assert status == 0
    assert all(part in text for part in told)
    assert "20 validation images" in text
    table = text[text.rindex("net.onnx") :]
    assert max(map(len, table.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "shufflenet export needs weights, and the file to write; for example: `shufflenet export --ckpt_path"),
        (("--model", MODEL), "the following arguments are required: --output; for example"),
        (("--model", MODEL, "--output", "a.onnx"), "there is nothing to export: give --ckpt_path FILE"),
        ((*NETWORK, "--output", "a.onnx", "--opset", 99), "opset=99: it must be from 6 to"),
        (
            (*NETWORK, "--output", "a.onnx", "--channel_shuffle", "piece"),
            "piece (did you mean pieces?); there are pieces,",
        ),
        ((*NETWORK, "--output", "a.onnx", "--target", "x86_vnni"), "target x86_vnni (did you mean x86-vnni?)"),
        ((*NETWORK, "--output", "a.onnx", "--format", "onx"), "unknown format onx (did you mean onnx?)"),
        ((*NETWORK, "--output", "a", "--package", "zip"), "unknown package zip; there are zoo, hf"),
        ((*NETWORK, "--output", "a.txt"), "a.txt does not fit --format onnx: give --output a name that ends in .onnx"),
        ((*NETWORK, "--output", "a.air", "--format", "air"), "--format air needs an Ascend"),
        ((*NETWORK, "--output", "/proc/a.onnx"), "cannot write /proc/a.onnx"),
        ((*NETWORK, "--output", "a.onnx", "--int8", "maybe"), "maybe is neither True nor False"),
        ((*NETWORK, "--output", "a.onnx", "--calibration", "none"), "there is no file or folder none"),
        ((*NETWORK, "--output", "a.onnx", "--soft_max"), "unknown option soft_max (did you mean softmax?)"),
    ],
    ids=str,
)
def test_a_mistake_is_told_in_a_line(
    words: tuple[object, ...], message: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = command("export", *words)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error
    assert not [*tmp_path.iterdir()]


IMAGE = ("photo.png",)


@pytest.mark.parametrize(
    ("verb", "words", "message"),
    [
        ("check", ("maps.mindir",), "is a MindIR file"),
        ("validate", ("--model", "maps.mindir"), "is a MindIR file"),
        ("predict", (*IMAGE, "--model", "maps.mindir"), "is a MindIR file"),
        ("benchmark", ("--models", "maps.mindir"), "is a MindIR file"),
        ("convert", ("maps.mindir", "a.npz", "--model", MODEL), "is a MindIR file"),
        ("check", ("pack.tar.gz",), "pack.tar.gz is an archive of other files: unpack it"),
        ("validate", ("--model", "pack.tar.gz"), "pack.tar.gz is an archive of other files: unpack it"),
        ("export", ("--ckpt_path", "pack.tar.gz", "--output", "a.onnx"), "is an archive of other files: unpack it"),
        ("export", ("--model", "maps.onnx", "--output", "a.onnx"), "is the checkpoint that it was exported from"),
        ("export", ("--ckpt_path", "maps.onnx", "--output", "a.onnx"), "give the checkpoint that it was exported from"),
        ("check", ("net.npz",), "a numpy file of weights and no ONNX model: `shufflenet export --ckpt_path` makes one"),
        ("validate", ("--model", "net.npz"), "where weights are taken it is --ckpt_path"),
        ("validate", ("--model", "./"), "is a folder: give the ONNX file in it"),
        ("validate", ("--model", "maps.onnx"), "it gives the maps of --features and no classes: export it without"),
        ("benchmark", ("--models", "maps.onnx"), "it gives the maps of --features and no classes"),
    ],
    ids=str,
)
def test_a_file_of_another_kind_is_told_with_what_to_do(
    verb: str,
    words: tuple[str, ...],
    message: str,
    files: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(files)
    data = ("--dataset", "digits") if verb == "validate" else ()
    status, _, error = command(verb, *words, *data)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each kind that people give to the wrong verb."""
    folder = tmp_path_factory.mktemp("files")
    export({"model": MODEL, "image_resize": 32, "random_weights": True}, folder / "maps.onnx", features=True)
    (folder / "maps.mindir").write_bytes(b"\x0a\x031.0\x12\x09MindSpore*\x052.8.0")
    np.savez(folder / "net.npz", weight=np.ones(3, np.float32))
    Image.new("RGB", (32, 32)).save(folder / "photo.png")
    with tarfile.open(folder / "pack.tar.gz", "w:gz") as archive:
        archive.add(folder / "maps.onnx", "maps/maps.onnx")
    return folder


def test_other_files_cannot_be_checked(command: Command, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    for words, message in (
        ((), "shufflenet check needs a file that export has written"),
        ((tmp_path / "none.onnx",), "there is no file"),
        ((tmp_path / "text.onnx",), "text.onnx"),
        (
            (tmp_path / "text.onnx", "--engine", "mindspore"),
            "unknown engine mindspore; there are onnxruntime, openvino",
        ),
    ):
        status, _, error = command("check", *words)
        assert (status, error.count("\n")) == (2, 1)
        assert message in error
