"""Network options by the shapes of parameters, conversion to other network options, and folded BatchNorm.

Shuffling at the start of a block and at its end is the same network under another numbering of the channels, so a model
whose parameters have the same shapes in both layouts converts by reordering channels alone (``relabel.py``). Where the
shapes differ, no weights of one layout are weights of the other. numpy is all it needs.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import OWN, Family, Layer, Layers, norms
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays, parameter_shapes, read_sizes
from mindcv_shufflenet.weights.relabel import relabel


def find_options(arrays: Arrays, family: Family, models: Sequence[str], project: str) -> dict[str, Any]:
    """Infer network options from the shapes of parameters under MindSpore's names.

    Args:
        arrays: the parameters; some may be missing.
        family: that the network belongs to.
        models: that it may be.
        project: whose names the parameters have had. Its options decide what the shapes leave open.

    Returns:
        The options of which one value alone fits.
    """
    sizes = read_sizes(arrays, family.describe(models[0]))
    fits: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for model in models:
        for options in family.combinations(shaping_options(family, model)):
            chosen = family.resolve(model, options)
            mismatch = _mismatch(arrays, family.describe(model, **chosen, **sizes))
            fits.setdefault(mismatch, []).append({name: chosen[name] for name in options})
    best = fits[min(fits)]
    theirs = {} if project == OWN else family.projects[project].options
    best = [options for options in best if options.items() <= {**options, **theirs}.items()] or best
    return {name: best[0][name] for name in best[0] if all(options.get(name) == best[0][name] for options in best)}


def shaping_options(family: Family, model: str) -> list[str]:
    """Return the options on whose values the shapes of a model's parameters depend."""
    return _shaping_options(family, model, family.variants[model])


@lru_cache(maxsize=256)
def _shaping_options(family: Family, model: str, _: Hashable) -> list[str]:
    """The same; the last argument is the row of the family's table, which another one may replace."""
    own = family.resolve(model, {})

    def shapes(**options: Any) -> dict[str, tuple[int, ...]]:
        return parameter_shapes(family.describe(model, **(own | options)))

    plain = shapes()
    return [name for name, values in family.options.items() if any(shapes(**{name: v}) != plain for v in values)]


def fitting_models(arrays: Arrays, family: Family) -> list[str]:
    """Return the models of a family in whose network parameters under MindSpore's names fit, with some options."""
    sizes = read_sizes(arrays, family.describe(next(iter(family.variants))))

    def fits(model: str, options: Mapping[str, Any]) -> bool:
        layers = family.describe(model, **family.resolve(model, options), **sizes)
        return _mismatch(arrays, layers)[0] == 0

    return [
        model
        for model in family.variants
        if any(fits(model, options) for options in family.combinations(shaping_options(family, model)))
    ]


def _mismatch(arrays: Arrays, layers: Layers) -> tuple[int, int]:
    """How many parameters do not fit a description, and how many of its layers have none."""
    shapes = parameter_shapes(layers)
    wrong = sum(shapes.get(name) != value.shape for name, value in arrays.items())
    wrong += sum(
        layer.bias and f"{layer.name}.weight" in arrays and f"{layer.name}.bias" not in arrays for layer in layers
    )
    there = {name.rpartition(".")[0] for name in arrays}
    return wrong, sum(bool(layer.name) and layer.name not in there for layer in layers)


def change_options(
    arrays: Arrays, model: str, source: Mapping[str, Any], target: Mapping[str, Any]
) -> tuple[Arrays, list[str]]:
    """Convert parameters under MindSpore's names to other network options.

    Args:
        arrays: the parameters; some may be missing.
        model: the network's name.
        source: its network options.
        target: those to convert to.

    Returns:
        The parameters, and a line for each thing that the target's network does otherwise.

    Raises:
        UserError: no parameters with the target's options compute what these do.
    """
    family = find_family(model)
    sizes = read_sizes(arrays, family.describe(model, **source))
    there, here = (family.describe(model, **options, **sizes) for options in (source, target))
    if there == here:
        return arrays, []
    old, new = source.get("layout"), target.get("layout")
    if reshaped := _reshaped(there, here):
        others = f" and {len(reshaped) - 1} more have" if len(reshaped) > 1 else " has"
        able = [
            name
            for name in family.variants
            if not _reshaped(*(family.describe(name, **options) for options in (source, target)))
        ]
        raise UserError(
            f"weights of layout {old} cannot become {new} in {model}: {reshaped[0]}{others} another shape there;"
            f" only {', '.join(able) or 'no model'} {'convert' if len(able) > 1 else 'converts'}."
            f" Leave --layout {old}"
        )
    try:
        converted = relabel(arrays, there, here)
    except ValueError:
        changed = ", ".join(f"{name}={value}" for name, value in target.items() if value != source.get(name))
        raise UserError(
            f"weights of {model} cannot become weights with {changed}: no order of the channels computes the same;"
            " leave it as it is"
        ) from None
    notes = []
    for before, after in zip(_dense(there), _dense(here), strict=True):
        weight, bias = arrays.get(f"{after.name}.weight"), f"{after.name}.bias"
        if after.bias and not before.bias and weight is not None:
            converted[bias] = np.zeros(len(weight), weight.dtype)
            notes.append(f"the {after.name}'s bias, which layout {old} has not, is zero")
        elif before.bias and not after.bias and bias in converted:
            largest = np.abs(converted.pop(bias)).max()
            notes.append(
                f"the {after.name}'s bias, which layout {new} has not, is left out: every logit loses its own"
                f" (at most {largest:.3g} either way); --layout {old} keeps it"
            )
    return converted, notes


def reachable(model: str, source: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    """Whether weights with some network options become weights with others that compute the same.

    A classifier's bias, which one of them has and the other has not, does not matter.
    """
    family = find_family(model)
    there, here = (family.describe(model, **options) for options in (source, target))
    if _reshaped(there, here):
        return False
    try:
        relabel({}, there, here)
    except ValueError:
        return False
    return True


def _reshaped(there: Layers, here: Layers) -> list[str]:
    """The parameters that two networks have in different shapes."""
    shapes = parameter_shapes(here)
    return [name for name, shape in parameter_shapes(there).items() if shapes.get(name, shape) != shape]


def _dense(layers: Layers) -> list[Layer]:
    return [layer for layer in layers if layer.kind == "dense"]


def unfold(arrays: Arrays, layers: Layers) -> tuple[Arrays, bool]:
    """Give convolutions whose BatchNorm was folded into them a BatchNorm that changes nothing.

    The convolution's bias becomes the BatchNorm's ``beta``. A bias beside a BatchNorm is taken off its mean. What is
    complete stays as it is.

    Args:
        arrays: parameters under MindSpore's names; the folded bias may bear the convolution's or the BatchNorm's name.
        layers: of the network; which BatchNorm stands behind which convolution.

    Returns:
        The parameters, and whether there was anything to unfold.
    """
    unfolded = dict(arrays)
    identities = 0
    epsilons = {layer.name: layer.epsilon for layer in layers}
    for conv, norm in norms(layers).items():
        if f"{conv}.weight" not in arrays:
            continue
        gamma, beta, mean, variance = (f"{norm}.{own}" for own in NORM_PARAMETERS)
        bias = unfolded.pop(f"{conv}.bias", None)
        if not arrays.keys() & {gamma, mean, variance}:
            shift = np.asarray((0 if bias is None else bias) + arrays.get(beta, np.float32(0)))
            if shift.ndim:
                zeros = np.zeros_like(shift)
                identity = (zeros + 1, shift, zeros, zeros + np.float32(1 - epsilons[norm]))
                unfolded |= dict(zip((gamma, beta, mean, variance), identity, strict=True))
                identities += 1
        elif bias is not None and mean in arrays:  # BatchNorm takes the mean off again
            unfolded[mean] = arrays[mean] - bias
    return unfolded, identities > 0
