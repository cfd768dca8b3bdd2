"""``convert``: every kind, naming and layout, there and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.weights.formats import write_arrays
from tests.cli.conftest import Command
from tests.test_toy_family import toy  # noqa: F401 - a fixture
from tests.weights.networks import X0_5, arrays_of, random_network, read_arrays, same

X1_0 = "shufflenet_v2_x1_0"


def convert(command: Command, *words: object) -> str:
    status, output, error = command("convert", *words)
    assert status == 0, error
    return output


def test_a_published_file_goes_round_all_kinds_bit_for_bit(shared: Path, command: Command, tmp_path: Path) -> None:
    source = shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz"
    path = source
    for number, suffix in enumerate((".ckpt", ".safetensors", ".onnx", ".npz")):
        target = tmp_path / f"{number}{suffix}"
        keys = ["--keys", ("torchvision", "mmpretrain", "mindspore")[number % 3]]
        output = convert(command, path, target, "--model", X1_0, *keys)
        assert "layout torchvision, 282 arrays" in output
        path = target
    assert same(read_arrays(path), read_arrays(source))


@pytest.mark.parametrize("keys", ["mindspore", "megvii"])
def test_x0_5_changes_its_layout_and_what_that_means_is_told(keys: str, command: Command, tmp_path: Path) -> None:
    arrays = arrays_of(random_network(), keys)
    write_arrays(arrays, tmp_path / "a.npz")
    output = convert(command, tmp_path / "a.npz", tmp_path / "b.npz", "--model", X0_5, "--keys", "torchvision")
    assert "note: the classifier's bias, which layout megvii has not, is zero" in output
    assert ("them pool=same" in output) == (keys == "mindspore")
    output = convert(
        command, tmp_path / "b.npz", tmp_path / "c.npz", "--model", X0_5, "--layout", "megvii", "--keys", keys
    )
    assert "the classifier's bias, which layout megvii has not, is left out" in output
    assert "them pool=" not in output  # the first file told the second, whose pool is that of its project
    assert same(read_arrays(tmp_path / "c.npz"), arrays)


def test_the_result_as_json(command: Command, tmp_path: Path) -> None:
    write_arrays(arrays_of(random_network(), "megvii"), tmp_path / "a.npz")
    words = [tmp_path / "a.npz", tmp_path / "b.ckpt", "--model", X0_5, "--json", "-"]
    result = json.loads(convert(command, *words))
    assert result["source"] == {"file": str(tmp_path / "a.npz"), "keys": "megvii", "layout": "megvii"}
    assert result["target"] == {"file": str(tmp_path / "b.ckpt"), "keys": "mindspore", "layout": "megvii"}
    assert result["arrays"] == 281
    assert "other programs do not read it from the file: give them pool=pad" in result["notes"][-1]


def test_a_backbone_is_converted_where_that_is_said(command: Command, tmp_path: Path) -> None:
    arrays = {k: v for k, v in arrays_of(random_network()).items() if not k.startswith(("conv_last", "classifier"))}
    write_arrays(arrays, tmp_path / "a.npz")
    words = [tmp_path / "a.npz", tmp_path / "b.npz", "--model", X0_5]
    status, _, error = command("convert", *words)
    assert status == 2
    assert "lacks conv_last.0.weight (and 5 more)" in error
    convert(command, *words, "--allow_missing", "conv_last.*", "classifier.*")
    assert same(read_arrays(tmp_path / "b.npz"), arrays)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.npz", "b.ckpt"], "of which model are the weights? give --model NAME"),
        (["a.npz", "b.h5", "--model", X0_5], "must end in .ckpt"),
        (["a.npz", "a.npz", "--model", X0_5], "a.npz is there already; give another name, or --overwrite"),
        (["none.npz", "b.ckpt", "--model", X0_5], "there is no checkpoint none.npz"),
        (["a.npz", "b.ckpt", "--model", X1_0], "(24, 24, 1, 1) there and (58, 24, 1, 1) here"),
        (["a.npz", "b.ckpt", "--model", f"{X0_5}.nonsense"], "unknown weights"),
        (["a.npz", "b.ckpt", "--model", "shufflenet_v3"], "unknown model shufflenet_v3"),
        (
            ["a.npz", "b.ckpt", "--model", X0_5, "--keys", "timm"],
            "argument --keys: unknown project timm; there are mindspore, ",
        ),
        (["a.npz", "b.ckpt", "--model", X0_5, "--keys", "megvii", "--layout", "torchvision"], "leave one out"),
        (
            ["wide.npz", "b.ckpt", "--model", X1_0, "--layout", "torchvision"],
            "only shufflenet_v2_x0_5, se_shufflenet_v2_x0_5 convert",
        ),
        (["resnet.npz", "b.ckpt", "--model", X0_5], "it has 1 name and none is known (layer1.0.conv1.weight)"),
        (["more.npz", "b.ckpt", "--model", X0_5], "1 that are not: neck.weight"),
    ],
)
def test_bad_input_gets_one_line_and_writes_nothing(
    words: list[str], message: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays, megvii = (arrays_of(random_network(), keys) for keys in ("mindspore", "megvii"))
    write_arrays(arrays, tmp_path / "a.npz")
    write_arrays(arrays_of(random_network(X1_0)), tmp_path / "wide.npz")
    write_arrays({"layer1.0.conv1.weight": np.zeros(3, np.float32)}, tmp_path / "resnet.npz")
    write_arrays(
        megvii | {"neck.weight": np.zeros(3, np.float32)},
        tmp_path / "more.npz",
    )
    status, _, error = command("convert", *words)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "b.ckpt").exists()


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layout", "megvii"], "toy_8 has no option layout: leave it out"),
        (["--keys", "megvii"], "megvii has no names of Toy; --keys takes mindspore, other"),
    ],
)
def test_what_a_family_lacks_is_refused(words: list[str], message: str, command: Command, tmp_path: Path) -> None:
    write_arrays(arrays_of(random_network("toy_8")), tmp_path / "a.npz")
    status, _, error = command("convert", tmp_path / "a.npz", tmp_path / "b.npz", "--model", "toy_8", *words)
    assert (status, error) == (2, f"error: {message}\n")
    assert not (tmp_path / "b.npz").exists()
