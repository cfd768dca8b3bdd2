"""Frozen parts of a network: training leaves their weights and their BatchNorm statistics as they are."""

import fnmatch
from collections.abc import Sequence

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.batch_norm import batch_norms, freeze_statistics

# What names all of a network but its classifier.
BACKBONE = "backbone"


def freeze(network: Network, parts: Sequence[str]) -> None:
    """Freeze parts of a network.

    Their parameters get no gradient. A BatchNorm whose scale and shift are frozen normalises by its moving statistics,
    in training too, and keeps them.

    Args:
        network: changed in place.
        parts: of it: ``backbone`` (all but the classifier), names of stages (``feature_info``), or names of cells or
            parameters, with wildcards: ``first_conv``, ``features.0.*``.

    Raises:
        UserError: a part is not there, or nothing would be trained. The network is untouched then.
    """
    frozen = {name for part in parts for name in _names_in(network, part)}
    weights = network.trainable_params()
    if frozen.issuperset(weight.name for weight in weights):
        raise UserError(f"freeze={' '.join(parts)} leaves nothing to train: name fewer parts, or {BACKBONE}")
    for weight in weights:
        weight.requires_grad = weight.name not in frozen
    for norm in batch_norms(network):
        if not (norm.gamma.requires_grad or norm.beta.requires_grad):
            freeze_statistics(norm)


def _names_in(network: Network, part: str) -> set[str]:
    """Return the names of the trainable parameters of a part.

    Raises:
        UserError: there is no such part, or nothing in it is trained.
    """
    names = [parameter.name for parameter in network.trainable_params()]
    if part == BACKBONE:
        return {*names} - {parameter.name for parameter in network.classifier.trainable_params()}
    stages = {info.name: chain for info, chain in zip(network.feature_info, network.stages, strict=True)}
    if part in stages:
        return {parameter.name for cell in stages[part] for parameter in cell.trainable_params()}
    found = {*fnmatch.filter(names, part), *(name for name in names if name.startswith(f"{part}."))}
    if not found:
        cells = dict.fromkeys(name.partition(".")[0] for name in names)
        raise UserError(
            f"freeze={part}: {network.plan.model} has no such part{nearest(part, [BACKBONE, *stages, *cells])}; it has"
            f" {', '.join([BACKBONE, *stages])}, and parameters such as {names[0]}, for which wildcards may stand"
        )
    return found
