"""Grad-CAM against its definition, and the picture."""

from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image

from mindcv_shufflenet.report.gradcam import draw, grad_cam
from tests.small import MODEL
from tests.weights.networks import random_network


def test_the_heat_map_is_that_of_the_paper() -> None:
    """Behind the last convolution come a mean and a matrix: the gradient is that matrix's row over the map's size."""
    network = random_network(MODEL, num_classes=5)
    image = np.random.default_rng(0).normal(size=(3, 96, 96)).astype(np.float32)
    features = network.forward_features(ms.Tensor(image[None])).asnumpy()[0]
    for index in range(5):
        weights = network.classifier.weight.asnumpy()[index] / features[0].size
        expected = np.maximum((weights[:, None, None] * features).sum(0), 0)
        got = grad_cam(network, image, index)
        assert got.shape == (3, 3)
        assert got.dtype == np.float32
        assert np.allclose(got, expected / max(expected.max(), 1e-30), atol=1e-5)


def test_a_picture_is_written(tmp_path: Path) -> None:
    pixels = np.full((64, 64, 3), 200, np.uint8)
    heat = np.zeros((2, 2), np.float32)
    heat[0, 1] = 1
    classes = [("a name, and another", 0.75), ("鸟 with $odd$ _signs_" * 3, 0.25)]
    draw(tmp_path / "new" / "cam.png", pixels, heat, classes, "photo_$1.jpg")
    with Image.open(tmp_path / "new" / "cam.png") as image:
        assert image.size == (1200, 400)
        colours = np.asarray(image.convert("RGB")).astype(int)
    middle = colours[:, 400:700]
    red = (middle[..., 0] - middle[..., 2]) > 60  # the warm end of the colour map, over the right upper corner alone
    rows, columns = np.nonzero(red)
    assert len(rows) > 100
    assert rows.mean() < 200
    assert columns.mean() > 130
