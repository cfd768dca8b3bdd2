"""The MobileNets: other projects' names, and published outputs that are no class."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from mindcv_shufflenet import Predictor, convert, create_model
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights import records
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import read_weights
from mindcv_shufflenet.weights.metadata import metadata_of
from mindcv_shufflenet.weights.names import Arrays, recognise
from mindcv_shufflenet.weights.provenance import settle
from mindcv_shufflenet.weights.records import get_pretrained_cfg
from tests.storage.test_download import serve
from tests.weights.networks import arrays_of, random_network, read_arrays, same

V1, V2 = "mobilenet_v1_025", "mobilenet_v2_035_224"
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def names_of(convs: dict[str, str]) -> set[str]:
    """The parameters of convolutions and of the BatchNorm behind each."""
    return {f"{conv}.weight" for conv in convs} | {f"{norm}.{part}" for norm in convs.values() for part in NORM}


def test_parameters_of_mobilenet_v1_have_mindcvs_names() -> None:
    convs = {"features.0": "features.1"}
    for block in range(3, 16):
        convs |= {f"features.{block}.{place}": f"features.{block}.{place + 1}" for place in (0, 3)}
    own = {parameter.name for parameter in build(V1).get_parameters()}
    assert own == names_of(convs) | {"classifier.weight", "classifier.bias"}


def test_parameters_of_mobilenet_v2_have_mindcvs_names() -> None:
    convs = {"features.0": "features.1", "features.20": "features.21"}
    for block in range(3, 20):
        places = (0, 3) if block == 3 else (0, 3, 6)  # the first block does not expand
        convs |= {f"features.{block}.layers.{place}": f"features.{block}.layers.{place + 1}" for place in places}
    own = {parameter.name for parameter in build(V2).get_parameters()}
    assert own == names_of(convs) | {"classifier.1.weight", "classifier.1.bias"}


def test_mobilenet_v2_has_torchvisions_names_too() -> None:
    network = random_network(V2)
    theirs = arrays_of(network, "torchvision")
    convs = {"features.0.0", "features.18.0", "features.1.conv.0.0", "features.1.conv.1"}
    convs |= {f"features.{block}.conv.{place}" for block in range(2, 18) for place in ("0.0", "1.0", "2")}
    assert {name.removesuffix(".weight") for name, value in theirs.items() if value.ndim == 4} == convs
    assert {"features.1.conv.2.running_var", "features.17.conv.3.bias", "classifier.1.bias"} < theirs.keys()
    found = recognise(theirs, "file")
    assert (found.project, same(found.arrays, arrays_of(network))) == ("torchvision", True)


def test_torchvisions_names_mean_torchvisions_preprocessing(tmp_path: Path) -> None:
    write_arrays(arrays_of(random_network(V2), "torchvision"), tmp_path / "net.npz")
    settled = settle({"model": V2, "ckpt_path": str(tmp_path / "net.npz")})
    assert settled.config.resize_backend == "pillow"
    assert settled.config.layout is None


@pytest.fixture
def surplus() -> Arrays:
    """Weights as mindcv publishes them, with an output more than there are classes."""
    return arrays_of(random_network(V1, num_classes=1001))


@pytest.fixture
def published(surplus: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """mindcv's record led to a server on this machine."""
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path / "home"))
    write_arrays(surplus, tmp_path / "file.ckpt")
    body = (tmp_path / "file.ckpt").read_bytes()
    digits = hashlib.sha256(body).hexdigest()[:8]
    with serve({f"/net-{digits}.ckpt": body}) as server:
        record = get_pretrained_cfg(V1)._replace(url=f"{server.url}/net-{digits}.ckpt", sha256=digits)
        monkeypatch.setitem(records.RECORDS, record.name, record)
        yield


def test_the_output_that_is_no_class_is_left_out_and_told(
    published: None, surplus: Arrays, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        usual = arrays_of(create_model(V1, pretrained=True))
    assert "has 1001 outputs, of which 1000 are classes; the others are left out" in caplog.text
    assert "anew" not in caplog.text
    cut = {name: value[:1000] if name.startswith("classifier") else value for name, value in surplus.items()}
    assert same(usual, cut)
    assert same(arrays_of(create_model(V1, pretrained=True, num_classes=1001)), surplus)
    caplog.clear()
    ten = arrays_of(create_model(V1, pretrained=True, num_classes=10))
    assert "the classifier starts anew" in caplog.text
    assert ten["classifier.weight"].shape == (10, 256)


def test_predictions_are_of_the_classes(surplus: Arrays, tmp_path: Path) -> None:
    write_arrays(surplus, tmp_path / "net.ckpt")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    predictor = Predictor(V1, ckpt_path=tmp_path / "net.ckpt", image_resize=32)
    assert len(predictor.class_names) == 1000
    assert predictor.class_names[0].startswith("tench")


def test_a_conversion_keeps_all_outputs(surplus: Arrays, tmp_path: Path) -> None:
    write_arrays(surplus, tmp_path / "net.ckpt")
    conversion = convert(tmp_path / "net.ckpt", tmp_path / "net.npz", model=V1)
    assert same(read_arrays(tmp_path / "net.npz"), surplus)
    assert not any("left out" in note for note in conversion.notes)


def test_classes_with_names_are_classes_all(surplus: Arrays, tmp_path: Path) -> None:
    names = tuple(map(str, range(1001)))
    metadata = metadata_of(parse_config({"model": V1}), Classes(names, {name: int(name) for name in names}))
    write_arrays(surplus, tmp_path / "net.npz", metadata.dump())
    assert read_weights(tmp_path / "net.npz").num_classes == 1001


def test_weights_start_as_in_mindcv() -> None:
    """Glorot's uniform distribution in V1, He's normal one over the outputs in V2."""
    pointwise = arrays_of(build(V1))["features.15.3.weight"]
    assert np.abs(pointwise).max() == pytest.approx((6 / (256 + 256)) ** 0.5, rel=0.01)
    assert arrays_of(build(V2))["features.20.weight"].std() == pytest.approx((2 / 1280) ** 0.5, rel=0.05)
