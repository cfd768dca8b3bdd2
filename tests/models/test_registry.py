"""Names of networks."""

import pytest

import mindcv_shufflenet
from mindcv_shufflenet.errors import UserError

WIDTHS = ["shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"]


def test_wildcards_choose_models() -> None:
    assert mindcv_shufflenet.list_models("shufflenet_v2_*") == WIDTHS
    assert mindcv_shufflenet.list_models("*x1_?") == WIDTHS[1:3]
    assert mindcv_shufflenet.list_models("resnet*") == []


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UserError, match=r"did you mean shufflenet_v2_x1_0\?"):
        mindcv_shufflenet.create_model("shufflenetv2_x1_0")
