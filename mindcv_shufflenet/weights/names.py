"""The parameters of a description, their names in each project, and the translation of names. numpy is all it needs.

The families tell each project's name of a layer (``families/``). Its parameters have MindSpore's names or PyTorch's.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import FAMILIES
from mindcv_shufflenet.families.base import OWN, Family, Layer, Layers

Arrays = dict[str, np.ndarray]

# The parameters of a kind: MindSpore's name and PyTorch's. A convolution has a bias only where BatchNorm was folded.
_PARAMETERS = {
    "conv": (("weight", "weight"), ("bias", "bias")),
    "norm": (
        ("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var"),
    ),
    "dense": (("weight", "weight"), ("bias", "bias")),
}  # fmt: skip
NORM_PARAMETERS = tuple(name for name, _ in _PARAMETERS["norm"])

# The dimensions of a kind's weights; every other parameter has one.
_WEIGHT_DIMENSIONS = {"conv": 4, "dense": 2}

# What wrappers and exporters put before a name: DataParallel and ExponentialMovingAverage, torch.compile, Lightning.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "ConvBnFusion_W_", "ConvBnFusion_BN_B_")
# Counters that PyTorch keeps beside the parameters.
COUNTERS = ("num_batches_tracked", "n_averaged")


class Recognised(NamedTuple):
    """Whose names parameters have.

    Attributes:
        project: whose.
        arrays: the parameters under MindSpore's names.
        family: whose layers they are.
        layers: the description of a variant that has layers of these names; its shapes may be others.
    """

    project: str
    arrays: Arrays
    family: Family
    layers: Layers


class _Table(NamedTuple):
    """A project's names of the parameters of some variants, and MindSpore's name of each."""

    family: Family
    project: str
    layers: Layers
    names: dict[str, str]


def _parameters(layers: Layers) -> Iterator[tuple[Layer, str, str]]:
    """Each layer and the names of each of its parameters: MindSpore's and PyTorch's."""
    for layer in layers:
        for mine, theirs in _PARAMETERS.get(layer.kind, ()):
            yield layer, mine, theirs


def parameter_shapes(layers: Layers) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter of a network, under MindSpore's names."""
    shapes = {}
    for layer, parameter, _ in _parameters(layers):
        if parameter != "bias" or layer.bias:
            shape: tuple[int, ...] = (layer.channels,)
            if layer.kind != "norm" and parameter == "weight":
                inputs = layers[layer.inputs[0]].channels // layer.groups
                shape = (layer.channels, inputs, *(layer.kernel,) * (_WEIGHT_DIMENSIONS[layer.kind] - 2))
            shapes[f"{layer.name}.{parameter}"] = shape
    return shapes


def read_sizes(arrays: Arrays, layers: Layers) -> dict[str, int]:
    """Return ``in_channels`` and ``num_classes`` as parameters under MindSpore's names tell them.

    What is not told is left out: the layers that read the input tell its channels, the last layer the classes.
    """
    sizes = {}
    for layer in layers:
        weight = arrays.get(f"{layer.name}.weight")
        if weight is not None and layer.inputs == (0,):
            sizes["in_channels"] = weight.shape[1] * layer.groups
        if weight is not None and layer is layers[-1]:
            sizes["num_classes"] = len(weight)
    return sizes


def translate(arrays: Arrays, layers: Layers, project: str) -> Arrays:
    """Write parameters under MindSpore's names as another project has them, in the order of the layers.

    Args:
        arrays: the parameters.
        layers: of the network that they are of.
        project: one of :func:`mindcv_shufflenet.families.projects`.
    """
    return {
        f"{layer.named(project)[0]}.{mine if project == OWN else theirs}": arrays[f"{layer.name}.{mine}"]
        for layer, mine, theirs in _parameters(layers)
        if f"{layer.name}.{mine}" in arrays
    }


def recognise(arrays: Arrays, source: str) -> Recognised:
    """Recognise the project of these names and translate them into MindSpore's.

    Args:
        arrays: the parameters by name; PyTorch's counters are left out.
        source: what they were read from, for messages.

    Raises:
        UserError: names that no project has; the first ones are listed.
    """
    given: Arrays = {}
    for name, value in arrays.items():
        if name.rpartition(".")[2] in COUNTERS:
            continue
        if _bare(name) in given:
            raise UserError(f"{source} has {_bare(name)} twice, under several prefixes; keep one of them")
        given[_bare(name)] = value
    table = min(_tables(), key=lambda table: _misfit(given, table))
    unknown = [name for name in given if name not in table.names]
    if len(unknown) == len(given):
        titles, projects = _known()
        raise UserError(
            f"{source} holds no {titles} weights: none of its {len(given)} names is known"
            f" ({', '.join(unknown[:3]) or 'it is empty'}); the names of {projects} are"
        )
    if unknown:
        raise UserError(
            f"{source} has {table.project}'s names of {table.family.title}, and {len(unknown)} that are not:"
            f" {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}; take them out, or give another file"
        )
    own: Arrays = {}
    for name, value in given.items():
        if table.names[name] in own:
            raise UserError(f"{source} has {table.names[name]} twice, under several names; keep one of them")
        own[table.names[name]] = value
    _check_dimensions(own, table.layers, source)
    return Recognised(table.project, own, table.family, table.layers)


def _misfit(given: Arrays, table: _Table) -> tuple[int, int]:
    """How many of the names a table lacks, and then how many of its parameters have no name there."""
    own = {table.names[name] for name in given if name in table.names}
    return len(given) - len(own), len(set(table.names.values()) - own)


def is_known(name: str) -> bool:
    """Whether a project has a parameter of that name."""
    return any(_bare(name) in table.names for table in _tables())


def _tables() -> tuple[_Table, ...]:
    """The names of every project for every family and variant."""
    return _tables_of(tuple((family, tuple(family.variants.items())) for family in FAMILIES.values()))


@lru_cache(maxsize=4)
def _tables_of(families: tuple[tuple[Family, tuple[tuple[str, Any], ...]], ...]) -> tuple[_Table, ...]:
    tables: list[_Table] = []
    for family, variants in families:
        for layers in (family.describe(model) for model, _ in variants):
            for project in (OWN, *family.projects):
                names = {
                    f"{name}.{mine if project == OWN else theirs}": f"{layer.name}.{mine}"
                    for layer, mine, theirs in _parameters(layers)
                    for name in layer.named(project)
                }
                if not any(table.names == names and table.project == project for table in tables):
                    tables.append(_Table(family, project, layers, names))
    return tuple(tables)


def _known() -> tuple[str, str]:
    """The titles of all families, and of all projects, for people."""
    projects = dict.fromkeys(project.title for family in FAMILIES.values() for project in family.projects.values())
    *most, last = ("mindcv", *projects)
    return " or ".join(FAMILIES), f"{', '.join(most)} and {last}" if most else last


def _check_dimensions(arrays: Arrays, layers: Layers, source: str) -> None:
    """Refuse what has the name of a parameter and cannot be one."""
    for layer, parameter, _ in _parameters(layers):
        value = arrays.get(f"{layer.name}.{parameter}")
        wanted = _WEIGHT_DIMENSIONS.get(layer.kind, 1) if parameter == "weight" else 1
        if value is not None and value.ndim != wanted:
            raise UserError(
                f"{source}: {layer.name}.{parameter} has the shape {value.shape} and should have {wanted}"
                f" dimension{'s' * (wanted > 1)}; is it of another network?"
            )


def _bare(name: str) -> str:
    """A name without what training code has put before it."""
    while prefix := next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None):
        name = name.removeprefix(prefix)
    return name
