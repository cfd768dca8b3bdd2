"""Golden data inside a file."""

import json
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY, Golden, golden_input
from mindcv_shufflenet.network import open_network
from tests.deploy.export.files import SIZE, exported


def test_golden_data_come_back_as_they_went(checkpoint: Path, pynative: None) -> None:
    _, model = exported(checkpoint)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    golden = Golden.parse(entries[GOLDEN_ENTRY])
    network = open_network({"ckpt_path": str(checkpoint)}).network.set_train(False)
    assert golden.images.shape == (2, 3, SIZE, SIZE)
    assert np.array_equal(golden.outputs["logits"], network(Tensor(golden.images)).asnumpy().ravel())
    assert Golden.parse(golden.dump()).dump() == golden.dump()
    for text in ("", "[]", "{}", json.dumps(json.loads(golden.dump()) | {"outputs": {"logits": "AAA"}})):
        with pytest.raises(ValueError, match="they are damaged"):
            Golden.parse(text)


def test_golden_images_are_the_formulas() -> None:
    """A few pixels of the formula that the files state, worked out by hand."""
    images = golden_input((2, 224, 224, 3), "uint8")
    assert images.dtype == np.uint8
    # n, y, x, c = 0: u = 0, v = 1000, w = 0: (251 + |498 - 251|) // 3 + 0
    assert images[0, 0, 0, 0] == (251 + 247) // 3
    # n = 1, y = 10, x = 20, c = 2: u = 80 + 20 + 194 = 294, v = 40 - 40 + 122 + 1000 = 1122, w = 400 + 300 + 1000 + 14
    assert images[1, 10, 20, 2] == (43 + abs(1122 % 502 - 251)) // 3 + 1714 % 83
    planes = golden_input((2, 3, 224, 224), "float32")
    assert planes[1, 2, 10, 20] == (float(images[1, 10, 20, 2]) - 128) / 64
