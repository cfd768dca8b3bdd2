"""The mean of the logits of several views of an image, on every road to a forward pass."""

from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.deploy.predictor import Predictor
from mindcv_shufflenet.engines.open import find_source
from mindcv_shufflenet.engines.views import with_views
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from tests.small import MODEL
from tests.weights.networks import random_network

WEIGHTS = np.random.default_rng(0).standard_normal((3 * 4 * 5, 7)).astype(np.float32)
IMAGES = np.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype(np.float32)


def forward(images: np.ndarray) -> np.ndarray:
    assert images.flags.c_contiguous
    return images.reshape(len(images), -1) @ WEIGHTS


def test_against_numpy() -> None:
    flipped = np.stack([[np.fliplr(channel) for channel in image] for image in IMAGES])
    np.testing.assert_array_equal(with_views(forward)(IMAGES), (forward(IMAGES) + forward(flipped)) / 2)


def test_shifts_against_numpy() -> None:
    def at(image: np.ndarray, row: int, column: int) -> np.ndarray:
        """The pixel at a place, which may lie one pixel outside, where the edge is mirrored."""
        height, width = image.shape[1:]
        return image[:, height - 2 if row == height else abs(row), width - 2 if column == width else abs(column)]

    def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
        rows = [[at(image, y + down, x + right) for x in range(image.shape[2])] for y in range(image.shape[1])]
        return np.array(rows).transpose(2, 0, 1)

    views = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            moved = np.ascontiguousarray([shifted(image, down, right) for image in IMAGES])
            views += [forward(moved), forward(np.ascontiguousarray(moved[..., ::-1]))]
    assert len(views) == 18
    np.testing.assert_allclose(with_views(forward, 1)(IMAGES), np.mean(views, axis=0), rtol=1e-5)


def test_weights_and_networks_are_opened_with_it(tmp_path: Path, pynative: None) -> None:
    network = random_network(MODEL, num_classes=4)
    save_checkpoint(network, tmp_path / "a.ckpt")
    options = {"model": MODEL, "ckpt_path": str(tmp_path / "a.ckpt"), "mode": 1, "jit": False}
    plain, averaged = (find_source({**options, "tta": tta}).open(4) for tta in (False, True))
    images = np.random.default_rng(2).standard_normal((2, 3, 64, 64)).astype(np.float32)
    expected = (plain.forward(images) + plain.forward(images[..., ::-1].copy())) / 2
    np.testing.assert_allclose(averaged.forward(images), expected, rtol=1e-6)
    assert not np.allclose(plain.forward(images), expected)
    assert [note for note in averaged.notes if note not in plain.notes] == [
        "tta: logits are averaged over each image and its horizontal flip"
    ]
    photo = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    one, both, mirrored = (
        next(Predictor(network, image_resize=64, crop_pct=1, tta=tta).scores([pixels]))
        for tta, pixels in ((False, photo), (True, photo), (True, photo[:, ::-1].copy()))
    )
    np.testing.assert_allclose(both, mirrored, rtol=1e-4)
    assert not np.allclose(one, both)


def test_an_exported_file_is_run_with_it(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from mindcv_shufflenet.graph.interface import Interface
    from mindcv_shufflenet.graph.model import onnx_model

    path = tmp_path / "a.onnx"
    onnx.save(onnx_model(random_network(MODEL, num_classes=4), Interface(64)), path)
    plain, averaged = (find_source({"model": str(path), "tta": tta}).open() for tta in (False, True))
    images = np.random.default_rng(2).standard_normal((2, 3, 64, 64)).astype(np.float32)
    expected = (plain.forward(images) + plain.forward(images[..., ::-1].copy())) / 2
    np.testing.assert_allclose(averaged.forward(images), expected, rtol=1e-6)
