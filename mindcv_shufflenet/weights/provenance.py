"""Provenance of weights: the options that belong to them, and who tells these.

Stem, pool and preprocessing leave no trace in a network's shapes, so weights would load into a network that they do not
fit, and be fed images that they were not trained on. Sources in order of precedence: the user, the metadata in the
file, the run directory that the file lies in, the record that a tag names, the project whose parameter names it has.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.storage.download import fetch_to_cache
from mindcv_shufflenet.storage.run_directory import OPTIONS_FILE, Classes, HeldOut, RunRecord, read_run_of
from mindcv_shufflenet.weights.load import Weights, read_weights
from mindcv_shufflenet.weights.records import (
    ALIASES,
    RECORDS,
    Record,
    fetch_record,
    find_record,
    get_pretrained_cfg,
)


class OptionSource(NamedTuple):
    """Something that tells options of weights: its name for messages, and the options."""

    name: str
    options: dict[str, Any]


class Settled(NamedTuple):
    """Weights, and the options with those taken over that belong to them.

    Attributes:
        config: the options.
        weights: None where the options name none.
        notes: a line for each source that changed options, and for what no source tells.
        told: names of the options that some source tells.
        classes: that the weights were trained on; None where no source tells.
        held_out: the validation images that their run has drawn; None where it has drawn none.
    """

    config: Config
    weights: Weights | None
    notes: list[str]
    told: frozenset[str]
    classes: Classes | None
    held_out: HeldOut | None

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing that belongs to the weights."""
        return Preprocessing.of(self.config)


def resolve_alias(config: Config) -> Config:
    """Replace another project's name of a model by ours."""
    return config.replace(model=ALIASES[config.model]) if config.model in ALIASES else config


def record_of(config: Config) -> Record | None:
    """Return the record that the options name, by a tag or by ``pretrained``.

    Raises:
        UserError: there is none of that name.
    """
    return get_pretrained_cfg(config.model) if config.pretrained else find_record(config.model)


def open_weights(config: Config) -> Weights | None:
    """Read the weights that the options name, from a record, an address or a file; None if they name none.

    Raises:
        UserError: they cannot be fetched or read.
    """
    if "://" in config.ckpt_path:
        return read_weights(fetch_to_cache(config.ckpt_path), config.ckpt_key)
    if config.ckpt_path:
        return read_weights(config.ckpt_path, config.ckpt_key)
    return read_weights(fetch_record(get_pretrained_cfg(config.model))) if config.pretrained else None


def settle(options: Mapping[str, Any], *, with_data: bool = False) -> Settled:
    """Read the weights that the options name, and take over the options that belong to them.

    Args:
        options: that the user gave, by name; they are never changed.
        with_data: take over, too, which images the weights were validated on.

    Raises:
        UserError: an option is wrong, or the weights cannot be had or read.
    """
    config = resolve_alias(parse_config(options))
    weights = open_weights(config)
    notes = ["pretrained is not read, since ckpt_path is given"] if config.pretrained and config.ckpt_path else []
    run = read_run_of(config.ckpt_path)
    notes += run.notes
    own = weights.metadata if weights else None
    recorded = _recorded(weights, run)
    changes: list[OptionSource] = []
    if "model" not in options:
        config = _take_over(config, (), [_only(source, ("model",)) for source in recorded], changes)
    model = config.model_name.model
    if weights and (family := find_family(model)) is not weights.family:
        theirs = weights.family.title
        raise UserError(
            f"{weights.source} has weights of {theirs}, and {model} is of {family.title}; give their own --model"
        )
    sources = _sources(config, weights, recorded)
    if with_data:
        sources += [_only(source, _data_names(config, options, source)) for source in recorded]
    config = _take_over(config, options, sources, changes)
    notes += _told(changes)
    told = frozenset(name for source in [*recorded, *sources] for name in source.options)
    if weights and "mean" not in told:
        notes += _assumed(config, options, weights)
    return Settled(config, weights, notes, told, (own and own.classes) or run.classes, run.held_out)


def _take_over(
    config: Config, given: Collection[str], sources: list[OptionSource], changes: list[OptionSource]
) -> Config:
    """Set the options that the sources tell, the strongest source last, and add what that changes to ``changes``."""
    told = {name: source for source in sources for name in source.options if name not in given}
    values = {name: source.options[name] for name, source in told.items()}
    present = _effective(config)
    for source in sources:
        new = {name: values[name] for name in told if told[name] is source and values[name] != present.get(name)}
        changes.append(OptionSource(source.name, new))
    return config.replace(**values) if values else config


def _told(changes: list[OptionSource]) -> list[str]:
    """Return a line for each source that has changed something."""
    lines: dict[str, list[str]] = {}
    for source in changes:
        lines.setdefault(source.name, []).extend(f"{name}={value}" for name, value in source.options.items())
    return [f"from {name}: {', '.join(parts)}" for name, parts in lines.items() if parts]


def _data_names(config: Config, given: Collection[str], source: OptionSource) -> tuple[str, ...]:
    """The options of data that a source may tell: none if the user names another data set."""
    is_other = "dataset" in given and source.options.get("dataset") != config.dataset
    return () if is_other else names_of("data")


def _sources(config: Config, weights: Weights | None, recorded: list[OptionSource]) -> list[OptionSource]:
    """What says something of the weights of the configured network, the weakest first."""
    names = names_of("network", "preprocessing")
    record = record_of(config)
    recorded = [source for source in recorded if source.options["model"].partition(".")[0] == config.model_name.model]
    sources = []
    project = weights.family.projects.get(weights.project) if weights else None
    tag = project and project.tag
    origins = sorted((r for r in RECORDS.values() if r.tag == tag), key=lambda r: r.model != config.model_name.model)
    if weights and origins and not record and not recorded:
        origin = origins[0]  # of this model, or of another one of that project
        name = f"the record {origin.name}, since {weights.source} has {weights.project}'s names"
        sources.append(OptionSource(name, origin.options()))
    if record:
        sources.append(OptionSource(f"the record {record.name}", record.options()))
    if weights and weights.shown:
        sources.append(OptionSource(weights.source, weights.shown))
    return sources + [_only(source, names) for source in recorded]


def _recorded(weights: Weights | None, run: RunRecord) -> list[OptionSource]:
    """What a training has written of its network, the weaker first: the run directory, the file itself."""
    sources = []
    if run.options:
        sources.append(OptionSource(str(run.folder / OPTIONS_FILE), run.options))
    if weights and weights.metadata:
        sources.append(OptionSource(weights.source, weights.metadata.options))
    return sources


def _only(source: OptionSource, names: Collection[str]) -> OptionSource:
    return OptionSource(source.name, {name: source.options[name] for name in names if name in source.options})


def _assumed(config: Config, given: Collection[str], weights: Weights) -> list[str]:
    """Say what is assumed of weights of which nothing tells how they were trained."""
    present = _effective(config)
    family = find_family(config.model_name.model)
    unseen = [name for name in family.options if name != "layout"]  # the shapes tell the layout
    names = [name for name in (*unseen, *names_of("preprocessing")) if name not in given]
    assumed = ", ".join(f"{name}={present[name]}" for name in names)
    return [f"{weights.source} does not say how its network was trained; assumed is {assumed}"] if names else []


def _effective(config: Config) -> dict[str, Any]:
    """The options, with the defaults that the network would choose by itself."""
    present = config.recipe()
    return present | find_family(config.model_name.model).resolve(present)
