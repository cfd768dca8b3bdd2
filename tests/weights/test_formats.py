"""Files of weights: bit for bit there and back, and what is refused."""

import argparse
import io
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights import formats
from mindcv_shufflenet.weights.formats import read_file, write_arrays
from mindcv_shufflenet.weights.load import read_weights
from tests.weights.networks import arrays_of, random_network, read_arrays, same

KINDS = [".ckpt", ".safetensors", ".npz", ".onnx"]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return arrays_of(random_network())


@pytest.mark.parametrize("suffix", KINDS)
def test_every_kind_comes_back_bit_for_bit(arrays: dict[str, np.ndarray], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    write_arrays(arrays, path)
    assert same(read_arrays(path), arrays)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.999])
def test_a_truncated_file_of_any_kind_gets_one_line(
    arrays: dict[str, np.ndarray], suffix: str, kept: float, tmp_path: Path
) -> None:
    path = tmp_path / f"net{suffix}"
    write_arrays(arrays, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match=f"net{suffix}") as caught:
        read_weights(path)  # an empty ONNX file is a valid one, without a name in it
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_web_page_is_told_as_such(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    with pytest.raises(UserError, match="is a web page and no weights file"):
        read_arrays(path)


def test_objects_in_an_npz_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    np.savez(path, weight=np.array([Exploit(tmp_path / "ran")], dtype=object))
    with pytest.raises(UserError, match=r"damaged or no numpy file"):
        read_arrays(path)
    assert not (tmp_path / "ran").exists()


class Exploit:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 22,)})
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weight.npy", header.getvalue() + bytes(4 << 22))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(formats, "MAX_BYTES", 1 << 20)
    with pytest.raises(UserError, match="more than 1 MiB, as no weights do"):
        read_arrays(path)


def test_numbers_are_expected(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", names=np.array(["a", "b"]))
    with pytest.raises(UserError, match="names is of type <U1, and weights are floats"):
        read_arrays(tmp_path / "net.npz")
    np.savez(tmp_path / "net.npz", weight=np.zeros(2, np.int8))
    with pytest.raises(UserError, match="weight is of type int8, and weights are floats"):
        read_arrays(tmp_path / "net.npz")
    np.savez(tmp_path / "net.npz", weight=np.array([1, np.nan], np.float32))
    with pytest.raises(UserError, match="weight holds NaN or infinity"):
        read_arrays(tmp_path / "net.npz")


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", weight=np.array([1.5], np.float16))
    assert read_arrays(tmp_path / "net.npz")["weight"].dtype == np.float32


def test_a_file_that_cannot_be_written_leaves_the_old_one(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write_arrays(arrays, tmp_path / "file" / "net.npz")
    with pytest.raises(UserError, match="must end in"):
        write_arrays(arrays, tmp_path / "net.h5")


def test_others_may_read_what_is_written(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    for suffix in KINDS:
        write_arrays(arrays, tmp_path / f"net{suffix}")
        assert stat.S_IMODE((tmp_path / f"net{suffix}").stat().st_mode) & 0o444 == 0o444, suffix


def test_pytorch_files_need_pytorch_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.pth").write_bytes(b"anything")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(UserError, match=r"pip install 'mindcv_shufflenet\[torch\]'"):
        read_arrays(tmp_path / "net.pth")


def test_pytorch_files_come_back_and_run_no_code(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra [torch] is not installed")
    for suffix in (".pth", ".pt"):
        write_arrays(arrays, tmp_path / f"net{suffix}")
        assert same(read_arrays(tmp_path / f"net{suffix}"), arrays)
    content: Any
    weight = {"weight": torch.ones(2, 2)}
    for content in (
        {"state_dict": weight, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(2, 2)}}}},
        {"net": weight, "best": np.float64(0.9), "history": np.ones(3), "rng": torch.ones(5)},
        {"model": weight, "args": argparse.Namespace(lr=0.1, out=Path("runs"))},
        weight | {"epoch": 3},
        {"model": {"backbone": weight}},
    ):
        torch.save(content, tmp_path / "train.pth")
        assert read_arrays(tmp_path / "train.pth")["weight"].tolist() == [[1, 1], [1, 1]]
    torch.save(
        {"net": weight, "args": argparse.Namespace(lr=1)}, tmp_path / "old.tar", _use_new_zipfile_serialization=False
    )
    assert read_arrays(tmp_path / "old.tar")["weight"].shape == (2, 2)
    for content, message in (
        ([torch.ones(2, 2)], r"holds no state dict \(list\)"),
        ({"epoch": 3}, r"holds no state dict \(dict\)"),
        (torch.nn.Linear(2, 2), r"holds a whole pickled object \(torch.nn.modules.linear.Linear"),
        ({"model": torch.nn.Linear(2, 2), "epoch": 1}, "holds a whole pickled object"),
    ):
        torch.save(content, tmp_path / "odd.pth")
        with pytest.raises(UserError, match=message):
            read_arrays(tmp_path / "odd.pth")
    torch.save({"state_dict": weight, "hooks": Exploit(tmp_path / "ran")}, tmp_path / "exploit.pth")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Exploit(tmp_path / "ran")))
    for name in ("exploit.pth", "pickle.pth"):
        with pytest.raises(UserError, match="is damaged"):
            read_arrays(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_the_content_tells_the_kind_and_not_the_name(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    for suffix in KINDS:
        write_arrays(arrays, tmp_path / f"net{suffix}", '{"a": 1}')
        for name in ("net.pth.tar", "pytorch_model.bin", "x.ckpt", "x.pth", "noname"):
            path = tmp_path / f"{suffix[1:]}_{name}"
            path.write_bytes((tmp_path / f"net{suffix}").read_bytes())
            file = read_file(path)
            assert same(file.arrays, arrays)
            assert file.metadata == '{"a": 1}'


def test_of_several_sets_the_trained_one_is_taken_and_told(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    """mindcv writes the moving average beside the weights; MindSpore's optimizers write their moments there."""
    path = tmp_path / "net.ckpt"
    of_optimizer = {
        f"{kind}{name}": value
        for kind in ("adam_m.", "lamb_m.", "mean_grad.", "moments.", "adan_n.", "prev_gradient.", "mu_product_")
        for name, value in arrays.items()
    } | {"global_step": np.zeros(1, np.float32), "learning_rate": np.ones(9, np.float32)}
    average = {f"ema.{name}": value + 1 for name, value in arrays.items()}
    write_arrays(arrays | of_optimizer | average, path)
    file = read_file(path)
    assert same(file.arrays, arrays)
    assert "several sets of weights: weights is taken, not ema; --ckpt_key NAME chooses" in file.notes[0]
    assert same(read_file(path, "ema").arrays, {name: value + 1 for name, value in arrays.items()})
    with pytest.raises(UserError, match=r"holds no set eme \(did you mean ema\?\); it holds weights, ema"):
        read_file(path, "eme")


def test_a_damaged_archive_gets_one_line(tmp_path: Path) -> None:
    """An end of a zip's directory that names an entry which is not there."""
    end = b"PK\x05\x06" + bytes(4) + b"\x01\x00\x01\x00" + b"\x2e\x00\x00\x00" + b"\x9a\x00\x00\x00" + bytes(2)
    (tmp_path / "bad.npz").write_bytes(b"x" * 200 + end)
    with pytest.raises(UserError, match=r"cannot read .*bad\.npz: it is damaged"):
        read_arrays(tmp_path / "bad.npz")


def test_another_programs_file_beside_a_pth_is_not_replaced(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra [torch] is not installed")
    foreign, path = tmp_path / "net.pth.json", tmp_path / "net.pth"
    foreign.write_text('{"lr": 0.1}')
    with pytest.raises(UserError, match="is another program's and stays"):
        write_arrays(arrays, path, '{"a": 1}')
    assert foreign.read_text() == '{"lr": 0.1}'
    assert read_file(path).metadata is None
    foreign.unlink()
    write_arrays(arrays, path, '{"a": 1}')
    assert read_file(path).metadata == '{"a": 1}'
    path.write_bytes(path.read_bytes() + b" ")  # saved anew by somebody else
    file = read_file(path)
    assert file.metadata is None
    assert "net.pth.json is not read: it was written for another net.pth" in file.notes[0]
    write_arrays({"a.weight": np.ones((2, 2), np.float32)}, path)  # what it told is gone with it
    assert not foreign.exists()


def test_a_header_of_any_length_is_a_safetensors_files(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Its first byte may be that of a pickle, or of an ONNX file."""
    few = {"first_conv.0.weight": arrays["first_conv.0.weight"]}
    for length in range(256):
        write_arrays(few, tmp_path / "net.safetensors", "x" * length)
        assert read_file(tmp_path / "net.safetensors").metadata == "x" * length


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.ckpt", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a pointer of Git LFS"),
        ("net.bin", b"\x89HDF" + bytes(20), "no weights file of a known kind"),
    ],
)
def test_what_is_no_weights_file_is_called_what_it_is(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_arrays(tmp_path / name)


def test_archives_of_other_files_and_folders_are_named(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        archive.writestr("net.ckpt", b"x")
    np.savez(tmp_path / "run.state", meta=np.array("{}"), weight=np.ones((2, 2), np.float32))
    (tmp_path / "run.state.npz").rename(tmp_path / "run.state")
    for path, message in (
        (tmp_path / "net.zip", r"an archive of other files \(net.ckpt\): unpack it"),
        (tmp_path / "run.state", "is a training state"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(UserError, match=message):
            read_arrays(path)


def test_a_file_of_millions_of_entries_is_refused_at_once(tmp_path: Path) -> None:
    nodes = b"\x0a\x00" * 200_000
    length = bytes([len(nodes) & 0x7F | 0x80, len(nodes) >> 7 & 0x7F | 0x80, len(nodes) >> 14])
    graph = b"\x08\x08\x3a" + length + nodes
    inner = bytes([len(nodes) + 4 & 0x7F | 0x80, len(nodes) + 4 >> 7 & 0x7F | 0x80, len(nodes) + 4 >> 14])
    node = b"\x08\x08\x3a" + inner + b"\x0a" + length + nodes.replace(b"\x0a", b"\x2a")  # of one node
    for name, content in (("net.ckpt", nodes), ("net.onnx", graph), ("node.onnx", node)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="over 20,000 entries"):
            read_arrays(tmp_path / name)
