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
from mindcv_shufflenet.lines import counted

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
        models: those that have layers of these names; their shapes may be others.
        layers: the description of the one whose shapes fit best.
        left_out: names of the parameters of other parts of the project's programs.
    """

    project: str
    arrays: Arrays
    family: Family
    models: tuple[str, ...]
    layers: Layers
    left_out: list[str]


class _Place(NamedTuple):
    """MindSpore's name of a parameter, and which of how many groups an array is; one of one: the parameter itself."""

    name: str
    group: int = 0
    groups: int = 1


class _Table(NamedTuple):
    """A project's names of the parameters of some models, and the place of each."""

    family: Family
    project: str
    models: list[str]
    options: dict[str, Any]
    names: dict[str, _Place]

    def describe(self, arrays: Arrays) -> Layers:
        """Return the description of the model that these parameters under MindSpore's names fit best."""

        def mismatch(layers: Layers) -> int:
            shapes = parameter_shapes(layers)
            return sum(shapes.get(name, value.shape) != value.shape for name, value in arrays.items())

        return min((self.family.describe(model, **self.options) for model in self.models), key=mismatch)

    @property
    def other_parts(self) -> tuple[str, ...]:
        """How the names of the other parts of the project's programs begin."""
        return () if self.project == OWN else self.family.projects[self.project].other_parts


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
    translated: Arrays = {}
    for layer, mine, theirs in _parameters(layers):
        own = f"{layer.name}.{mine}"
        if own in arrays:
            parameter = theirs if is_torch(project) else mine
            names = _each_group(f"{layer.named(project)[0]}.{parameter}", layer)
            translated |= dict(zip(names, np.split(arrays[own], len(names)), strict=True))
    return translated


def is_torch(project: str) -> bool:
    """Whether a project's parameters are PyTorch's."""
    return any(project in family.projects and family.projects[project].is_torch for family in FAMILIES.values())


def _each_group(name: str, layer: Layer) -> list[str]:
    """The names of a parameter's arrays: one, or one a group."""
    return [name.format(group=group) for group in range(layer.groups)] if "{group}" in name else [name]


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
    table = min(_tables(), key=lambda table: _unknown_names(given, table))
    known = [name for name in given if name in table.names]
    left_out = [name for name in given if name.startswith(table.other_parts)] if known and table.other_parts else []
    unknown = [name for name in given if name not in table.names and name not in left_out]
    if not known:
        titles, projects = _known()
        raise UserError(
            f"{source} holds no {titles} weights: it has {counted(len(given), 'name')} and none is known"
            f" ({', '.join(unknown[:3]) or 'it is empty'}); the names of {projects} are"
        )
    if unknown:
        raise UserError(
            f"{source} has {table.project}'s names of {table.family.title}, and {len(unknown)} that are not:"
            f" {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}; take them out, or give another file"
        )
    own = _collect({name: given[name] for name in known}, table, source)
    layers = table.describe(own)
    _check_dimensions(own, layers, source)
    return Recognised(table.project, own, table.family, tuple(table.models), layers, left_out)


def _collect(given: Arrays, table: _Table, source: str) -> Arrays:
    """Return the parameters under MindSpore's names; those that come group by group are joined."""
    found: dict[str, dict[int, np.ndarray]] = {}
    groups: dict[str, int] = {}
    for name, value in given.items():
        place = table.names[name]
        parts = found.setdefault(place.name, {})
        is_same = place.group in parts and np.array_equal(parts[place.group], value)  # one layer under two names
        if groups.setdefault(place.name, place.groups) != place.groups or (place.group in parts and not is_same):
            raise UserError(f"{source} has {place.name} twice, under several names; keep one of them")
        parts[place.group] = value
    for name, parts in found.items():
        if len(parts) < groups[name] or len({part.shape for part in parts.values()}) > 1:
            raise UserError(
                f"{source}: {name} has {groups[name]} groups of one shape, and the file holds"
                f" {', '.join(str(part.shape) for part in parts.values())}; is it of another network?"
            )
    return {
        name: parts[0] if groups[name] == 1 else np.concatenate([parts[group] for group in sorted(parts)])
        for name, parts in found.items()
    }


def _unknown_names(given: Arrays, table: _Table) -> tuple[int, int]:
    """How many of the names a table lacks, and then how many of its arrays have no name there."""
    own = {table.names[name] for name in given if name in table.names}
    unknown = [name for name in given if name not in table.names]
    if own and table.other_parts:
        unknown = [name for name in unknown if not name.startswith(table.other_parts)]
    return len(unknown), len({*table.names.values()} - own)


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
        naming = _naming_options(family)
        for model, _ in variants:
            for options in family.combinations(naming):
                layers = family.describe(model, **options)
                for project in (OWN, *family.projects):
                    names = _names(layers, project)
                    same = next((t for t in tables if (t.family, t.project, t.names) == (family, project, names)), None)
                    if same is None:
                        tables.append(_Table(family, project, [model], options, names))
                    elif model not in same.models:
                        same.models.append(model)
    return tuple(tables)


def _naming_options(family: Family) -> list[str]:
    """The options on whose values it depends which layers there are."""
    model = next(iter(family.variants))

    def names(**options: Any) -> set[str]:
        return {layer.name for layer in family.describe(model, **options)}

    return [
        option
        for option, values in family.options.items()
        if len({frozenset(names(**{option: value})) for value in values}) > 1
    ]


def _names(layers: Layers, project: str) -> dict[str, _Place]:
    """A project's names of the parameters of a network."""
    places: dict[str, _Place] = {}
    has_torch_names = is_torch(project)
    for layer, mine, theirs in _parameters(layers):
        for name in layer.named(project):
            arrays = _each_group(f"{name}.{theirs if has_torch_names else mine}", layer)
            for group, array in enumerate(arrays):
                places[array] = _Place(f"{layer.name}.{mine}", group, len(arrays))
    return places


def _known() -> tuple[str, str]:
    """The titles of all families, and of all projects, for people."""
    projects = dict.fromkeys(project.title for family in FAMILIES.values() for project in family.projects.values())
    return _enumeration([*FAMILIES], "or"), _enumeration(["mindcv", *projects], "and")


def _enumeration(items: list[str], conjunction: str) -> str:
    *most, last = items
    return f"{', '.join(most)} {conjunction} {last}" if most else last


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
