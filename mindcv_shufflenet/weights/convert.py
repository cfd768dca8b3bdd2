"""ShuffleNetV2 weights from one project's form into another's, exactly. numpy is all it needs.

The projects differ in the names (``keys.py``) and in the layout of the network. With equal halves, shuffling at the
start of a block (``megvii``) and at its end (``torchvision``) is the same network under another numbering of the
channels, so x0.5, whose blocks have equal halves in both layouts, converts between them by reordering channels alone.
In the other widths the blocks with stride 2 differ in shape, and no weights of one layout are weights of the other.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights.names import STAGE_BLOCKS, Arrays

_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# BatchNorm's epsilon in every one of the projects.
_EPSILON = 1e-5


def find_layout(arrays: Arrays, dialect: str) -> str | None:
    """Tell the layout of parameters under MindSpore's names, ``megvii`` or ``torchvision``.

    The first block tells by the share of its channels that each branch makes. In x0.5 both make half in either layout;
    there the dialect tells, and for MindSpore's names whether the classifier has a bias. None: nothing tells.
    """
    main, proj = (arrays.get(f"features.0.{name}.weight") for name in ("branch_main.5", "branch_proj.2"))
    if main is not None and proj is not None and len(main) != len(proj):
        return "megvii"
    if main is not None and proj is not None and len(proj) != proj.shape[1]:
        return "torchvision"
    if dialect == "mindspore":
        if "classifier.weight" not in arrays:
            return None
        return "torchvision" if "classifier.bias" in arrays else "megvii"
    return "megvii" if dialect == "megvii" else "torchvision"


def change_layout(arrays: Arrays, source: str, target: str) -> tuple[Arrays, list[str]]:
    """Convert parameters under MindSpore's names from one layout to the other.

    Returns:
        The parameters, and a line for each thing that the target's layout does otherwise.

    Raises:
        UserError: the width has blocks of other shapes in the other layout.
    """
    if source == target:
        return arrays, []
    needed = [f"features.{first}.branch_proj.2.weight" for first in np.cumsum((0, *STAGE_BLOCKS[:-1]))]
    for name in ("first_conv.0.weight", *needed):
        if name not in arrays:
            raise UserError(f"weights without {name} cannot change their layout; give a file that is complete")
    main, proj = arrays.get("features.0.branch_main.5.weight"), arrays[needed[0]]
    if main is None or len(main) != len(proj) or len(proj) != proj.shape[1]:
        raise UserError(
            f"weights of layout {source} cannot become {target} in this width: the branches of its stride-2 blocks have"
            f" other shapes there; only x0.5 converts. Leave --layout {source}"
        )
    arrays = dict(arrays)
    for name, axis, order in _moves(arrays):
        if name in arrays:
            arrays[name] = np.take(arrays[name], order if target == "megvii" else np.argsort(order), axis)
    notes = []
    bias = arrays.pop("classifier.bias", None)
    if target == "torchvision" and "classifier.weight" in arrays:
        weight = arrays["classifier.weight"]
        arrays["classifier.bias"] = np.zeros(len(weight), weight.dtype)
        notes.append("the classifier's bias, which layout megvii has not, is zero")
    elif bias is not None:
        notes.append(
            "the classifier's bias, which layout megvii has not, is left out: every logit loses its own"
            f" (at most {np.abs(bias).max():.3g} either way); --layout torchvision keeps it"
        )
    return arrays, notes


def unfold(arrays: Arrays) -> tuple[Arrays, bool]:
    """Give convolutions whose BatchNorm was folded into them a BatchNorm that changes nothing.

    The convolution's bias becomes the BatchNorm's ``beta``. A bias beside a BatchNorm is taken off its mean. What is
    complete stays as it is.

    Args:
        arrays: parameters under MindSpore's names; the folded bias may bear the convolution's or the BatchNorm's name.

    Returns:
        The parameters, and whether there was anything to unfold.
    """
    unfolded = dict(arrays)
    identities = 0
    for name, weight in arrays.items():
        layer, _, parameter = name.rpartition(".")
        if parameter != "weight" or weight.ndim != 4:
            continue
        parent, _, position = layer.rpartition(".")
        gamma, beta, mean, variance = (f"{parent}.{int(position) + 1}.{own}" for own in _NORM)
        bias = unfolded.pop(f"{layer}.bias", None)
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


class _Stage(NamedTuple):
    """Which channels each block of a stage makes and takes, the channels numbered as they are made.

    Attributes:
        made: of each branch, in the order of its outputs: the projection, then the main branch of every block.
        taken: by the main branch of each block but the first, in the order of its inputs.
        left: at the end of the stage, in the order in which the next stage sees them.
    """

    made: list[list[int]]
    taken: list[list[int]]
    left: list[int]


def _trace(layout: str, repeats: int, width: int) -> _Stage:
    """Follow the channels of a stage through its blocks."""
    half = width // 2
    made = [list(range(start * half, (start + 1) * half)) for start in range(repeats + 1)]
    taken: list[list[int]] = []
    channels = made[0] + made[1]
    for new in made[2:]:
        passed, used = _shuffle(channels, layout)
        taken.append(used)
        channels = passed + new
    if layout == "torchvision":
        channels = [*itertools.chain(*_shuffle(channels, layout))]
    return _Stage(made, taken, channels)


def _shuffle(channels: list[int], layout: str) -> tuple[list[int], list[int]]:
    """The channels that pass a block and those that its main branch takes."""
    if layout == "megvii":
        return channels[::2], channels[1::2]
    half = len(channels) // 2
    mixed = [channel for pair in zip(channels[:half], channels[half:], strict=True) for channel in pair]
    return mixed[:half], mixed[half:]


def _same_channels(torchvision: _Stage, megvii: _Stage) -> dict[int, int]:
    """Pair the channels: the number in ``megvii`` -> the number in ``torchvision``.

    A channel may stand for another of the same branch if the same block takes it; any such pairing will do, since what
    a branch makes can be put into any order by reordering the weights of its last convolution.
    """
    pairs: dict[int, int] = {}
    ages = []
    for stage in (torchvision, megvii):
        end = {channel: block for block, used in enumerate(stage.taken) for channel in used}
        ages.append([[end.get(channel, len(stage.taken)) for channel in branch] for branch in stage.made])
    for branch, (there, here) in enumerate(zip(*ages, strict=True)):
        order_there, order_here = np.argsort(there, kind="stable"), np.argsort(here, kind="stable")
        if sorted(there) != sorted(here):
            raise AssertionError("the two shuffles do not take equally many channels of each age")
        for i, j in zip(order_here, order_there, strict=True):
            pairs[megvii.made[branch][i]] = torchvision.made[branch][j]
    return pairs


def _moves(arrays: Arrays) -> Iterator[tuple[str, int, np.ndarray]]:
    """What makes ``megvii`` weights of ``torchvision`` ones: parameter, axis, and the new order of its entries."""
    first = 0
    incoming = np.arange(len(arrays["first_conv.0.weight"]))
    for repeats in STAGE_BLOCKS:
        width = 2 * len(arrays[f"features.{first}.branch_proj.2.weight"])
        there, here = (_trace(layout, repeats, width) for layout in ("torchvision", "megvii"))
        pairs = _same_channels(there, here)

        def order(ours: list[int], theirs: list[int], pairs: dict[int, int] = pairs) -> np.ndarray:
            place = {channel: position for position, channel in enumerate(theirs)}
            return np.array([place[pairs[channel]] for channel in ours])

        proj, main = f"features.{first}.branch_proj", f"features.{first}.branch_main"
        yield f"{proj}.0.weight", 0, incoming
        yield from ((f"{proj}.1.{parameter}", 0, incoming) for parameter in _NORM)
        yield f"{proj}.2.weight", 1, incoming
        yield f"{main}.0.weight", 1, incoming
        outputs = [f"{proj}.2", *(f"features.{first + block}.branch_main.5" for block in range(repeats))]
        for name, ours, theirs in zip(outputs, here.made, there.made, strict=True):
            made = order(ours, theirs)
            yield f"{name}.weight", 0, made
            parent, _, position = name.rpartition(".")
            yield from ((f"{parent}.{int(position) + 1}.{parameter}", 0, made) for parameter in _NORM)
        for block, (ours, theirs) in enumerate(zip(here.taken, there.taken, strict=True), start=first + 1):
            yield f"features.{block}.branch_main.0.weight", 1, order(ours, theirs)
        incoming = order(here.left, there.left)
        first += repeats
    yield "conv_last.0.weight", 1, incoming
