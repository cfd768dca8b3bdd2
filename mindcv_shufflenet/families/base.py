"""What a family is: its variants, the layers of each, and the names that other projects have for them.

A description is plain data, with neither MindSpore nor numpy. Parameter names, conversion of weights, export, costs and
kernels are derived from it. ``models/`` holds the network that computes it.
"""

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError, check_counts

# The project whose parameter names the networks themselves have: mindcv's, on MindSpore.
OWN = "mindspore"


@dataclass(frozen=True)
class Layer:
    """One step of the computation, on maps ``[N, channels, H, W]``.

    Kinds with parameters: ``conv`` (keeps the size at stride 1), ``norm`` (BatchNorm), ``dense`` (reads a map of one
    pixel). Kinds without: ``input``, ``max_pool``, ``avg_pool``, ``gather`` (the channels that ``order`` lists: a split
    or a shuffle), ``concat`` (along the channels), ``mean`` (over the pixels, to a map of one pixel), ``add`` and
    ``multiply`` (elementwise; a map of one pixel acts on all pixels), and the activations: ``relu``, ``relu6``,
    ``leaky_relu`` (slope 0.1), ``hard_swish``, ``hard_sigmoid`` (min(max(x + 3, 0), 6) / 6), ``sigmoid``.
    A kind with one input that has no name in this list acts on each channel by itself, one with several elementwise.

    Attributes:
        kind: as listed above.
        inputs: positions of the layers that it reads, all of them before its own.
        channels: of its output.
        name: in MindSpore, of a kind with parameters.
        kernel: height and width of the window.
        stride: of the window.
        groups: of a convolution.
        bias: whether a dense layer or a convolution has one. A family's convolutions have none: the norm behind each
            shifts. They get one where the norm is folded into them.
        padding: of a pool: ``same`` (right and bottom only) or ``pad`` (every side). An average leaves the padding of
            ``same`` out, and counts that of ``pad`` as zeros.
        epsilon: of a norm, added to the variance.
        order: of a ``gather``, the channels of its input that become its output.
        stage: name of the stage whose map is the layer's output.
        names: other projects' names of it: the one that is written, then those that are read too. A project that is
            not listed calls it ``name``; ``mindspore`` lists further names that are read as ``name``. A name of a
            convolution with ``{group}`` in it stands for one array a group.
    """

    kind: str
    inputs: tuple[int, ...]
    channels: int
    name: str = ""
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    padding: str = ""
    epsilon: float = 1e-5
    order: tuple[int, ...] = ()
    stage: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def named(self, project: str) -> tuple[str, ...]:
        """Return the names of the layer in a project: the one that is written, then those that are read too."""
        return (self.name, *self.names.get(OWN, ())) if project == OWN else self.names.get(project, (self.name,))

    @property
    def is_depthwise(self) -> bool:
        """Whether a convolution has one filter for each channel."""
        return self.kind == "conv" and self.groups == self.channels > 1

    @property
    def is_reordering(self) -> bool:
        """Whether channels change their order, rather than a run of them being cut out."""
        return self.kind == "gather" and any(b - a != 1 for a, b in itertools.pairwise(self.order))


Layers = tuple[Layer, ...]


@dataclass(frozen=True)
class Project:
    """Another project that has weights of a family.

    Attributes:
        title: for people.
        options: the network options with which the project trains.
        tag: of its published weights.
        is_torch: whether its parameters are PyTorch's. Else they are MindSpore's.
        other_parts: how the names of the other parts of its programs begin, such as a detector's head. They are left
            out when weights are read.
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    is_torch: bool = True
    other_parts: tuple[str, ...] = ()


class ZooNames(NamedTuple):
    """What the models of a family in the ONNX model zoo take and give.

    Attributes:
        input_name: of the images.
        output_name: of the logits or probabilities.
        softmax: they give probabilities.
    """

    input_name: str = "input"
    output_name: str = "output"
    softmax: bool = False


@dataclass(frozen=True, eq=False)
class Family:
    """The variants of one architecture.

    Attributes:
        title: for people.
        network: where its network is, as ``module:Class``.
        variants: rows by model name. A row is hashable; what is in it is the family's own business.
        layers: describes a variant: ``layers(row, in_channels=, num_classes=, **options)``.
        options: the network options that it has, and the values of each, the default first.
        model_options: the default options of the models that have other ones.
        implied: what a value of an option implies for others that are not given.
        projects: who else has weights, by the name that ``convert --keys`` takes.
        aliases: names of models in other projects, and ours.
        classes_of_outputs: how many classes there are, by the number of outputs that published weights have, where
            that is another number. The outputs behind the classes are unused.
        zoo: the names that ``export --zoo_names`` writes.
    """

    title: str
    network: str
    variants: dict[str, Any]
    layers: Callable[..., Sequence[Layer]]
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    model_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    implied: Mapping[tuple[str, Any], Mapping[str, Any]] = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    classes_of_outputs: Mapping[int, int] = field(default_factory=dict)
    zoo: ZooNames = field(default_factory=ZooNames)

    def resolve(self, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each of the family's options: the given one, the implied one or the default.

        Args:
            model: name of a variant.
            options: values by name; None is not given, and options that the family lacks are left out.
        """
        given = {name: options[name] for name in self.options if options.get(name) is not None}
        own = self.model_options.get(model, {})
        chosen = {name: given.get(name, own.get(name, values[0])) for name, values in self.options.items()}
        for (name, value), others in self.implied.items():
            if chosen[name] == value:
                chosen |= {other: implied for other, implied in others.items() if other not in given}
        return chosen

    def effective(self, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the resolved options that have an effect: with another value, the layers would be others."""
        chosen = self.resolve(model, options)
        own = self.describe(model, **chosen)
        return {
            name: value
            for name, value in chosen.items()
            if any(self.describe(model, **(chosen | {name: other})) != own for other in self.options[name])
        }

    def describe(self, model: str, *, in_channels: int = 3, num_classes: int = 1000, **options: Any) -> Layers:
        """Return the layers of a model, in the order of computation.

        Args:
            model: name of a variant.
            in_channels: channels of the input.
            num_classes: length of the logits.
            options: network options; what is None or not given is resolved.
        """
        row = self.variants[model]
        return _describe(self.layers, row, in_channels, num_classes, tuple(self.resolve(model, options).items()))

    def combinations(self, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return every choice of some network options (None: of all), the default first."""
        chosen = [*self.options] if names is None else [*names]
        values = itertools.product(*(self.options[name] for name in chosen))
        return [dict(zip(chosen, choice, strict=True)) for choice in values]


@lru_cache(maxsize=256)
def _describe(
    layers: Callable[..., Sequence[Layer]],
    row: Hashable,
    in_channels: int,
    num_classes: int,
    options: tuple[tuple[str, Any], ...],
) -> Layers:
    return tuple(layers(row, in_channels=in_channels, num_classes=num_classes, **dict(options)))


def norms(layers: Layers) -> dict[str, str]:
    """Return the name of the BatchNorm behind each convolution, by the convolution's name."""
    return {
        layers[x].name: layer.name for layer in layers if layer.kind == "norm" for x in layer.inputs if layers[x].name
    }


@dataclass(frozen=True)
class Plan:
    """One network to build.

    Attributes:
        family: that it belongs to.
        model: its name.
        num_classes: length of the logits.
        in_channels: channels of the input.
        options: a value for each of the family's network options.
    """

    family: Family
    model: str
    num_classes: int
    in_channels: int
    options: Mapping[str, Any]

    @property
    def variant(self) -> Any:
        """The row of the family's table."""
        return self.family.variants[self.model]

    @property
    def layers(self) -> Layers:
        """The description of the network."""
        return self.family.describe(
            self.model, in_channels=self.in_channels, num_classes=self.num_classes, **self.options
        )


def plan(family: Family, model: str, *, num_classes: int = 1000, in_channels: int = 3, **options: Any) -> Plan:
    """Check the arguments of a network.

    Raises:
        UserError: an option that the family lacks, a value that it does not take, or a number that is no count.
    """
    check_options(family, model, options)
    check_counts(num_classes=num_classes, in_channels=in_channels)
    return Plan(family, model, num_classes, in_channels, family.resolve(model, options))


def check_options(family: Family, model: str, options: Mapping[str, Any]) -> None:
    """Refuse network options that do not fit a family. None is not given.

    Raises:
        UserError: an option that the family lacks, or a value that it does not take.
    """
    for name, value in options.items():
        if value is None:
            continue
        if name not in family.options:
            raise UserError(f"{model} has no option {name}: leave it out")
        if value not in family.options[name]:
            allowed = ", ".join(map(str, family.options[name]))
            raise UserError(f"{name}={value}: it must be one of {allowed} in {model}")
