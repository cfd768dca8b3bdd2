"""Networks by name."""

import fnmatch
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from mindspore import nn

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.models.shufflenet_v2 import WIDTHS, FeatureExtractor, ShuffleNetV2
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.pretrained import RECORDS, default_record, fetch_record, find_record, split_name

MODELS: dict[str, Callable[..., nn.Cell]] = {
    f"shufflenet_v2_{variant}": partial(ShuffleNetV2, widths) for variant, widths in WIDTHS.items()
}

_logger = logging.getLogger(__name__)


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """Return the names that match a wildcard pattern, such as ``shufflenet_v2_*``, sorted.

    Args:
        pattern: what to list.
        pretrained: list the published weights, ``MODEL.TAG``, instead of the networks.
    """
    return sorted(fnmatch.filter(RECORDS if pretrained else MODELS, pattern))


def create_model(
    name: str,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    in_channels: int = 3,
    features_only: bool = False,
    **options: Any,
) -> nn.Cell:
    """Build a network, with published weights or with newly drawn ones (seed those with ``mindspore.set_seed``).

    Args:
        name: one of :func:`list_models`, with or without a tag of weights, which sets layout and pool.
        pretrained: load the published weights of the tag, or mindcv's; they are fetched at the first use. With
            another ``num_classes`` than theirs the classifier starts anew, which is logged.
        num_classes: length of the logits.
        in_channels: channels of the input.
        features_only: return the maps at strides 4, 8, 16 and 32 instead of logits.
        options: arguments of the network's class, for example ``layout``, ``stem``, ``pool``, ``drop_rate``.

    Raises:
        UserError: an unknown name, with the nearest right one, an argument that the network refuses, or weights that
            cannot be fetched or do not fit.
    """
    model, _ = split_name(name)
    if model not in MODELS:
        raise UserError(f"unknown model {name}{nearest(model, MODELS)}; `shufflenet models` lists them all")
    record = default_record(name) if pretrained else find_record(name)
    if record:
        for option in ("layout", "pool"):
            if options.get(option) is None:
                options[option] = getattr(record, option)
    network = MODELS[model](num_classes=num_classes, in_channels=in_channels, **options)
    if pretrained and record:
        weights = read_weights(fetch_record(record))
        reset = len(weights.arrays["classifier.weight"]) != num_classes
        load_weights(network, weights, reset_classifier=reset)
        if reset:
            _logger.warning("%s: the classifier starts anew for %d classes", name, num_classes)
    return FeatureExtractor(network) if features_only else network


def get_model(name: str, **options: Any) -> nn.Cell:
    """Build a network; mmpretrain's and torchvision's name of :func:`create_model`."""
    return create_model(name, **options)
