"""Provenance of weights: the options that belong to them, and where these are known from.

Stem, pool, activation, shortcuts and preprocessing leave no trace in the shapes of the parameters. Without a source for
them, weights would load into a network that they do not fit, and read images that they were not trained on. Sources in
order of precedence: the user, the metadata in the file, the run directory that the file lies in, the names, shapes and
graph of the file, the record that a tag names, the record whose file has the same name, the project whose parameter
names the file has.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import Family, check_options
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.storage.download import fetch_to_cache
from mindcv_shufflenet.storage.run_directory import OPTIONS_FILE, Classes, HeldOut, RunRecord, read_run_of
from mindcv_shufflenet.weights.layout import fitting_models
from mindcv_shufflenet.weights.load import Weights, read_weights
from mindcv_shufflenet.weights.records import (
    RECORDS,
    Record,
    fetch_record,
    find_record,
    get_pretrained_cfg,
    parse_name,
)

# The options that change what a network computes. in_channels changes what it reads.
NETWORK_OPTIONS = tuple(name for name in names_of("network") if name != "in_channels")


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
        data: the options of data that the weights were trained with, as far as some source tells them. Those of
            ``config`` may be others: the user may name other images.
    """

    config: Config
    weights: Weights | None
    notes: list[str]
    told: frozenset[str]
    classes: Classes | None
    held_out: HeldOut | None
    data: Mapping[str, Any] = {}

    @property
    def dataset(self) -> str | None:
        """The data set that the weights were trained on; None where no source tells."""
        return self.data.get("dataset")

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing that belongs to the weights."""
        return Preprocessing.of(self.config)


def resolve_alias(config: Config) -> Config:
    """Replace another project's name of a model by ours.

    Raises:
        UserError: the model is a file, which has no name to build a network by.
    """
    if config.model_name.is_file:
        raise UserError(
            f"model={config.model} is a file, and here --model NAME is a network's name: give as --ckpt_path the file"
            " of its weights; that of an exported file is the checkpoint that it was exported from"
        )
    return config.replace(model=str(parse_name(config.model)))


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
    named = [
        _of_record(r, "since the file has its name") for r in RECORDS.values() if weights and is_file_of(r, weights)
    ]
    changes: list[OptionSource] = []
    if "model" not in options:
        config = _take_over(config, (), [_only(source, ("model",)) for source in named[:1] + recorded], changes)
    model = config.model_name.model
    if weights and (family := find_family(model)) is not weights.family:
        theirs = ", ".join(fitting_models(weights.arrays, weights.family)) or f"one of {weights.family.title}"
        raise UserError(
            f"{weights.source} has weights of {weights.family.title}, and {model} is of {family.title};"
            f" give their own --model: {theirs}"
        )
    published, recorded = _published(config, weights, named, recorded), _of_model(config, recorded)
    names = names_of("network", "preprocessing")
    sources = [_only(source, names) for source in published]
    if weights and weights.shown:
        sources.append(OptionSource(weights.source, _without_own(weights.family, model, weights.shown)))
    sources += [_only(source, names) for source in recorded]
    if with_data:
        sources += [_only(source, _data_names(config, options, source)) for source in [*published, *recorded]]
    config = _take_over(config, options, sources, changes)
    check_options(find_family(model), model, {name: getattr(config, name) for name in NETWORK_OPTIONS})
    notes += _told(changes)
    known = [*published, *recorded]
    told = frozenset(name for source in [*known, *sources] for name in source.options)
    if weights and "mean" not in told:
        notes += _assumed(config, options, weights)
    notes += _without_effect(config, options)
    data = _data_of(known) if weights else {}
    classes = (own and own.classes) or run.classes
    return Settled(config, weights, notes, told, classes, run.held_out, data)


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


def _published(
    config: Config, weights: Weights | None, named: list[OptionSource], recorded: list[OptionSource]
) -> list[OptionSource]:
    """The records that say something of the weights of the configured network, the weakest first.

    Args:
        config: the options.
        weights: None where the options name none.
        named: the records whose file has the same name.
        recorded: what a training has written of the weights. The records of their project say nothing then.
    """
    sources = _of_model(config, named)
    if record := record_of(config):
        sources.append(_of_record(record))
    if sources or recorded or not weights or not (project := weights.family.projects.get(weights.project)):
        return sources
    origins = [r for r in RECORDS.values() if r.tag == project.tag and r.model in weights.family.variants]
    origins.sort(key=lambda r: r.model != config.model_name.model)  # of this model, or of another one of that project
    told = [_of_record(record, f"since {weights.source} has {weights.project}'s names") for record in origins[:1]]
    return [_only(source, names_of("network", "preprocessing")) for source in told]


def _of_record(record: Record, reason: str = "") -> OptionSource:
    """What a record says of its weights, and why it is taken to be theirs."""
    name = f"the record {record.name}{', ' if reason else ''}{reason}"
    return OptionSource(name, {"model": record.model, "dataset": record.dataset, **record.options()})


def is_file_of(record: Record, weights: Weights) -> bool:
    """Whether weights come from a file with the name of a record's."""
    return record.url is not None and record.url.rpartition("/")[2] == Path(weights.source).name


def _of_model(config: Config, sources: list[OptionSource]) -> list[OptionSource]:
    """The sources that speak of the configured network, or of another name of its row in the family's table."""
    model = config.model_name.model
    family = find_family(model)
    found = []
    for source in sources:
        theirs = parse_name(source.options["model"]).model
        if theirs == model:
            found.append(source)
        elif family.variants.get(theirs) == family.variants[model]:
            found.append(OptionSource(source.name, _without_own(family, model, source.options)))
    return found


def _without_own(family: Family, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without those that the model's name means: ``se`` of ``se_shufflenet_v2_x1_0``."""
    return {name: value for name, value in options.items() if name not in family.model_options.get(model, {})}


def _recorded(weights: Weights | None, run: RunRecord) -> list[OptionSource]:
    """What a training has written of its network, the weaker first: the run directory, the file itself."""
    sources = []
    if run.options:
        sources.append(OptionSource(str(run.folder / OPTIONS_FILE), run.options))
    if weights and weights.metadata:
        sources.append(OptionSource(weights.source, weights.metadata.options))
    return sources


def _data_of(sources: list[OptionSource]) -> dict[str, Any]:
    """The options of data that sources tell, the strongest source last."""
    return {name: value for source in sources for name, value in _only(source, names_of("data")).options.items()}


def _only(source: OptionSource, names: Collection[str]) -> OptionSource:
    return OptionSource(source.name, {name: source.options[name] for name in names if name in source.options})


def _assumed(config: Config, given: Collection[str], weights: Weights) -> list[str]:
    """Say what is assumed of weights of which nothing tells how they were trained."""
    present = _effective(config)
    family = find_family(config.model_name.model)
    unseen = [name for name in family.effective(config.model_name.model, present) if name not in weights.shown]
    names = [name for name in (*unseen, *names_of("preprocessing")) if name not in given]
    assumed = ", ".join(f"{name}={present[name]}" for name in names)
    return [f"{weights.source} does not say how its network was trained; assumed is {assumed}"] if names else []


def _without_effect(config: Config, given: Mapping[str, Any]) -> list[str]:
    """Return a line that names those of the given network options that change nothing in this network."""
    model = config.model_name.model
    family = find_family(model)
    names = [name for name in family.options if given.get(name) is not None]
    acting = family.effective(model, _effective(config)) if names else {}
    idle = ", ".join(name for name in names if name not in acting)
    return [f"without effect in {model} with its other options: {idle}"] if idle else []


def _effective(config: Config) -> dict[str, Any]:
    """The options, with the defaults that the network would choose by itself."""
    present = config.recipe()
    model = config.model_name.model
    return present | find_family(model).resolve(model, present)
