"""A data set of one's own, and the names of all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.data.datasets import DATASETS, Reader, Request, Split, register_dataset
from mindcv_shufflenet.data.loader import train_loader
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.options import names
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.tables import without_effect


def read_stripes(request: Request) -> Split:
    """Two classes: white above, or white on the left."""
    images = np.zeros((8, 16, 16, 3), np.uint8)
    images[::2, :8] = images[1::2, :, :8] = 255
    return Split(Pixels(images), np.arange(8, dtype=np.int32) % 2, ("above", "left"), {"above": 0, "left": 1})


@pytest.fixture
def stripes() -> Iterator[str]:
    register_dataset("stripes", Reader(read_stripes))
    yield "stripes"
    del DATASETS["stripes"]
    del names.DATASETS["stripes"]


def test_a_registered_data_set_is_loaded_by_name(stripes: str) -> None:
    config = parse_config({"dataset": stripes, "image_resize": 16, "batch_size": 4})
    split = open_data(config, config.train_split)
    batch = next(train_loader(config, split, 1).batches())
    assert batch.image.shape == (4, 3, 16, 16)
    assert split.num_classes == 2


def test_the_options_follow_the_traits(stripes: str) -> None:
    config = parse_config({"dataset": stripes})
    assert config.crops_resized
    register_dataset(stripes, Reader(read_stripes), names.Traits(needs_folder=False, train_crop="padded"))
    assert not config.crops_resized
    assert config.record()["data_dir"] == "./"
    assert without_effect(config, ["data_dir"]) == ["without effect here: data_dir (needs another data set)"]
    assert [*names.DATASETS].count(stripes) == 1


def test_the_names_of_the_options_are_those_of_the_readers() -> None:
    assert list(DATASETS) == list(names.DATASETS)


def test_a_request_has_the_defaults_of_the_options() -> None:
    request, options = Request(Path(), "train"), parse_config({})
    for name in ("train_split", "val_split", "seed"):
        assert getattr(request, name) == getattr(options, name)
