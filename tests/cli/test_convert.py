"""``convert``: every kind, naming and layout, there and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.names import translate
from tests.cli.conftest import MODEL, Command
from tests.weights.networks import arrays_of, random_network, read_arrays, same


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
        output = convert(command, path, target, "--model", "shufflenet_v2_x1_0", *keys)
        assert "layout torchvision, 282 arrays" in output
        path = target
    assert same(read_arrays(path), read_arrays(source))


@pytest.mark.parametrize("keys", ["mindspore", "megvii"])
def test_x0_5_changes_its_layout_and_what_that_means_is_told(keys: str, command: Command, tmp_path: Path) -> None:
    arrays = arrays_of(random_network(), keys)
    write_arrays(arrays, tmp_path / "a.npz")
    output = convert(command, tmp_path / "a.npz", tmp_path / "b.npz", "--model", MODEL, "--keys", "torchvision")
    assert "note: the classifier's bias, which layout megvii has not, is zero" in output
    assert ("--pool same" in output) == (keys == "mindspore")
    output = convert(
        command, tmp_path / "b.npz", tmp_path / "c.npz", "--model", MODEL, "--layout", "megvii", "--keys", keys
    )
    assert "the classifier's bias, which layout megvii has not, is left out" in output
    assert ("--pool pad" in output) == (keys == "megvii")  # the first file told the second
    assert same(read_arrays(tmp_path / "c.npz"), arrays)


def test_the_result_as_json(command: Command, tmp_path: Path) -> None:
    write_arrays(arrays_of(random_network(), "megvii"), tmp_path / "a.npz")
    words = [tmp_path / "a.npz", tmp_path / "b.ckpt", "--model", MODEL, "--json", "-"]
    result = json.loads(convert(command, *words))
    assert result["source"] == {"file": str(tmp_path / "a.npz"), "keys": "megvii", "layout": "megvii"}
    assert result["target"] == {"file": str(tmp_path / "b.ckpt"), "keys": "mindspore", "layout": "megvii"}
    assert result["arrays"] == 281
    assert "--pool pad; the file tells that to this program alone" in result["notes"][-1]


def test_a_backbone_is_converted_where_that_is_said(command: Command, tmp_path: Path) -> None:
    arrays = {k: v for k, v in arrays_of(random_network()).items() if not k.startswith(("conv_last", "classifier"))}
    write_arrays(arrays, tmp_path / "a.npz")
    words = [tmp_path / "a.npz", tmp_path / "b.npz", "--model", MODEL]
    status, _, error = command("convert", *words)
    assert status == 2
    assert "lacks conv_last.0.weight (and 5 more)" in error
    convert(command, *words, "--allow_missing", "conv_last.*", "classifier.*")
    assert same(read_arrays(tmp_path / "b.npz"), arrays)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.npz", "b.ckpt"], "of which model are the weights? give --model NAME"),
        (["a.npz", "b.h5", "--model", MODEL], "must end in .ckpt"),
        (["a.npz", "a.npz", "--model", MODEL], "a.npz is there already; give another name, or --overwrite"),
        (["none.npz", "b.ckpt", "--model", MODEL], "there is no checkpoint none.npz"),
        (["a.npz", "b.ckpt", "--model", "shufflenet_v2_x1_0"], "(24, 24, 1, 1) there and (58, 24, 1, 1) here"),
        (["a.npz", "b.ckpt", "--model", f"{MODEL}.nonsense"], "unknown weights"),
        (["a.npz", "b.ckpt", "--model", "shufflenet_v3"], "unknown model shufflenet_v3"),
        (["a.npz", "b.ckpt", "--model", MODEL, "--keys", "timm"], "argument --keys: invalid choice: 'timm'"),
        (["a.npz", "b.ckpt", "--model", MODEL, "--keys", "megvii", "--layout", "torchvision"], "leave one out"),
        (["wide.npz", "b.ckpt", "--model", "shufflenet_v2_x1_0", "--layout", "torchvision"], "only x0.5 converts"),
        (["resnet.npz", "b.ckpt", "--model", MODEL], "none of its 1 names is known (layer1.0.conv1.weight)"),
        (["more.npz", "b.ckpt", "--model", MODEL], "1 that are not: neck.weight"),
    ],
)
def test_bad_input_gets_one_line_and_writes_nothing(
    words: list[str], message: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = arrays_of(random_network())
    write_arrays(arrays, tmp_path / "a.npz")
    write_arrays(arrays_of(random_network("shufflenet_v2_x1_0")), tmp_path / "wide.npz")
    write_arrays({"layer1.0.conv1.weight": np.zeros(3, np.float32)}, tmp_path / "resnet.npz")
    write_arrays(translate(arrays, "megvii") | {"neck.weight": np.zeros(3, np.float32)}, tmp_path / "more.npz")
    status, _, error = command("convert", *words)
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "b.ckpt").exists()
