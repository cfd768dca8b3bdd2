"""Networks by name."""

import fnmatch
import inspect
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from mindspore import nn

from mindcv_shufflenet.errors import UserError, check_keywords, checked_keywords, nearest
from mindcv_shufflenet.models.shufflenet_v2 import WIDTHS, FeatureExtractor, ShuffleNetV2
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.records import RECORDS, default_record, fetch_record, find_record, split_name

MODELS: dict[str, Callable[..., nn.Cell]] = {
    f"shufflenet_v2_{variant}": partial(ShuffleNetV2, widths) for variant, widths in WIDTHS.items()
}

_logger = logging.getLogger(__name__)


@checked_keywords
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
    checkpoint_path: str | os.PathLike[str] = "",
    **options: Any,
) -> nn.Cell:
    """Build a network, with published weights, those of a file, or newly drawn ones (``mindspore.set_seed``).

    Args:
        name: one of :func:`list_models`, with or without a tag of weights, which sets layout and pool.
        pretrained: load the published weights of the tag, or mindcv's; they are fetched at the first use. With
            another ``num_classes`` than theirs the classifier starts anew, which is logged.
        num_classes: length of the logits.
        in_channels: channels of the input.
        features_only: return the maps at strides 4, 8, 16 and 32 instead of logits.
        checkpoint_path: load this file, of any kind that ``convert`` reads; it sets layout, stem and pool where it
            tells them and ``options`` do not.
        options: arguments of the network's class, for example ``layout``, ``stem``, ``pool``, ``drop_rate``.

    Raises:
        UserError: an unknown name, with the nearest right one, an argument that the network refuses, or weights that
            cannot be fetched or do not fit.
    """
    model, _ = split_name(str(name))
    if model not in MODELS:
        raise UserError(f"unknown model {name}{nearest(model, MODELS)}; `shufflenet models` lists them all")
    check_keywords("create_model", options, _arguments(model))
    if pretrained and checkpoint_path:
        raise UserError("pretrained and checkpoint_path are both given; leave one out")
    record = default_record(name) if pretrained else find_record(name)
    path = checkpoint_path or (fetch_record(record) if pretrained and record else None)
    weights = read_weights(path) if path else None
    told = {"layout": record.layout, "pool": record.pool} if record else {}
    if checkpoint_path and weights:
        told |= {option: value for option, value in weights.network.items() if option != "in_channels"}
    options |= {option: value for option, value in told.items() if options.get(option) is None}
    network = MODELS[model](num_classes=num_classes, in_channels=in_channels, **options)
    if weights:
        reset = pretrained and len(weights.arrays["classifier.weight"]) != num_classes
        for note in load_weights(network, weights, reset_classifier=reset):
            _logger.log(logging.WARNING if reset else logging.INFO, "%s: %s", name, note)
    return FeatureExtractor(network) if features_only else network


def _arguments(model: str) -> list[str]:
    """The keyword arguments of :func:`create_model` for a model: its own, and those of the network's class."""
    own = [name for name in inspect.signature(create_model).parameters if name not in ("name", "options")]
    return own + list(inspect.signature(MODELS[model]).parameters)


def get_model(name: str, **options: Any) -> nn.Cell:
    """Build a network; mmpretrain's and torchvision's name of :func:`create_model`."""
    return create_model(name, **options)
