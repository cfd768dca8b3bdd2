"""``convert``: weights into another kind of file, other parameter names, or another layout."""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError, checked_keywords
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import OWN, Family, plan
from mindcv_shufflenet.network import build_with_weights
from mindcv_shufflenet.options.names import TORCH_SUFFIXES
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.layout import change_options, reachable
from mindcv_shufflenet.weights.load import Weights
from mindcv_shufflenet.weights.metadata import Metadata, metadata_of
from mindcv_shufflenet.weights.names import is_torch, translate
from mindcv_shufflenet.weights.provenance import Settled, settle
from mindcv_shufflenet.weights.target import check_target

_logger = logging.getLogger(__name__)


class Form(NamedTuple):
    """The form of the weights in a file.

    Attributes:
        file: its path.
        keys: the project whose parameter names it has.
        layout: of the network; None where the family has no layouts.
        arrays: how many parameters it holds.
    """

    file: str
    keys: str
    layout: str | None
    arrays: int

    def __str__(self) -> str:
        layout = f"layout {self.layout}, " if self.layout else ""
        return f"{self.file}: {self.keys}'s names, {layout}{self.arrays} arrays"


class Conversion(NamedTuple):
    """What was converted into what; ``notes`` has a line for each thing that the user may not expect."""

    source: Form
    target: Form
    notes: list[str]


@checked_keywords
def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    model: str | None = None,
    keys: str | None = None,
    layout: str | None = None,
    ckpt_key: str | None = None,
    allow_missing: Sequence[str] = (),
    overwrite: bool = False,
) -> Conversion:
    """Read weights, check them against their network, convert them exactly, and write them.

    Args:
        source: the file to read, of any kind that ``weights/formats.py`` knows.
        target: the file to write; its suffix tells the kind.
        model: the network; None: as the file tells.
        keys: the project whose parameter names are written. None: for a PyTorch file those that go with the layout,
            else MindSpore's.
        layout: of the target; None: that of the source, or of ``keys``.
        ckpt_key: which set of weights, where the source holds several.
        allow_missing: names, with wildcards, of parameters that the source may lack.
        overwrite: replace a target that is there.

    Raises:
        UserError: the source cannot be read or is not the model's, names and layout do not go together, or the target
            is there, is a run's own file, or cannot be written.
    """
    source, target = os.fspath(source), Path(target)
    check_target(target, overwrite)
    settled, weights = _read(source, model, ckpt_key)
    name = settled.config.model_name.model
    family = find_family(name)
    plan(family, name, layout=layout)  # refuses a layout that the family lacks
    own = family.resolve(name, settled.config.recipe())
    notes = settled.notes + _check(weights, name, own, allow_missing)
    keys, layout = _choose(keys, layout, own.get("layout"), target, family)
    options, kept = _options_of_target(family, name, own, layout, keys)
    arrays, changed = change_options(weights.arrays, name, own, options)
    known = settled.told | ({"layout"} if layout else set()) | kept.keys()
    metadata = _metadata(settled, weights, options, known)
    write_arrays(translate(arrays, family.describe(name, **options), keys), target, metadata.dump())
    notes += changed + [
        f"{option} stays as in the source; other programs do not read it from the file: give them"
        f" {option}={options[option]}"
        for option, is_other in kept.items()
        if is_other
    ]
    for note in notes:
        _logger.info(note)
    return Conversion(
        Form(source, weights.project, own.get("layout"), len(weights.arrays)),
        Form(str(target), keys, layout, len(arrays)),
        notes,
    )


def _read(source: str, model: str | None, ckpt_key: str | None) -> tuple[Settled, Weights]:
    """Read the source, and the options that belong to its weights.

    Raises:
        UserError: it cannot be read, or nothing tells its model.
    """
    given = {"model": model} if model else {}
    # no image is read, so it does not matter where the images lie
    settled = settle({**given, "ckpt_path": source, "ckpt_key": ckpt_key, "data_dir": "./"}, with_data=True)
    assert settled.weights
    if not model and "model" not in settled.told:
        raise UserError("of which model are the weights? give --model NAME; `shufflenet models` lists them")
    return settled, settled.weights


def _check(weights: Weights, model: str, options: Mapping[str, Any], allow_missing: Sequence[str]) -> list[str]:
    """Refuse weights that are not the model's, by loading them into it, and return the notes of that."""
    classes = weights.outputs or 1000
    arguments = {**options, "in_channels": weights.in_channels or 3}
    return build_with_weights(model, weights, allow_missing=allow_missing, num_classes=classes, **arguments)[1]


def _options_of_target(
    family: Family, model: str, source: Mapping[str, Any], layout: str | None, keys: str
) -> tuple[dict[str, Any], dict[str, bool]]:
    """Choose the network options of the target.

    What its layout and its project imply is taken over where the weights can be converted to it, and stays the
    source's elsewhere.

    Returns:
        The options; and for each option that layouts or the project imply, whether it stays another one than implied.
    """
    theirs = {} if keys == OWN else family.projects[keys].options
    target = {**source, **({"layout": layout} if layout else {})}
    usual = family.resolve(model, {**theirs, "layout": layout})
    implied = [*dict.fromkeys(name for others in (*family.implied.values(), theirs) for name in others)]
    effective = family.effective(model, target)
    implied = [name for name in implied if name != "layout" and name in effective]
    for name in implied:
        if reachable(model, source, target | {name: usual[name]}):
            target[name] = usual[name]
    return target, {name: target[name] != usual[name] for name in implied}


def _metadata(settled: Settled, weights: Weights, options: Mapping[str, Any], known: Collection[str]) -> Metadata:
    """What the converted file says of its network: what is known of the source, and nothing that was assumed."""
    told = metadata_of(settled.config.replace(**options), settled.classes, names=known)
    return told.with_weights_of(weights.metadata or Metadata({}))


def _choose(
    keys: str | None, layout: str | None, source_layout: str | None, target: Path, family: Family
) -> tuple[str, str | None]:
    """Settle names and layout of the target from what is given of them.

    Raises:
        UserError: names and layout do not go together, or the project has no names of the family.
    """
    layouts = {name: project.options.get("layout") for name, project in family.projects.items()}
    if keys and keys not in (OWN, *layouts):
        raise UserError(f"{keys} has no names of {family.title}; --keys takes {', '.join((OWN, *layouts))}")
    layout = layout or layouts.get(keys or "") or source_layout
    if keys is None:
        torch = next((name for name, own in layouts.items() if is_torch(name) and own in (None, layout)), OWN)
        keys = torch if target.suffix.lower() in TORCH_SUFFIXES else OWN
    if layouts.get(keys) not in (None, layout):
        raise UserError(f"{keys}'s names are those of layout {layouts[keys]}, not {layout}; leave one out")
    return keys, layout
