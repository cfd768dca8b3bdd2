"""Networks by name."""

import fnmatch
from collections.abc import Callable
from functools import partial
from typing import Any

from mindspore import nn

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.models.shufflenet_v2 import WIDTHS, ShuffleNetV2

MODELS: dict[str, Callable[..., nn.Cell]] = {
    f"shufflenet_v2_{variant}": partial(ShuffleNetV2, widths) for variant, widths in WIDTHS.items()
}


def list_models(pattern: str = "*") -> list[str]:
    """Return the names that match a wildcard pattern, such as ``shufflenet_v2_*``, sorted."""
    return sorted(fnmatch.filter(MODELS, pattern))


def create_model(
    name: str, *, pretrained: bool = False, num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> nn.Cell:
    """Build a network with newly drawn weights; seed them with ``mindspore.set_seed``.

    Args:
        name: one of :func:`list_models`.
        pretrained: load published weights.
        num_classes: length of the logits.
        in_channels: channels of the input.
        options: arguments of the network's class, for example ``layout``, ``stem``, ``pool``, ``drop_rate``.

    Raises:
        UserError: an unknown name, with the nearest right one, or an argument that the network refuses.
    """
    if name not in MODELS:
        raise UserError(f"unknown model {name}{nearest(name, MODELS)}; `shufflenet models` lists them all")
    if pretrained:
        raise UserError("pretrained=True is not built yet; load a checkpoint with --ckpt_path")
    return MODELS[name](num_classes=num_classes, in_channels=in_channels, **options)
