"""The names under which ShuffleNetV2's parameters are published, and their translation. numpy is all it needs.

Four projects name the same parameters in four ways:

- ``mindspore``: mindcv and this suite (``features.0.branch_main.1.gamma``);
- ``megvii``: the paper's authors in PyTorch (``features.0.branch_main.1.weight``); detectors that took their backbone
  number the blocks by stage (``stage2.0.branch_main.1.weight``), which is read too;
- ``torchvision`` (``stage2.0.branch2.1.weight``);
- ``mmpretrain`` (``backbone.layers.0.0.branch2.0.bn.weight``).
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from mindcv_shufflenet.errors import UserError

Arrays = dict[str, np.ndarray]

DIALECTS = ("mindspore", "megvii", "torchvision", "mmpretrain")
STAGE_BLOCKS = (4, 8, 4)
# The padding of the max pool with which each layout's weights are trained, unless their origin tells otherwise.
POOL_OF_LAYOUT: dict[str, Literal["same", "pad"]] = {"megvii": "same", "torchvision": "pad"}

# Position in the branch, kind, and mmpretrain's name of each part of a branch (a ReLU has no parameters).
_PROJ = ((0, "conv", "0.conv"), (1, "norm", "0.bn"), (2, "conv", "1.conv"), (3, "norm", "1.bn"))
_MAIN = (
    (0, "conv", "0.conv"), (1, "norm", "0.bn"), (3, "conv", "1.conv"),
    (4, "norm", "1.bn"), (5, "conv", "2.conv"), (6, "norm", "2.bn"),
)  # fmt: skip

# The parameters of a kind: MindSpore's name and PyTorch's. A convolution has a bias only where BatchNorm was folded.
_PARAMETERS = {
    "conv": (("weight", "weight"), ("bias", "bias")),
    "norm": (
        ("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var"),
    ),
    "dense": (("weight", "weight"), ("bias", "bias")),
}  # fmt: skip

# The dimensions of a kind's weights; every other parameter has one.
_WEIGHT_DIMENSIONS = {"conv": 4, "dense": 2}

# What wrappers and exporters put before a name: DataParallel and ExponentialMovingAverage, torch.compile, Lightning.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "ConvBnFusion_W_", "ConvBnFusion_BN_B_")
# Counters that PyTorch keeps beside the parameters.
COUNTERS = ("num_batches_tracked", "n_averaged")


class _Layer(NamedTuple):
    """One layer and its name in each dialect."""

    kind: str
    mindspore: str
    megvii: str
    torchvision: str
    mmpretrain: str


def _layers() -> Iterator[_Layer]:
    """Every layer that has parameters, from the input to the logits."""
    yield _Layer("conv", "first_conv.0", "first_conv.0", "conv1.0", "backbone.conv1.conv")
    yield _Layer("norm", "first_conv.1", "first_conv.1", "conv1.1", "backbone.conv1.bn")
    index = 0
    for stage, repeats in enumerate(STAGE_BLOCKS):
        for block in range(repeats):
            branches = (("branch_proj", "branch1", _PROJ), ("branch_main", "branch2", _MAIN))
            for ours, theirs, parts in branches if block == 0 else branches[1:]:
                for position, kind, name in parts:
                    own = f"features.{index}.{ours}.{position}"
                    yield _Layer(
                        kind,
                        own,
                        own,
                        f"stage{stage + 2}.{block}.{theirs}.{position}",
                        f"backbone.layers.{stage}.{block}.{theirs}.{name}",
                    )
            index += 1
    yield _Layer("conv", "conv_last.0", "conv_last.0", "conv5.0", "backbone.layers.3.conv")
    yield _Layer("norm", "conv_last.1", "conv_last.1", "conv5.1", "backbone.layers.3.bn")
    yield _Layer("dense", "classifier", "classifier.0", "fc", "head.fc")


def _names(dialect: str) -> dict[str, str]:
    """A dialect's name of each parameter -> MindSpore's."""
    return {
        f"{getattr(layer, dialect)}.{mine if dialect == 'mindspore' else theirs}": f"{layer.mindspore}.{mine}"
        for layer in _layers()
        for mine, theirs in _PARAMETERS[layer.kind]
    }


def recognise(arrays: Arrays, source: str) -> tuple[str, Arrays]:
    """Find out whose names these are and translate them into MindSpore's.

    Args:
        arrays: the parameters by name; PyTorch's counters are left out.
        source: what they were read from, for messages.

    Returns:
        The dialect, and the parameters under MindSpore's names.

    Raises:
        UserError: names that no dialect has; the first ones are listed.
    """
    given: Arrays = {}
    for name, value in arrays.items():
        if name.rpartition(".")[2] in COUNTERS:
            continue
        if _bare(name) in given:
            raise UserError(f"{source} has {_bare(name)} twice, under several prefixes; keep one of them")
        given[_bare(name)] = value
    tables = {dialect: _names(dialect) for dialect in DIALECTS}
    dialect = max(DIALECTS, key=lambda name: len(given.keys() & tables[name].keys()))
    table = tables[dialect]
    unknown = [name for name in given if name not in table]
    if len(unknown) == len(given):
        raise UserError(
            f"{source} holds no ShuffleNetV2 weights: none of its {len(given)} names is known"
            f" ({', '.join(unknown[:3]) or 'it is empty'}); the names of mindcv, Megvii, torchvision and mmpretrain are"
        )
    if unknown:
        raise UserError(
            f"{source} has {dialect}'s names of ShuffleNetV2, and {len(unknown)} that are not:"
            f" {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}; take them out, or give another file"
        )
    own = {table[name]: value for name, value in given.items()}
    _check_dimensions(own, source)
    return dialect, own


def is_known(name: str) -> bool:
    """Whether a dialect has a parameter of that name."""
    return any(_bare(name) in _names(dialect) for dialect in DIALECTS)


def _check_dimensions(arrays: Arrays, source: str) -> None:
    """Refuse what has the name of a parameter and cannot be one."""
    for layer in _layers():
        for name, _ in _PARAMETERS[layer.kind]:
            value = arrays.get(f"{layer.mindspore}.{name}")
            wanted = _WEIGHT_DIMENSIONS.get(layer.kind, 1) if name == "weight" else 1
            if value is not None and value.ndim != wanted:
                raise UserError(
                    f"{source}: {layer.mindspore}.{name} has the shape {value.shape} and should have {wanted}"
                    f" dimension{'s' * (wanted > 1)}; is it of another network?"
                )


def translate(arrays: Arrays, dialect: str) -> Arrays:
    """Write parameters under MindSpore's names as another dialect has them, in the order of the layers."""
    return {name: arrays[own] for name, own in _names(dialect).items() if own in arrays}


def _bare(name: str) -> str:
    """A name without what training code has put before it, and with its block counted from the first stage on."""
    while prefix := next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None):
        name = name.removeprefix(prefix)
    match = re.fullmatch(r"stage([234])\.(\d+)\.(branch_(?:proj|main)\..+)", name)
    if match and int(match[2]) < STAGE_BLOCKS[int(match[1]) - 2]:
        return f"features.{sum(STAGE_BLOCKS[: int(match[1]) - 2]) + int(match[2])}.{match[3]}"
    return name
