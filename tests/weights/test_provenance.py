"""Which options belong to weights, and which source has the last word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mindcv_shufflenet import families
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.base import Family, Layer
from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.options import names
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import read_weights
from mindcv_shufflenet.weights.metadata import Metadata, metadata_of, parse_metadata
from mindcv_shufflenet.weights.provenance import Settled, settle
from tests.weights.networks import arrays_of, random_network

MODEL = "shufflenet_v2_x0_5"
CLASSES = Classes(("a", "b"), {"a": 0, "b": 1})


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return arrays_of(random_network(MODEL, num_classes=2))


def settled(path: Path, *, with_data: bool = False, **given: Any) -> Settled:
    return settle(given | {"ckpt_path": str(path)}, with_data=with_data)


def write_run(folder: Path, **options: Any) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(Config(model=MODEL, **options).recipe()))


@pytest.mark.parametrize(
    ("given", "dataset", "data_dir"),
    [
        ({}, "folder", "photos"),
        ({"data_dir": "moved"}, "folder", "moved"),
        ({"dataset": "folder"}, "folder", "photos"),
        ({"dataset": "imagenet"}, "imagenet", "./"),
    ],
)
def test_the_folder_of_another_data_set_is_not_taken(
    given: dict[str, Any], dataset: str, data_dir: str, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    write_arrays(arrays, tmp_path / "net.npz")
    write_run(tmp_path, dataset="folder", data_dir="photos")
    config = settled(tmp_path / "net.npz", with_data=True, **given).config
    assert (config.dataset, config.data_dir) == (dataset, data_dir)
    assert settled(tmp_path / "net.npz").config.dataset == "imagenet"


def test_the_user_then_the_file_then_its_folder_then_a_tag_then_the_names(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Each of them tells another channel mean."""
    path = tmp_path / "net.npz"
    megvii = arrays_of(random_network(MODEL, num_classes=2), "megvii")
    write_arrays(megvii, path)
    got = settled(path, model=MODEL)
    assert (got.config.channel_order, got.config.pool, got.config.mean) == ("bgr", "pad", [0, 0, 0])
    assert any(f"the record {MODEL}.megvii_in1k, since {path} has megvii's names" in note for note in got.notes)
    got = settled(path, model=f"{MODEL}.mindcv_in1k")
    assert (got.config.channel_order, got.config.mean[0]) == ("rgb", 123.675)
    write_run(tmp_path, mean=[11.0] * 3, stem="cifar", pool="same", layout="megvii")
    got = settled(path, model=f"{MODEL}.mindcv_in1k")
    assert (got.config.mean[0], got.config.stem, got.config.pool) == (11, "cifar", "same")
    network = {"layout": "megvii", "pool": "same", "stem": "imagenet"}
    own = parse_config({"model": MODEL, **network, "mean": [12.0] * 3})
    write_arrays(megvii, path, metadata_of(own, CLASSES, 3).dump())
    got = settled(path)
    assert (got.config.mean[0], got.config.stem, got.classes) == (12, "imagenet", CLASSES)
    assert settled(path, mean=[13.0] * 3).config.mean[0] == 13
    assert {"mean", "stem", "model", "dataset"} <= got.told


def test_a_project_without_a_record_of_the_model_tells_its_preprocessing(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    write_arrays(arrays_of(random_network(MODEL, num_classes=2, layout="torchvision"), "mmpretrain"), path)
    got = settled(path, model=MODEL)
    assert got.config.resize_backend == "pillow"
    assert any("the record shufflenet_v2_x1_0.mmpretrain_in1k, since" in note for note in got.notes)


def test_what_nothing_tells_is_assumed_aloud(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    write_arrays(arrays, path)
    got = settled(path, model=MODEL, stem="cifar")
    assert got.told == {"layout", "se"}
    assert f"{path} does not say how its network was trained; assumed is activation=relu" in got.notes[-1]
    assert "pool" not in got.notes[-1]  # it has no effect behind that stem
    assert "stem" not in got.notes[-1]


def test_metadata_come_back_and_nonsense_is_told(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    config = parse_config({"model": MODEL, "layout": "megvii", "pool": "same", "stem": "imagenet"})
    metadata = metadata_of(config, CLASSES, 7)._replace(temperature=1.25)
    assert parse_metadata(metadata.dump()) == metadata
    assert parse_metadata(Metadata({"model": MODEL}).dump()) == Metadata({"model": MODEL})
    whole = metadata.dump()
    for text, message in (
        *((text, "they are damaged") for text in ("{}", "[]", "null", "[" * 5000, whole[:-2])),
        (whole.replace('"epoch": 7', '"epoch": "x"'), "epoch=x is no number"),
        (whole.replace("1.25", "0.01"), "temperature=0.01 is not from 0.05 to 20.0"),
        (whole.replace("1.25", "NaN"), "temperature=nan is not"),
        (whole.replace('"format": 1', '"format": 2'), "they are of format 2 and this version reads 1"),
        (whole.replace('"stem": "imagenet"', '"stem": "flower"'), "stem=flower"),
        (whole.replace('"b": 1', '"b": 5'), "indices are not of those names"),
        (whole.replace(f'"model": "{MODEL}", ', ""), "they name no model"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_metadata(text)
        write_arrays(arrays, tmp_path / "net.npz", text)
        weights = read_weights(tmp_path / "net.npz")
        assert weights.metadata is None
        assert f"what {tmp_path}/net.npz tells of its network is not read: " in weights.notes[0]


def test_weights_of_another_family_are_refused_by_their_names(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    write_arrays(arrays, tmp_path / "net.npz")

    def describe(width: int, *, in_channels: int, num_classes: int) -> list[Layer]:
        net = Builder(in_channels)
        net.dense(net.mean(net.conv(0, width, "only", {})), num_classes, "head", {}, bias=True)
        return net.layers

    families.register(Family("Other", "none:None", {"other_8": 8}, describe))
    try:
        with pytest.raises(UserError, match="weights of ShuffleNetV2, and other_8 is of Other; give their own --model"):
            settled(tmp_path / "net.npz", model="other_8")
    finally:
        del families.FAMILIES["Other"]


def test_the_data_set_of_a_program_that_is_gone_is_no_hindrance(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only converts or predicts reads no image."""
    with monkeypatch.context() as patch:
        patch.setitem(names.DATASETS, "stripes", names.Traits())
        own = parse_config({"model": MODEL, "layout": "megvii", "dataset": "stripes"})
        write_arrays(arrays, tmp_path / "net.npz", metadata_of(own, CLASSES, 3).dump())
    got = settled(tmp_path / "net.npz", with_data=True)
    assert (got.config.dataset, got.config.replace(pool="pad").dataset) == ("stripes", "stripes")
    with pytest.raises(UserError, match="unknown data set stripes"):
        parse_config({"dataset": "stripes"})


@pytest.mark.parametrize(
    ("model", "option", "message"),
    [
        (MODEL, {"layout": "imgclsmob"}, f"layout=imgclsmob: it must be one of megvii, torchvision in {MODEL}"),
        ("shufflenet_v1_g3_x0_5", {"layout": "torchvision"}, "it must be one of mindcv, megvii, mmpretrain, imgclsmob"),
        ("mobilenet_v1_025", {"layout": "megvii"}, "mobilenet_v1_025 has no option layout: leave it out"),
        ("shufflenet_v2_plus_small", {"se": True}, "shufflenet_v2_plus_small has no option se: leave it out"),
    ],
)
def test_options_of_another_family_are_refused(model: str, option: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        settle({"model": model, **option})


def test_network_options_without_effect_are_told() -> None:
    given = {"model": MODEL, "stem": "cifar", "pool": "pad", "layout": "megvii"}
    assert settle(given).notes == [f"without effect in {MODEL} with its other options: pool"]
    assert settle(given | {"stem": "imagenet"}).notes == []
    one_group = {"model": "shufflenet_v1_g1_x0_5", "stem": "cifar", "pool": "pad", "channel_shuffle": "interleave"}
    assert "other options: channel_shuffle" in settle(one_group).notes[0]  # its blocks have pools, and no shuffle


def test_a_file_with_the_name_of_a_records_is_that_records(tmp_path: Path) -> None:
    """Weaker than what the user and a tag say, stronger than the project's names."""
    path = tmp_path / "cifar100_shufflenetv2_x0_5-1977720f.pt.npz"
    options: dict[str, Any] = {"layout": "torchvision", "num_classes": 100}
    write_arrays(arrays_of(random_network(MODEL, **options), "torchvision"), path)
    assert settled(path, model=MODEL).config.stem is None
    path = path.rename(tmp_path / "cifar100_shufflenetv2_x0_5-1977720f.pt")
    got = settled(path, with_data=True)
    config = got.config
    assert (config.model, config.stem, config.image_resize, config.dataset) == (MODEL, "cifar", 32, "cifar100")
    assert config.mean == [129.285, 124.0575, 112.4295]
    assert got.dataset == "cifar100"
    assert f"the record {MODEL}.cifar100, since the file has its name: " in got.notes[0]
    assert settled(path, stem="imagenet").config.stem == "imagenet"
    assert settled(path, model=f"{MODEL}.tv_in1k").config.image_resize == 224
    assert settled(path).config.dataset == "imagenet"  # no data are asked for
    other = settled(path, model="shufflenet_v2_x1_0").config
    assert (other.model, other.stem) == ("shufflenet_v2_x1_0", None)  # the name speaks of another model


def test_names_of_a_project_tell_no_model(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    write_arrays(arrays_of(random_network(MODEL, num_classes=2), "megvii"), path)
    got = settled(path, with_data=True, model=MODEL)
    assert not got.told & {"model", "dataset"}
    assert got.dataset is None
