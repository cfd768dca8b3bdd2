"""Networks by name."""

import fnmatch
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mindspore import nn

from mindcv_shufflenet.errors import UserError, checked_keywords
from mindcv_shufflenet.families import find_family, models
from mindcv_shufflenet.families.base import plan
from mindcv_shufflenet.models.base import FeatureExtractor, Network
from mindcv_shufflenet.weights.records import RECORDS, parse_name


@checked_keywords
def list_models(
    pattern: str = "*", *, exclude_filters: str | Sequence[str] | None = (), pretrained: bool = False
) -> list[str]:
    """Return the names that match a wildcard pattern, such as ``shufflenet_v2_*``, sorted.

    Args:
        pattern: what to list.
        exclude_filters: wildcard patterns of what to leave out.
        pretrained: list the published weights, ``MODEL.TAG``, instead of the networks.
    """
    excluded = [exclude_filters] if isinstance(exclude_filters, str) else exclude_filters or ()
    names = fnmatch.filter(RECORDS if pretrained else models(), pattern)
    return sorted(name for name in names if not any(fnmatch.fnmatch(name, other) for other in excluded))


def is_model(name: str) -> bool:
    """Return whether there is a network of that name, and weights of its tag if it has one."""
    parsed = parse_name(str(name))
    return parsed.model in models() and (parsed.tag is None or str(parsed) in RECORDS)


def build(
    model: str,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    drop_rate: float | None = None,
    **options: Any,
) -> nn.Cell:
    """Build a network with newly drawn weights (``mindspore.set_seed``).

    Args:
        model: one of :func:`list_models`.
        num_classes: length of the logits.
        in_channels: channels of the input.
        features_only: return the maps of the stages instead of logits.
        out_indices: which of the network's ``feature_info`` these are; None: all.
        drop_rate: share of the pooled features that training sets to zero.
        options: network options of the family, such as ``layout``, ``stem``, ``pool``. None is the family's default.

    Raises:
        UserError: an unknown name, with the nearest right one, or an argument that the network refuses.
    """
    if out_indices is not None and not features_only:
        raise UserError("out_indices chooses among the maps of features_only=True; leave it out, or give both")
    family = find_family(str(model))
    module, _, name = family.network.partition(":")
    network: Network = getattr(import_module(module), name)(
        plan(family, model, num_classes=num_classes, in_channels=in_channels, **options), drop_rate
    )
    return FeatureExtractor(network, out_indices) if features_only else network
