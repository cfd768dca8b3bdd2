"""The average of weights: checkpoints of one training, or of several of one network."""

from collections.abc import Sequence

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights.load import Weights
from mindcv_shufflenet.weights.names import Arrays


def average_weights(members: Sequence[Weights]) -> Arrays:
    """Return the mean of the parameters and BatchNorm statistics of some weights, computed in float64.

    Whole numbers are those of the last member.

    Raises:
        UserError: they are of different networks or classes.
    """
    first, *others = members
    for other in others:
        _check_alike(first, other)
    last = members[-1].arrays
    return {name: _mean([weights.arrays[name] for weights in members], last[name]) for name in last}


def _mean(arrays: Sequence[np.ndarray], last: np.ndarray) -> np.ndarray:
    if not np.issubdtype(last.dtype, np.floating):
        return last
    return np.mean(arrays, axis=0, dtype=np.float64).astype(last.dtype)


def _check_alike(first: Weights, other: Weights) -> None:
    """Refuse weights of different networks or classes.

    Raises:
        UserError: naming the first difference.
    """
    both = f"{first.source} and {other.source} cannot be averaged"
    shapes, theirs = _shapes(first), _shapes(other)
    if shapes != theirs:
        name = next(name for name in {**shapes, **theirs} if shapes.get(name) != theirs.get(name))
        has = " and ".join(str(found.get(name, "absent")) for found in (shapes, theirs))
        what = (
            "they tell different classes apart"
            if name.startswith(f"{first.classifier}.")
            else "they are of two networks"
        )
        raise UserError(f"{both}: {what}: {name} is {has}")
    options, others = _network(first), _network(other)
    if options != others:
        name = next(name for name in {**options, **others} if options.get(name) != others.get(name))
        raise UserError(f"{both}: {name} is {options.get(name)} and {others.get(name)}")
    classes, their_classes = (weights.metadata and weights.metadata.classes for weights in (first, other))
    if classes and their_classes and classes != their_classes:
        raise UserError(
            f"{both}: they were trained on other classes: {classes.names[:3]} and {their_classes.names[:3]}"
        )


def _network(weights: Weights) -> dict[str, object]:
    model = {"model": weights.metadata.options["model"]} if weights.metadata else {}
    return {**model, **weights.network_options}


def _shapes(weights: Weights) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in weights.arrays.items()}
