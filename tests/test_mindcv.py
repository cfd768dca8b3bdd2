"""Checkpoints go to mindcv and back; skipped where mindcv is not installed.

``pip install --no-deps mindcv==0.3.0 tqdm``
"""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.weights.networks import randomise

mindcv = pytest.importorskip("mindcv", reason="mindcv is not installed")

# mindcv's names of networks; all of them are understood here.
NETWORKS = [
    *(f"shufflenet_v1_g{groups}_{width}" for groups in (3, 8) for width in ("05", "10", "15", "20")),
    *(f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")),
    *(f"mobilenet_v1_{width}" for width in ("025", "050", "075", "100")),
    *(f"mobilenet_v2_{width}" for width in ("035_224", "050_224", "075", "100", "130_224", "140")),
]
IMAGE = Tensor(np.random.default_rng(1).normal(size=(2, 3, 64, 64)).astype(np.float32))


pytestmark = pytest.mark.usefixtures("pynative")


@pytest.mark.parametrize("name", NETWORKS)
def test_checkpoints_go_both_ways(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.ckpt"
    # the weights that mindcv publishes of MobileNetV1 have an output behind those of the classes
    outputs = 1001 if name.startswith("mobilenet_v1") else 1000
    there = randomise(mindcv.create_model(name, num_classes=outputs), 0)
    ms.save_checkpoint(there, str(path))
    expected = there(IMAGE).asnumpy()
    for classes in {1000, outputs}:
        here = create_model(name, num_classes=classes, checkpoint_path=path).set_train(False)
        difference = np.abs(here(IMAGE).asnumpy() - expected[:, :classes]).max()
        assert difference < 1e-5 * np.abs(expected).max()

    here = create_model(name, num_classes=outputs)
    save_checkpoint(randomise(here, 1), path)
    assert ms.load_param_into_net(there, ms.load_checkpoint(str(path)), strict_load=True) == ([], [])
    expected = here(IMAGE).asnumpy()
    assert np.abs(there(IMAGE).asnumpy() - expected).max() < 1e-5 * np.abs(expected).max()
