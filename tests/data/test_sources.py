"""Files, pixels and packed records as one kind of image source."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.classes import match_classes
from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.data.datasets.base import split_checksum
from mindcv_shufflenet.data.open import evenly_spaced
from mindcv_shufflenet.data.records import Packing, pack
from mindcv_shufflenet.data.sources import Files, ImageSource, Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import parse_config

KINDS = ("files", "pixels", "records")
LABELS = np.array([0, 0, 1, 1, 1], np.int32)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def splits(root: Path) -> dict[str, Split]:
    """The same five images, each of one colour, from three sources."""
    array = np.repeat(np.arange(5, dtype=np.uint8), 8 * 8 * 3).reshape(5, 8, 8, 3)
    paths = [root / f"{number}.png" for number in range(5)]
    for path, image in zip(paths, array, strict=True):
        Image.fromarray(image).save(path)
    classes = ("a", "b"), {"a": 0, "b": 1}
    found = {"files": Split(Files(paths), LABELS, *classes), "pixels": Split(Pixels(array), LABELS, *classes)}
    pack(found["files"], "train", root / "packed", {}, Packing(images_per_shard=3))
    return found | {"records": open_split("mindrecord", Request(root / "packed", "train"))}


def colours(images: ImageSource, labels: np.ndarray, indices: list[int]) -> list[tuple[int, int]]:
    """Read colour and label of some images through a pipeline."""
    from mindspore.dataset import vision

    pipeline = images.open(labels, indices)
    if images.encoded:
        pipeline = pipeline.map(vision.Decode(), "image")
    rows = pipeline.create_tuple_iterator(num_epochs=1, output_numpy=True)
    return [(int(image[0, 0, 0]), int(label)) for image, label in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_read_in_the_order_asked_for(splits: dict[str, Split], kind: str) -> None:
    split = splits[kind]
    assert len(split) == len(split.images) == 5
    assert colours(split.images, split.labels, [4, 0, 0, 2]) == [(4, 1), (0, 0), (0, 0), (2, 1)]
    part = split.take([3, 1])
    assert colours(part.images, part.labels, [1, 0]) == [(1, 0), (3, 1)]
    split.images.check(Path())


@pytest.mark.parametrize("kind", KINDS)
def test_the_checksum_tells_other_images_and_other_labels(splits: dict[str, Split], kind: str, root: Path) -> None:
    split = splits[kind]
    whole = split_checksum(split, root)
    assert whole == split_checksum(split.take(range(5)), root)
    assert whole != split_checksum(split.take([0, 1, 2, 3]), root)
    swapped = Split(split.images, LABELS[::-1], split.class_names, split.class_to_index)
    assert whole != split_checksum(swapped, root)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    split = Split(Files([tmp_path / "gone.png"]), LABELS[:1], ("a",), {"a": 0})
    with pytest.raises(UserError, match=r"cannot read .*gone.png: No such file or directory; look at the data set"):
        split_checksum(split, tmp_path)


def test_what_stopped_a_pipeline_is_named_where_it_is_known(splits: dict[str, Split], tmp_path: Path) -> None:
    error = RuntimeError("first\nsecond")
    assert splits["pixels"].images.explain(error) is error
    assert splits["files"].images.explain(error) is error
    assert "MindRecord files in" in str(splits["records"].images.explain(error))
    (tmp_path / "bad.png").write_bytes(b"bad")
    assert "bad.png (1 such)" in str(Files([tmp_path / "bad.png"]).explain(error))


def test_a_part_is_spread_over_all_classes(splits: dict[str, Split]) -> None:
    assert evenly_spaced(splits["pixels"], 3).labels.tolist() == [0, 0, 1]
    with pytest.raises(UserError, match="num_samples=6 and the split has only 5 images"):
        evenly_spaced(splits["pixels"], 6)


def test_the_classes_are_those_of_the_network(splits: dict[str, Split]) -> None:
    config, split = parse_config({"dataset": "folder"}), splits["pixels"]
    assert match_classes(config, split, 2) is split
    wider = match_classes(config, split, 4)
    assert wider.class_names == ("a", "b", "2", "3")
    assert wider.notes == ("the network has 4 classes and the data have 2: the others are never right",)
    with pytest.raises(UserError, match="num_classes=1 and the data set folder in ./ has 2 classes"):
        match_classes(config, split, 1)


def test_data_sets_are_read_without_mindspore() -> None:
    script = (
        "import sys, mindcv_shufflenet.data.datasets; sys.exit('mindspore' in sys.modules or 'sklearn' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
