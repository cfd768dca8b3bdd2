"""``convert``: weights into another kind of file, other parameter names, or another layout."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mindcv_shufflenet.errors import UserError, checked_keywords
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import OWN, Family, plan
from mindcv_shufflenet.network import build_with_weights
from mindcv_shufflenet.options.names import TORCH_SUFFIXES
from mindcv_shufflenet.weights.formats import check_suffix, write_arrays
from mindcv_shufflenet.weights.layout import change_layout
from mindcv_shufflenet.weights.load import Weights
from mindcv_shufflenet.weights.metadata import Metadata, metadata_of
from mindcv_shufflenet.weights.names import translate
from mindcv_shufflenet.weights.provenance import Settled, settle

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
            is there or cannot be written.
    """
    source, target = os.fspath(source), Path(target)
    check_suffix(target)
    if target.exists() and not overwrite:
        raise UserError(f"{target} is there already; give another name, or --overwrite")
    settled, weights = _read(source, model, ckpt_key)
    name = settled.config.model_name.model
    family = find_family(name)
    plan(family, name, layout=layout)  # refuses a layout that the family lacks
    source_layout = weights.layout or family.resolve({"layout": layout}).get("layout")
    notes = settled.notes + _check(weights, name, source_layout, allow_missing)
    keys, layout = _choose(keys, layout, source_layout, target, family)
    arrays, changed = change_layout(weights.arrays, name, source_layout, layout)
    kept, told = _keep(settled, family, source_layout, layout)
    metadata = _metadata(settled, weights, {"layout": layout, **kept})
    write_arrays(translate(arrays, family.describe(name, layout=layout), keys), target, metadata.dump())
    notes += changed + told
    for note in notes:
        _logger.info(note)
    return Conversion(
        Form(source, weights.project, source_layout, len(weights.arrays)),
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


def _check(weights: Weights, model: str, layout: str | None, allow_missing: Sequence[str]) -> list[str]:
    """Refuse weights that are not the model's, by loading them into it, and return the notes of that."""
    options = weights.network_options | {"layout": layout, "in_channels": weights.in_channels or 3}
    classes = weights.num_classes or 1000
    return build_with_weights(model, weights, allow_missing=allow_missing, num_classes=classes, **options)[1]


def _keep(settled: Settled, family: Family, source: str | None, target: str | None) -> tuple[dict[str, str], list[str]]:
    """Return the options that keep the source's value although layouts imply them, and a note for each such value."""
    own = family.resolve(settled.config.recipe() | {"layout": source})
    kept = {name: own[name] for implied in family.implied.values() for name in implied}
    implied = family.resolve({"layout": target})
    notes = [
        f"{name} stays as in the source, --{name} {value}; the file tells that to this program alone"
        for name, value in kept.items()
        if value != implied[name]
    ]
    return kept, notes


def _metadata(settled: Settled, weights: Weights, options: dict[str, str | None]) -> Metadata:
    """What the converted file says of its network: what is known of the source, and nothing that was assumed."""
    epoch = weights.metadata.epoch if weights.metadata else None
    return metadata_of(settled.config.replace(**options), settled.classes, epoch, settled.told | options.keys())


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
        torch = next((name for name, own in layouts.items() if own in (None, layout)), OWN)
        keys = torch if target.suffix.lower() in TORCH_SUFFIXES else OWN
    if layouts.get(keys) not in (None, layout):
        raise UserError(f"{keys}'s names are those of layout {layouts[keys]}, not {layout}; leave one out")
    return keys, layout
