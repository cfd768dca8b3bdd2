"""The catalogue: what is listed, in which order, and what describes one network."""

import subprocess
import sys

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.catalogue import catalogue, describe, is_model, list_models

TAGS = (".mindcv_in1k", ".tv_in1k", ".mmpretrain_in1k", ".megvii_in1k", ".cifar10", ".cifar100")
WEIGHTS = [f"shufflenet_v2_x1_0{tag}" for tag in ("", *TAGS)]
WIDTHS = ["shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"]


def test_wildcards_choose_models() -> None:
    assert list_models("shufflenet_v2_x*") == WIDTHS
    assert list_models("shufflenet_v2_x1_?") == WIDTHS[1:3]
    assert list_models("resnet*") == []


def test_wildcards_leave_models_out() -> None:
    assert list_models("shufflenet_v2_x*", exclude_filters="*x0_5") == WIDTHS[1:]
    assert list_models("shufflenet_v2_x*", exclude_filters=["*x0_5", "*x2*"]) == WIDTHS[1:3]
    published = list_models("*v2_x1_0*", pretrained=True, exclude_filters=["*.m*", "*.cifar*"])
    assert published == ["shufflenet_v2_x1_0.tv_in1k"]


def test_what_is_a_model() -> None:
    names = [*WIDTHS[:1], f"{WIDTHS[0]}.tv_in1k", "shufflenet-v2-1x_16xb64_in1k", f"{WIDTHS[0]}.tv_in2k", "resnet50"]
    assert [is_model(name) for name in names] == [True, True, True, False, False]


@pytest.mark.parametrize("pattern", ["shufflenet_v2_x1_0", "shufflenet_v2_x1_?", "s*_v2_x1_0", "lenet_v2_x1_0"])
def test_a_network_stands_before_its_weights(pattern: str) -> None:
    assert [one.name for one in catalogue(pattern) if one.model == "shufflenet_v2_x1_0"] == WEIGHTS


@pytest.mark.parametrize("pattern", ["shufflenet_v2_x1_0.mmpretrain_in1k", "shufflenet-v2-1x_16xb64_in1k"])
def test_weights_stand_with_their_network(pattern: str) -> None:
    network, weights = catalogue(pattern)
    assert (network.name, weights.name) == ("shufflenet_v2_x1_0", "shufflenet_v2_x1_0.mmpretrain_in1k")
    # the layout of the weights, which splits the channels evenly and has a classifier with a bias
    assert (network.cost.parameters, weights.cost.parameters) == (2_278_760, 2_278_604)


def test_a_tag_describes_the_network_of_its_weights() -> None:
    assert describe("shufflenet_v2_x1_0.tv_in1k").plan.options["layout"] == "torchvision"
    assert describe("shufflenet_v2_x1_0.tv_in1k", layout="megvii", pool=None).plan.options["layout"] == "megvii"
    assert describe("shufflenet_v2_x1_0", num_classes=None).plan == describe("shufflenet_v2_x1_0").plan


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shufflenet_v2_x10", r"unknown model shufflenet_v2_x10 \(did you mean shufflenet_v2_x1_0\?\)"),
        (
            "shufflenet_v2_x1_0.tvin1k",
            r"unknown weights shufflenet_v2_x1_0.tvin1k .*; shufflenet_v2_x1_0 has mindcv_in1k, ",
        ),
    ],
)
def test_an_unknown_name_is_told(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        describe(name)
    with pytest.raises(UserError, match=rf"no model matches {name} \(did you mean shufflenet_v2_x1_0"):
        catalogue(name)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_size_that_is_none_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"image_size={size}: it must be a whole number above 0"):
        describe("shufflenet_v2_x1_0", image_size=size)


def test_listing_imports_no_mindspore() -> None:
    """Which takes a second, four times as long as the rest."""
    program = (
        "import sys; from mindcv_shufflenet import cli; status = cli.main(['models', '--json', '/dev/null']);"
        "print(status, [name for name in ('mindspore', 'onnx', 'torch', 'sklearn') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "0 []"
