"""Weights of any published form into a network: recognised, checked against it, and only then put in."""

import fnmatch
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError, checked_keywords
from mindcv_shufflenet.families.base import OWN, Family, Layers
from mindcv_shufflenet.weights.formats import read_file
from mindcv_shufflenet.weights.layout import find_options, unfold
from mindcv_shufflenet.weights.metadata import Metadata, read_metadata
from mindcv_shufflenet.weights.names import Arrays, read_sizes, recognise


class Weights(NamedTuple):
    """The weights of a file.

    Attributes:
        arrays: under MindSpore's names.
        family: of the network that they are of.
        layers: the description of a variant with layers of these names; its shapes may be others.
        project: whose names the file has.
        shaped: the network options that the shapes of the parameters tell.
        source: the file, for messages.
        unfolded: the file's BatchNorms were folded into its convolutions and stand beside them again.
        metadata: what the file says of its network; None where it says nothing.
        options: what the graph in the file shows of its network.
        notes: a line if there was a choice among several sets of weights.
    """

    arrays: Arrays
    family: Family
    layers: Layers
    project: str
    shaped: Mapping[str, Any]
    source: str
    unfolded: bool
    metadata: Metadata | None
    options: Mapping[str, Any]
    notes: list[str]

    @property
    def network_options(self) -> dict[str, Any]:
        """What the file tells of how its network computes, as arguments of the network's class."""
        own = self.metadata.options if self.metadata else {}
        told = self.shown | own
        return {name: told[name] for name in (*self.family.options, "in_channels") if name in told}

    @property
    def layout(self) -> str | None:
        """The network's layout; None where the file does not tell, or the family has no layouts."""
        return self.network_options.get("layout")

    @property
    def shown(self) -> dict[str, Any]:
        """What names, shapes and graph of the file tell of how its network computes, as :attr:`network_options`."""
        project = {} if self.project == OWN else self.family.projects[self.project].options
        return {**project, **self.shaped, **self.options}

    @property
    def classifier(self) -> str:
        """The name of the layer that makes the logits."""
        return self.layers[-1].name

    @property
    def num_classes(self) -> int | None:
        """The classes that the classifier tells apart; None where the file has none."""
        if self.metadata and self.metadata.classes:  # of a training here: all outputs are told by name
            return self.outputs
        return self.family.classes_of_outputs.get(self.outputs or 0, self.outputs)

    @property
    def outputs(self) -> int | None:
        """The length of the logits. Some published weights have outputs behind those of the classes."""
        return read_sizes(self.arrays, self.layers).get("num_classes")

    @property
    def in_channels(self) -> int | None:
        """Channels of the input; None where the file does not tell."""
        return read_sizes(self.arrays, self.layers).get("in_channels")


def read_weights(path: str | os.PathLike[str], key: str | None = None) -> Weights:
    """Read a weights file of any kind that ``formats.py`` knows, under any names that a family knows.

    Args:
        path: the file.
        key: which set of weights, where the file holds several (``state_dict_ema``).

    Raises:
        UserError: the file cannot be read, or holds no weights of a known family.
    """
    if not isinstance(path, str | os.PathLike):
        raise UserError(f"{type(path).__name__} is no weights: give a file's path")
    source = str(path)
    file = read_file(path, key)
    found = recognise(file.arrays, source)
    arrays, unfolded = unfold(found.arrays, found.layers)
    metadata, damaged = read_metadata(file.metadata, source)
    notes = file.notes
    if found.left_out:
        notes = [*notes, f"{source}: {found.left_out[0]}{_more(found.left_out)} of other parts of it are left out"]
    notes = [*notes, *damaged]
    if metadata and metadata.origin:
        notes = [*notes, f"{source}: {metadata.origin}"]
    shaped = find_options(arrays, found.family, found.models, found.project)
    return Weights(
        arrays, found.family, found.layers, found.project, shaped, source, unfolded, metadata, file.options, notes
    )


@checked_keywords
def load_weights(
    network: nn.Cell,
    weights: Weights | str | os.PathLike[str],
    *,
    reset_classifier: bool = False,
    allow_missing: Sequence[str] = (),
) -> list[str]:
    """Fill a network with weights that fit it.

    Args:
        network: its parameters are replaced.
        weights: what :func:`read_weights` returns, or a file.
        reset_classifier: leave the network's classifier as it was drawn.
        allow_missing: names with wildcards (``conv_last.*``) of parameters that the weights may lack.

    Returns:
        A line for each thing that is not simply the file's.

    Raises:
        UserError: a parameter is missing, left over or of another shape, or the layout is another. The network is
            untouched then.
    """
    if not isinstance(weights, Weights):
        weights = read_weights(weights)
    if isinstance(allow_missing, str):
        allow_missing = [allow_missing]
    plan = getattr(network, "plan", None)
    if plan and plan.family is not weights.family:
        raise UserError(
            f"{weights.source} has weights of {weights.family.title}, and the network is of {plan.family.title}"
        )
    target = {parameter.name: parameter for parameter in network.get_parameters()}
    for pattern in allow_missing:
        if not fnmatch.filter(target, pattern):
            raise UserError(f"allow_missing={pattern} matches no parameter; names look like {next(iter(target))}")
    left_out = getattr(network, "left_out", ())
    if reset_classifier:
        left_out = (*left_out, f"{weights.classifier}.")
        allow_missing = (*allow_missing, f"{weights.classifier}.*")
    source = {name: value for name, value in weights.arrays.items() if not name.startswith(tuple(left_out))}
    source, unused = _without_unused_outputs(source, weights, target)
    layout = getattr(network, "options", {}).get("layout")
    if weights.layout and layout and weights.layout != layout:
        raise UserError(
            f"{weights.source} has weights of layout {weights.layout} and the network is of layout {layout};"
            f" give --layout {weights.layout}"
        )
    _check_shapes(weights, source, target)
    missing = [name for name in target if name not in source]
    refused = [name for name in missing if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allow_missing)]
    if refused:
        raise UserError(
            f"{weights.source} lacks {refused[0]}{_more(refused)}; {_reason(network, refused)}"
            " train and convert take --allow_missing PATTERN for what may be missing"
        )
    for name, value in source.items():
        target[name].set_data(Tensor(value, target[name].dtype))
    return unused + _notes(weights, missing) + _mismatch_notes(network, weights)


def _without_unused_outputs(source: Arrays, weights: Weights, target: dict[str, Tensor]) -> tuple[Arrays, list[str]]:
    """Leave out the outputs behind those of the classes if the network has none, and say so."""
    names = [name for name in source if name.rpartition(".")[0] == weights.classifier and name in target]
    classes, outputs = weights.num_classes, weights.outputs
    if classes == outputs or not names or any(target[name].shape[0] != classes for name in names):
        return source, []
    note = f"{weights.source} has {outputs} outputs, of which {classes} are classes; the others are left out"
    return source | {name: source[name][:classes] for name in names}, [note]


def _check_shapes(weights: Weights, source: Arrays, target: dict[str, Tensor]) -> None:
    """Refuse parameters that the network has not, or has in another shape."""
    left_over = [name for name in source if name not in target]
    reshaped = [name for name in source if name in target and source[name].shape != tuple(target[name].shape)]
    if reshaped:
        name = reshaped[0]
        raise UserError(
            f"{weights.source} does not fit the network: {name} is {source[name].shape} there and"
            f" {tuple(target[name].shape)} here{_more(reshaped)};"
            f" {_advice(name, weights, target[name].shape[0])}"
        )
    if left_over:
        raise UserError(
            f"{weights.source} holds {left_over[0]}{_more(left_over)}, which the network has not; "
            "is it of another model or layout?"
        )


def _reason(network: nn.Cell, missing: list[str]) -> str:
    """Why weights may lack parameters: a detector's have the stages alone."""
    stages = [cell for chain in getattr(network, "stages", ()) for cell in chain]
    own = {parameter.name for cell in stages for parameter in cell.get_parameters()}
    if own and own.isdisjoint(missing):
        return "it has all of the stages, and create_model(..., features_only=True) takes these alone;"
    return "is it of another model or layout?"


def _notes(weights: Weights, missing: list[str]) -> list[str]:
    notes = [*weights.notes]
    if weights.project != OWN:
        layout = f", layout {weights.layout}" if weights.layout else ""
        notes.append(f"{weights.source}: {weights.project}'s names{layout}")
    if weights.unfolded:
        notes.append(f"{weights.source}: BatchNorm is folded into the convolutions; it is set to change nothing")
    if missing and all(name.startswith(f"{weights.classifier}.") for name in missing):
        notes.append("the classifier starts anew; all other weights are the checkpoint's")
    elif missing:
        notes.append(
            f"not in {weights.source} and so left as drawn: {', '.join(missing[:4])}{_more(missing[:1] + missing[4:])}"
        )
    return notes


def _mismatch_notes(network: nn.Cell, weights: Weights) -> list[str]:
    """Return a note if the network's options differ from those of the weights."""
    if not (plan := getattr(network, "plan", None)):
        return []
    ours = plan.options
    trained = weights.family.effective(plan.model, ours | weights.network_options)
    other = [name for name in weights.network_options if name in ours and trained.get(name, ours[name]) != ours[name]]
    if not other:
        return []
    theirs = ", ".join(f"{name}={trained[name]}" for name in other)
    return [
        f"{weights.source} was trained with {theirs}, and the network has"
        f" {', '.join(f'{name}={ours[name]}' for name in other)}"
    ]


def _advice(name: str, weights: Weights, here: int) -> str:
    if name.startswith(f"{weights.classifier}."):
        return (
            f"its num_classes is {weights.num_classes} and {here} is asked for: give data (or --num_classes) of"
            f" {weights.num_classes}; train takes --reset_classifier for a new one"
        )
    return "its model, its layout or its in_channels is another one: give that of the checkpoint"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
