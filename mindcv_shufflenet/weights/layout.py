"""Weights from one layout of a network into another, exactly, and BatchNorm that was folded. numpy is all it needs.

Shuffling at the start of a block and at its end is the same network under another numbering of the channels, so a model
whose parameters have the same shapes in both layouts converts by reordering channels alone (``relabel.py``). Where the
shapes differ, no weights of one layout are weights of the other.
"""

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import OWN, Family, Layer, Layers, norms
from mindcv_shufflenet.weights.names import NORM_PARAMETERS, Arrays, parameter_shapes, read_sizes
from mindcv_shufflenet.weights.relabel import relabel

# BatchNorm's epsilon in every one of the projects.
_EPSILON = 1e-5


def find_layout(arrays: Arrays, family: Family, project: str) -> str | None:
    """Tell the layout of parameters under MindSpore's names.

    The shapes tell, if they are those of some variant in one layout alone. Else the project tells, and for MindSpore's
    names whether the last layer has a bias.

    Returns:
        The layout; None where nothing tells, or the family has no layouts.
    """
    known = family.options.get("layout", ())
    model = next(iter(family.variants))
    sizes = read_sizes(arrays, family.describe(model))
    fitting = [
        layout
        for layout in known
        if any(_fits(arrays, family.describe(model, layout=layout, **sizes)) for model in family.variants)
    ]
    layouts = fitting or [*known]
    if len(layouts) > 1 and project != OWN:
        return family.projects[project].options.get("layout")
    if len(layouts) > 1:
        dense = {layout: family.describe(model, layout=layout)[-1] for layout in layouts}
        layouts = [
            layout
            for layout, last in dense.items()
            if f"{last.name}.weight" in arrays and (f"{last.name}.bias" in arrays) == last.bias
        ]
    return layouts[0] if len(layouts) == 1 else None


def _fits(arrays: Arrays, layers: Layers) -> bool:
    """Whether parameters have a network's shapes, as far as it has them."""
    return all(arrays[name].shape == shape for name, shape in parameter_shapes(layers).items() if name in arrays)


def change_layout(arrays: Arrays, model: str, source: str | None, target: str | None) -> tuple[Arrays, list[str]]:
    """Convert parameters under MindSpore's names from one layout to the other.

    Args:
        arrays: the parameters; some may be missing.
        model: the network's name.
        source: their layout.
        target: the layout to convert to.

    Returns:
        The parameters, and a line for each thing that the target's layout does otherwise.

    Raises:
        UserError: the model has parameters of other shapes in the other layout.
    """
    if source == target:
        return arrays, []
    family = find_family(model)
    sizes = read_sizes(arrays, family.describe(model, layout=source))
    there, here = (family.describe(model, layout=layout, **sizes) for layout in (source, target))
    if reshaped := _reshaped(there, here):
        others = f" and {len(reshaped) - 1} more have" if len(reshaped) > 1 else " has"
        able = [
            name
            for name in family.variants
            if not _reshaped(*(family.describe(name, layout=layout) for layout in (source, target)))
        ]
        raise UserError(
            f"weights of layout {source} cannot become {target} in {model}: {reshaped[0]}{others} another shape there;"
            f" only {', '.join(able) or 'no model'} {'convert' if len(able) > 1 else 'converts'}."
            f" Leave --layout {source}"
        )
    converted = relabel(arrays, there, here)
    notes = []
    for old, new in zip(_dense(there), _dense(here), strict=True):
        weight, bias = arrays.get(f"{new.name}.weight"), f"{new.name}.bias"
        if new.bias and not old.bias and weight is not None:
            converted[bias] = np.zeros(len(weight), weight.dtype)
            notes.append(f"the {new.name}'s bias, which layout {source} has not, is zero")
        elif old.bias and not new.bias and bias in converted:
            largest = np.abs(converted.pop(bias)).max()
            notes.append(
                f"the {new.name}'s bias, which layout {target} has not, is left out: every logit loses its own"
                f" (at most {largest:.3g} either way); --layout {source} keeps it"
            )
    return converted, notes


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
    for conv, norm in norms(layers).items():
        if f"{conv}.weight" not in arrays:
            continue
        gamma, beta, mean, variance = (f"{norm}.{own}" for own in NORM_PARAMETERS)
        bias = unfolded.pop(f"{conv}.bias", None)
        if not arrays.keys() & {gamma, mean, variance}:
            shift = np.asarray((0 if bias is None else bias) + arrays.get(beta, np.float32(0)))
            if shift.ndim:
                zeros = np.zeros_like(shift)
                identity = (zeros + 1, shift, zeros, zeros + np.float32(1 - _EPSILON))
                unfolded |= dict(zip((gamma, beta, mean, variance), identity, strict=True))
                identities += 1
        elif bias is not None and mean in arrays:  # BatchNorm takes the mean off again
            unfolded[mean] = arrays[mean] - bias
    return unfolded, identities > 0
