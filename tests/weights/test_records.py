"""Records of published weights, and how a model with them is made."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.catalogue import list_models
from mindcv_shufflenet.network import create_model, get_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights import records
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.provenance import open_weights, resolve_alias, settle
from mindcv_shufflenet.weights.records import RECORDS, fetch_record, find_record, get_pretrained_cfg
from mindcv_shufflenet.weights.records.base import Record
from tests.storage.test_download import serve
from tests.weights.networks import arrays_of, random_network, same

X0_5 = "shufflenet_v2_x0_5"


def test_every_record_is_complete_and_pinned() -> None:
    for name, record in RECORDS.items():
        assert name == f"{record.model}.{record.tag}"
        assert record.model in list_models()
        assert 35 < record.top1 < record.top5 < 100
        assert record.preprocessing.resize in ((232, 256) if record.dataset == "imagenet" else (32,))
        assert record.preprocessing.image_resize == (224 if record.dataset == "imagenet" else 32)
        assert record.images in (50_000, 10_000)
        assert record.source
        assert record.licence
        if record.url is None:
            assert record.by_hand
        else:
            assert urlsplit(record.url).scheme == "https"
            assert record.sha256
            assert f"-{record.sha256}" in record.url
        config = parse_config({"model": record.model, **record.options()})
        assert Preprocessing.of(config) == record.preprocessing
    assert sorted(RECORDS) == list_models(pretrained=True)


def test_a_dot_without_a_tag_is_a_slip() -> None:
    with pytest.raises(UserError, match=r"unknown weights shufflenet_v2_x1_0\..*has mindcv_in1k, tv_in1k"):
        create_model("shufflenet_v2_x1_0.")


def test_names_find_their_record() -> None:
    assert find_record(X0_5) is None
    assert get_pretrained_cfg(X0_5).tag == "mindcv_in1k"
    assert get_pretrained_cfg(f"{X0_5}.tv_in1k").network_options["layout"] == "torchvision"
    assert get_pretrained_cfg("shufflenet-v2-1x_16xb64_in1k").name == "shufflenet_v2_x1_0.mmpretrain_in1k"
    with pytest.raises(
        UserError, match=r"unknown weights shufflenet_v2_x0_5\.tv_in2k .did you mean .*\.tv_in1k.*has min"
    ):
        find_record(f"{X0_5}.tv_in2k")
    with pytest.raises(UserError, match="no published weights of resnet50"):
        get_pretrained_cfg("resnet50")
    with pytest.raises(UserError, match="has no stable address: get the file from .*--ckpt_path"):
        fetch_record(get_pretrained_cfg(f"{X0_5}.megvii_in1k"))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """x0.5's mindcv record led to a server on this machine."""
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path / "home"))
    path = tmp_path / "file.ckpt"
    write_arrays(arrays_of(random_network()), path)
    body = path.read_bytes()
    digits = hashlib.sha256(body).hexdigest()[:8]
    with serve({f"/net-{digits}.ckpt": body}) as server:
        record = get_pretrained_cfg(X0_5)._replace(url=f"{server.url}/net-{digits}.ckpt", sha256=digits, size=len(body))
        monkeypatch.setitem(records.RECORDS, record.name, record)
        yield record


def test_a_model_with_its_weights(published: object, caplog: pytest.LogCaptureFixture) -> None:
    expected = arrays_of(random_network())
    assert same(arrays_of(create_model(X0_5, pretrained=True)), expected)
    with caplog.at_level(logging.WARNING):
        got = arrays_of(get_model(X0_5, pretrained=True, num_classes=10))
    assert "the classifier starts anew" in caplog.text
    assert got["classifier.weight"].shape == (10, 1024)
    assert np.array_equal(got["conv_last.0.weight"], expected["conv_last.0.weight"])
    features = create_model(X0_5, pretrained=True, features_only=True)
    assert np.array_equal(features.parameters_dict()["first_conv.0.weight"].asnumpy(), expected["first_conv.0.weight"])
    with pytest.raises(UserError, match=r"first_conv.0.weight is \(24, 3, 3, 3\) there and \(24, 1, 3, 3\) here"):
        create_model(X0_5, pretrained=True, in_channels=1)


def test_an_offline_machine_is_told_where_to_put_the_file(published: object, monkeypatch: pytest.MonkeyPatch) -> None:
    record = get_pretrained_cfg(X0_5)._replace(url="http://127.0.0.1:9/net-00000000.ckpt", sha256="00000000")
    with pytest.raises(UserError, match=r"cannot reach http://127.*by hand at .*/home/checkpoints/net-00000000\.ckpt"):
        fetch_record(record)


def test_a_tag_sets_network_and_preprocessing_unless_told_otherwise() -> None:
    given = {"model": "shufflenet-v2-1x_16xb64_in1k", "crop_pct": 0.9}
    config = resolve_alias(parse_config(given))
    assert (config.model, config.model_name.model) == ("shufflenet_v2_x1_0.mmpretrain_in1k", "shufflenet_v2_x1_0")
    got = settle(given)
    config, notes = got.config, got.notes
    assert (config.layout, config.pool, config.resize_backend, config.crop_pct) == ("torchvision", "pad", "pillow", 0.9)
    assert notes == [f"from the record {config.model}: layout=torchvision, pool=pad, resize_backend=pillow"]
    assert create_model(config.model).options["layout"] == "torchvision"


def test_a_checkpoint_goes_before_pretrained_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    write_arrays(arrays_of(random_network(layout="torchvision"), "torchvision"), path)
    given = {"model": X0_5, "pretrained": True, "ckpt_path": str(path)}
    got = settle(given)
    assert got.weights
    assert got.weights.source == str(path)
    assert got.notes == [
        "pretrained is not read, since ckpt_path is given",
        f"from {path}: layout=torchvision, pool=pad",
    ]


def test_names_of_a_project_mean_its_records_of_the_family(tmp_path: Path) -> None:
    """mmpretrain has weights of one model in each of two families."""
    for model, project in ((X0_5, "torchvision"), ("shufflenet_v1_g3_x0_5", "mmpretrain")):
        path = tmp_path / f"{model}.npz"
        write_arrays(arrays_of(random_network(model, layout=project), "mmpretrain"), path)
        got = settle({"model": model, "ckpt_path": str(path)})
        assert got.preprocessing == Preprocessing(resize_backend="pillow")
        assert f"the record {model.removesuffix('x0_5')}x1_0.mmpretrain_in1k, since" in got.notes[0]
        assert create_model(model, checkpoint_path=path).options["layout"] == project


def test_a_checkpoint_may_be_an_address(published: object) -> None:
    url = records.RECORDS[f"{X0_5}.mindcv_in1k"].url
    weights = open_weights(parse_config({"model": X0_5, "ckpt_path": url}))
    assert weights
    assert same(weights.arrays, arrays_of(random_network()))
    with pytest.raises(UserError, match="only https is"):
        open_weights(parse_config({"model": X0_5, "ckpt_path": "http://127.0.0.1/net.ckpt"}))
