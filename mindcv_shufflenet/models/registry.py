"""Build a network by its name."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mindspore import nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import plan
from mindcv_shufflenet.models.base import FeatureExtractor, Network


def build(
    model: str,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    **options: Any,
) -> nn.Cell:
    """Build a network with newly drawn weights (``mindspore.set_seed``). MindSpore's own operators compute it.

    Args:
        model: one of :func:`list_models`.
        num_classes: length of the logits.
        in_channels: channels of the input.
        features_only: return the maps of the stages instead of logits.
        out_indices: which of the network's ``feature_info`` these are; None: all.
        drop_rate: share of what the classifier reads that training sets to zero; None: the network's own.
        drop_path_rate: share of the images whose residual branch training leaves out in the last block; None: none.
        options: network options of the family (docs/models.md), such as ``layout``. None is the model's default.

    Raises:
        UserError: an unknown name, with the nearest right one, or an argument that the network refuses.
    """
    if out_indices is not None and not features_only:
        raise UserError("out_indices chooses among the maps of features_only=True; leave it out, or give both")
    own = plan(find_family(str(model)), model, num_classes=num_classes, in_channels=in_channels, **options)
    network = network_class(model)(own, drop_rate)
    network.set_drop_path_rate(drop_path_rate or 0.0)
    return FeatureExtractor(network, out_indices) if features_only else network


def network_class(model: str) -> type[Network]:
    """Return the class of a network.

    Raises:
        UserError: an unknown name, with the nearest right one.
    """
    module, _, name = find_family(str(model)).network.partition(":")
    found: type[Network] = getattr(import_module(module), name)
    return found
