"""The parts of a network by name, read off its description: what ``freeze`` takes."""

import fnmatch
from collections.abc import Sequence
from itertools import pairwise

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.families.base import Layers, Plan
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, parameter_shapes

# What names all of a network but its classifier.
BACKBONE = "backbone"
# Mean and variance of a BatchNorm, which have no gradient.
_STATISTICS = NORM_PARAMETERS[2:]


def frozen_names(plan: Plan, parts: Sequence[str]) -> set[str]:
    """Return the names of the parameters that frozen parts have.

    Args:
        plan: of the network, which need not be built.
        parts: of it: ``backbone`` (all but the classifier), names of stages (``feature_info``), or names of cells or
            parameters, with wildcards: ``first_conv``, ``features.0.*``.

    Raises:
        UserError: a part is not there, or nothing would be trained.
    """
    names = [name for name in parameter_shapes(plan.layers) if not name.endswith(_STATISTICS)]
    frozen = {name for part in parts for name in _names_in(plan, names, part)}
    if frozen.issuperset(names):
        raise UserError(f"freeze={' '.join(parts)} leaves nothing to train: name fewer parts, or {BACKBONE}")
    return frozen


def _names_in(plan: Plan, names: Sequence[str], part: str) -> set[str]:
    """Return those of the trained parameters that belong to a part.

    Raises:
        UserError: there is no such part, or nothing in it is trained.
    """
    stages = _stages(plan.layers)
    if part == BACKBONE:
        return {*names} - _of_layers(plan.layers[-1:], names)
    if part in stages:
        return _of_layers(stages[part], names)
    found = {*fnmatch.filter(names, part), *(name for name in names if name.startswith(f"{part}."))}
    if not found:
        cells = dict.fromkeys(name.partition(".")[0] for name in names)
        raise UserError(
            f"freeze={part}: {plan.model} has no such part{nearest(part, [BACKBONE, *stages, *cells])}; it has"
            f" {', '.join([BACKBONE, *stages])}, and parameters such as {names[0]}, for which wildcards may stand"
        )
    return found


def _of_layers(layers: Layers, names: Sequence[str]) -> set[str]:
    own = {layer.name for layer in layers}
    return {name for name in names if name.rpartition(".")[0] in own}


def _stages(layers: Layers) -> dict[str, Layers]:
    """Return the layers of each stage."""
    ends = [position for position, layer in enumerate(layers, 1) if layer.stage]
    return {layers[end - 1].stage: layers[begin:end] for begin, end in pairwise([0, *ends])}
