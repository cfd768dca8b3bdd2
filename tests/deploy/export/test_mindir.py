"""Networks written as MindIR."""

import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.deploy.export import mindir
from mindcv_shufflenet.errors import RunError
from tests.families.comparison import images
from tests.small import MODEL
from tests.weights.networks import arrays_of, random_network, same

# MindSpore is all that it imports.
PROGRAM = """
import sys, numpy as np, mindspore as ms
network = ms.nn.GraphCell(ms.load(sys.argv[1]))
images = np.load(sys.argv[2])
np.save(sys.argv[3], np.concatenate([network(ms.Tensor(part)).asnumpy() for part in (images[:1], images)]))
assert not [name for name in sys.modules if name.startswith("mindcv")]
"""


def test_the_file_runs_in_a_fresh_process_for_any_batch(tmp_path: Path) -> None:
    network = random_network(MODEL, num_classes=5, pool="pad").set_train(True)
    before = arrays_of(network)
    path = tmp_path / "net.mindir"
    assert mindir.write_mindir(network, path, size=32) <= 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["net.mindir"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert same(arrays_of(network), before)
    np.save(tmp_path / "images.npy", images())
    command = [sys.executable, "-c", PROGRAM, path, tmp_path / "images.npy", tmp_path / "logits.npy"]
    subprocess.run([*map(str, command)], check=True, capture_output=True, cwd=tmp_path)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    expected = network.set_train(False)(Tensor(images())).asnumpy()
    found = np.load(tmp_path / "logits.npy")
    assert np.abs(found - np.concatenate([expected[:1], expected])).max() <= 1e-5 * np.abs(expected).max()


def test_maps_are_written_too(tmp_path: Path) -> None:
    network = random_network(MODEL, features_only=True, out_indices=(0, 1), stem="cifar")
    assert mindir.write_mindir(network, tmp_path / "maps.mindir", size=16, batch=2) <= 1e-5


@pytest.mark.parametrize("factor", [1.01, np.nan])
def test_a_file_that_computes_something_else_gets_no_name(
    factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, other = (random_network(MODEL, num_classes=5, stem="cifar") for _ in range(2))
    weight = other.get_classifier().weight
    weight.set_data(weight * factor)
    real = mindir.fold
    monkeypatch.setattr(mindir, "fold", lambda _: real(other))
    path = tmp_path / "net.mindir"
    path.write_bytes(b"what was there")
    with pytest.raises(RunError, match="the exported model would be wrong: its outputs on MindSpore differ"):
        mindir.write_mindir(network, path, size=16, batch=1)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"what was there"]
