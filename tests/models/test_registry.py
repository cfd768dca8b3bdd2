"""Names of networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mindcv_shufflenet
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.metadata import metadata_of
from tests.small import MODEL

X0_5 = "shufflenet_v2_x0_5"


def test_a_tag_tells_its_preprocessing() -> None:
    record = mindcv_shufflenet.get_pretrained_cfg("shufflenet_v2_x2_0.tv_in1k")
    assert (record.preprocessing.resize, record.preprocessing.resize_backend) == (232, "pillow")
    assert mindcv_shufflenet.get_pretrained_cfg("shufflenet_v2_x1_0").tag == "mindcv_in1k"


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UserError, match=r"did you mean shufflenet_v2_x1_0\?"):
        mindcv_shufflenet.create_model("shufflenetv2_x1_0")


PACKAGE: Any = mindcv_shufflenet  # its callers here make the mistakes that mypy would find


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PACKAGE.create_model(X0_5, num_class=3), "num_class (did you mean num_classes?)"),
        (lambda: PACKAGE.get_model(X0_5, stems="cifar"), "stems (did you mean stem?)"),
        (lambda: PACKAGE.create_model(X0_5, widths=(1, 2)), "create_model has no argument widths"),
        (lambda: PACKAGE.create_model(None), "unknown model None"),
        (lambda: PACKAGE.create_model(X0_5, num_classes="10"), "num_classes='10': it must be a whole"),
        (lambda: PACKAGE.create_model(X0_5, in_channels=True), "in_channels=True: it must be a whole"),
        (lambda: PACKAGE.create_model(X0_5, checkpoint_path=b"x"), "bytes is no weights"),
        (lambda: PACKAGE.Predictor(X0_5, topk=2.5), "topk=2.5: it must be a whole number above 0"),
        (lambda: PACKAGE.Predictor(ckpt_path=Path("none.ckpt")), "there is no checkpoint none.ckpt"),
        (lambda: PACKAGE.create_model(b"shufflenet_v2_x1_0"), "did you mean shufflenet_v2_x1_0?"),
        (lambda: PACKAGE.list_models(pretrain=True), "pretrain (did you mean pretrained?)"),
        (lambda: PACKAGE.count(None, image_sice=3), "image_sice (did you mean image_size?)"),
        (lambda: PACKAGE.load_weights(None, "a", reset=True), "load_weights has no argument reset"),
        (lambda: PACKAGE.load_weights(None, "a", allow_mising=[]), "(did you mean allow_missing?)"),
        (lambda: PACKAGE.load_weights(None, None), "NoneType is no weights: give a file's path"),
        (lambda: PACKAGE.load_weights(None, b"x.ckpt"), "bytes is no weights: give a file's path"),
        (lambda: PACKAGE.Predictor(X0_5, top_k=3), "top_k (did you mean topk?)"),
        (lambda: PACKAGE.inference_model(X0_5, "a", ckpt_pat="x"), "(did you mean ckpt_path?)"),
    ],
)
def test_a_mistyped_argument_gets_the_nearest(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        call()
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "told",
    [
        {"stem": "cifar", "pool": "same"},
        {"stem": "imagenet", "pool": "pad"},
        {"stem": "imagenet", "pool": "pad", "activation": "leaky_relu", "se": True, "residual": True},
    ],
)
def test_a_file_tells_stem_and_pool(told: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They leave no trace in the shapes."""
    made = mindcv_shufflenet.create_model(MODEL, num_classes=4, **told)
    path = tmp_path / "x.ckpt"
    save_checkpoint(made, path, metadata_of(parse_config({"model": MODEL, "layout": "megvii"} | told), None))
    caplog.set_level("INFO", "mindcv_shufflenet")
    loaded = mindcv_shufflenet.create_model(MODEL, num_classes=4, checkpoint_path=path)
    assert loaded.options.items() >= {"layout": "megvii", **told}.items()
    changed = "stem=cifar" if told["stem"] == "cifar" else "pool=pad"
    assert f"{MODEL}: from {path}: " in caplog.text
    assert changed in caplog.text
    other = told | {"stem": "imagenet" if told["stem"] == "cifar" else "cifar"}
    notes = mindcv_shufflenet.load_weights(mindcv_shufflenet.create_model(MODEL, num_classes=4, **other), path)
    assert f"was trained with stem={told['stem']}" in notes[-1]
    assert mindcv_shufflenet.load_weights(loaded, path) == []


def test_a_checkpoint_is_loaded(tmp_path: Path) -> None:
    """Of any kind; its layout is taken where none is asked for."""
    made = mindcv_shufflenet.create_model(MODEL, num_classes=4, layout="torchvision", pool="pad")
    path = tmp_path / "x.npz"
    arrays = {parameter.name: parameter.asnumpy() for parameter in made.get_parameters()}
    write_arrays(arrays, path)
    loaded = mindcv_shufflenet.create_model(MODEL, num_classes=4, checkpoint_path=path)
    assert (loaded.options["layout"], loaded.options["pool"]) == ("torchvision", "pad")
    assert all(np.array_equal(parameter.asnumpy(), arrays[parameter.name]) for parameter in loaded.get_parameters())
    backbone = mindcv_shufflenet.create_model(MODEL, num_classes=4, checkpoint_path=path, features_only=True)
    assert all(np.array_equal(parameter.asnumpy(), arrays[parameter.name]) for parameter in backbone.get_parameters())
    own: dict[str, Any] = {"num_classes": 4, "checkpoint_path": path}
    options: dict[str, Any]
    for options, message in (
        ({"num_classes": 5}, "its num_classes is 4 and 5 is asked for"),
        ({"layout": "megvii"}, "the network is of layout megvii"),
        ({"pretrained": True}, "leave one out"),
        ({"checkpoint_path": tmp_path / "none.ckpt"}, "there is no checkpoint"),
    ):
        with pytest.raises(UserError, match=message):
            mindcv_shufflenet.create_model(MODEL, **(own | options))
