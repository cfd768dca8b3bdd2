"""What the tests of exported files share."""

from pathlib import Path

import pytest

from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import Metadata
from tests.deploy.export.files import OPTIONS
from tests.small import MODEL
from tests.weights.networks import random_network


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The weights of a small network of five classes."""
    path = tmp_path / "net.ckpt"
    known = {**OPTIONS, "resize_backend": "pillow", "channel_order": "bgr"}
    save_checkpoint(random_network(MODEL, num_classes=5), path, Metadata(known))
    return path
