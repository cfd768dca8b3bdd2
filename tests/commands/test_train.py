"""What a training refuses before its first step."""

from types import SimpleNamespace
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.commands.train import _check_statistics
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import train_loader
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config


@pytest.mark.parametrize(
    ("images", "ranks", "options", "advice"),
    [
        (17, 1, {"batch_size": 4}, "(17 images, 4 a batch) has one image"),
        (17, 1, {"batch_size": 4}, "use --drop_remainder, another --batch_size, or --image_resize 33 or more"),
        (17, 2, {"batch_size": 4}, "use --drop_remainder, another"),
        (17, 1, {"batch_size": 1, "drop_remainder": True}, "use --batch_size 2 or more, or --image_resize 33"),
        (1, 1, {"batch_size": 4}, "use --image_resize 33 or more"),
        (17, 1, {"batch_size": 4, "drop_remainder": True}, None),
        (17, 1, {"batch_size": 4, "image_resize": 33}, None),
        (17, 1, {"batch_size": 5}, None),
        (17, 2, {"batch_size": 4, "sync_bn": True}, None),
    ],
)
def test_one_value_a_channel_is_refused(images: int, ranks: int, options: dict[str, Any], advice: str | None) -> None:
    split = Split(np.zeros((images, 32, 32, 3), np.uint8), np.zeros(images, np.int32), ("a",), {"a": 0})
    config = Config(**({"image_resize": 32, "drop_remainder": False} | options))
    loader = train_loader(config, split, 1, 0, ranks)
    network: Any = SimpleNamespace(stride=32)
    if advice is None:
        _check_statistics(config, network, loader)
    else:
        with pytest.raises(UserError) as raised:
            _check_statistics(config, network, loader)
        assert advice in str(raised.value)


def test_batch_norm_needs_two_values_a_channel() -> None:
    """What MindSpore does, which the check is for."""
    for images, is_finite in ((1, False), (2, True)):
        norm = nn.BatchNorm2d(1).set_train()
        norm(Tensor(np.arange(images).reshape(images, 1, 1, 1), ms.float32))
        assert np.isfinite(norm.moving_variance.asnumpy()).all() == is_finite
