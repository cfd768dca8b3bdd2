"""The options that belong to weights: what their file, their run directory and their record say of network and input.

Stem, pool and preprocessing leave no trace in a network's shapes, so weights would load into a network that they do not
fit and be fed what they were not trained on. What the user says goes first; then the file's own metadata, the run
directory that it lies in, the record that a tag names, and last the project whose parameter names the file has.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.storage.download import fetch_to_cache
from mindcv_shufflenet.storage.run_directory import OPTIONS_FILE, Classes, HeldOut, RunRecord, read_run_of
from mindcv_shufflenet.weights.load import Weights, read_weights
from mindcv_shufflenet.weights.metadata import DATA_OPTIONS, NETWORK_OPTIONS, PREPROCESSING_OPTIONS
from mindcv_shufflenet.weights.names import POOL_OF_LAYOUT
from mindcv_shufflenet.weights.records import (
    ALIASES,
    RECORDS,
    TAG_OF_DIALECT,
    Record,
    default_record,
    fetch_record,
    find_record,
)


class Source(NamedTuple):
    """Something that tells options of weights: its name for messages, and the options."""

    name: str
    options: dict[str, Any]


class Settled(NamedTuple):
    """Options that belong to the weights taken over.

    Attributes:
        config: the options.
        notes: a line for each source that changed some, and for what nothing tells.
        told: names of the options that something tells.
        classes: that the weights were trained on; None where nothing tells.
        held_out: the validation images that their run has drawn; None where it has drawn none.
    """

    config: Config
    notes: list[str]
    told: frozenset[str]
    classes: Classes | None
    held_out: HeldOut | None


def network_options(config: Config) -> dict[str, Any]:
    """The options that decide how a network computes, as arguments of ``create_model``."""
    return {name: getattr(config, name) for name in NETWORK_OPTIONS}


def resolve_alias(config: Config) -> Config:
    """Replace another project's name of a model by ours."""
    return config.replace(model=ALIASES[config.model]) if config.model in ALIASES else config


def record_of(config: Config) -> Record | None:
    """Return the record that the options name, by a tag or by ``pretrained``.

    Raises:
        UserError: there is none of that name.
    """
    return default_record(config.model) if config.pretrained else find_record(config.model)


def open_weights(config: Config) -> Weights | None:
    """Read the weights that the options name, from a record, an address or a file; None if they name none.

    Raises:
        UserError: they cannot be fetched or read.
    """
    if "://" in config.ckpt_path:
        return read_weights(fetch_to_cache(config.ckpt_path), config.ckpt_key)
    if config.ckpt_path:
        return read_weights(config.ckpt_path, config.ckpt_key)
    return read_weights(fetch_record(default_record(config.model))) if config.pretrained else None


def settle(config: Config, given: Collection[str], weights: Weights | None, *, with_data: bool = False) -> Settled:
    """Take over the options that belong to the weights, where the user has not said otherwise.

    Args:
        config: the options.
        given: the names of the options that the user gave.
        weights: what :func:`open_weights` returned; None if they are not read.
        with_data: take over, too, which images the weights were validated on.
    """
    notes = ["pretrained is not read, since ckpt_path is given"] if config.pretrained and config.ckpt_path else []
    run = read_run_of(config.ckpt_path)
    notes += run.notes
    own = weights.metadata if weights else None
    recorded = _recorded(weights, run)
    changes: list[Source] = []
    if "model" not in given:
        config = _take_over(config, (), [_only(source, ("model",)) for source in recorded], changes)
    sources = _sources(config, weights, recorded)
    if with_data:
        sources += [_only(source, _data_names(config, given, source)) for source in recorded]
    config = _take_over(config, given, sources, changes)
    notes += _told(changes)
    told = frozenset(name for source in [*recorded, *sources] for name in source.options)
    if weights and "mean" not in told:
        notes += _assumed(config, given, weights)
    return Settled(config, notes, told, (own and own.classes) or run.classes, run.held_out)


def _take_over(config: Config, given: Collection[str], sources: list[Source], changes: list[Source]) -> Config:
    """Set the options that the sources tell, the strongest source last, and add what that changes to ``changes``."""
    told = {name: source for source in sources for name in source.options if name not in given}
    values = {name: source.options[name] for name, source in told.items()}
    present = _effective(config)
    for source in sources:
        new = {name: values[name] for name in told if told[name] is source and values[name] != present.get(name)}
        changes.append(Source(source.name, new))
    return config.replace(**values) if values else config


def _told(changes: list[Source]) -> list[str]:
    """Return a line for each source that has changed something."""
    lines: dict[str, list[str]] = {}
    for source in changes:
        lines.setdefault(source.name, []).extend(f"{name}={value}" for name, value in source.options.items())
    return [f"from {name}: {', '.join(parts)}" for name, parts in lines.items() if parts]


def _data_names(config: Config, given: Collection[str], source: Source) -> tuple[str, ...]:
    """The options of data that a source may tell: none if the user names another data set."""
    is_other = "dataset" in given and source.options.get("dataset") != config.dataset
    return () if is_other else ("data_dir", *DATA_OPTIONS)


def _sources(config: Config, weights: Weights | None, recorded: list[Source]) -> list[Source]:
    """What says something of the weights of the configured network, the weakest first."""
    names = (*NETWORK_OPTIONS, *PREPROCESSING_OPTIONS)
    record = record_of(config)
    recorded = [source for source in recorded if source.options["model"].partition(".")[0] == config.network]
    sources = []
    tag = TAG_OF_DIALECT.get(weights.dialect) if weights else None
    origins = sorted((r for r in RECORDS.values() if r.tag == tag), key=lambda r: r.model != config.network)
    if weights and origins and not record and not recorded:
        origin = origins[0]  # of this model, or of another one of that project
        name = f"the record {origin.name}, since {weights.source} has {weights.dialect}'s names"
        sources.append(Source(name, origin.options()))
    if record:
        sources.append(Source(f"the record {record.name}", record.options()))
    if weights and weights.layout:
        known = {"layout": weights.layout, **weights.options}
        if weights.dialect != "mindspore":
            known["pool"] = weights.pool
        sources.append(Source(weights.source, known))
    return sources + [_only(source, names) for source in recorded]


def _recorded(weights: Weights | None, run: RunRecord) -> list[Source]:
    """What a training has written of its network, the weaker first: the run directory, the file itself."""
    sources = []
    if run.options:
        sources.append(Source(str(run.folder / OPTIONS_FILE), run.options))
    if weights and weights.metadata:
        sources.append(Source(weights.source, weights.metadata.options))
    return sources


def _only(source: Source, names: Collection[str]) -> Source:
    return Source(source.name, {name: source.options[name] for name in names if name in source.options})


def _assumed(config: Config, given: Collection[str], weights: Weights) -> list[str]:
    """Say what is assumed of weights of which nothing tells how they were trained."""
    present = _effective(config)
    names = [name for name in ("stem", "pool", *PREPROCESSING_OPTIONS) if name not in given]
    assumed = ", ".join(f"{name}={present[name]}" for name in names)
    return [f"{weights.source} does not say how its network was trained; assumed is {assumed}"] if names else []


def _effective(config: Config) -> dict[str, Any]:
    """The options, with the defaults that the network would choose by itself."""
    present = config.recipe()
    present["layout"] = present["layout"] or "megvii"
    present["pool"] = present["pool"] or POOL_OF_LAYOUT[present["layout"]]
    return present
