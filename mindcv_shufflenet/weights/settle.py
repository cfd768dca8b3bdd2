"""The options that belong to weights: what their record, their file and their run directory say of network and input.

Stem, pool and preprocessing leave no trace in a network's shapes, so weights would load into a network that they do not
fit and be fed what they were not trained on.
"""

from collections.abc import Collection
from typing import Any

from mindcv_shufflenet.config import Config
from mindcv_shufflenet.run_directory import OPTIONS_FILE, RunRecord, read_run_of
from mindcv_shufflenet.weights.download import fetch_to_cache
from mindcv_shufflenet.weights.keys import POOL_OF_LAYOUT
from mindcv_shufflenet.weights.load import Weights, read_weights
from mindcv_shufflenet.weights.pretrained import ALIASES, Record, default_record, fetch_record, find_record

# What decides how a network computes.
NETWORK_OPTIONS = ("layout", "stem", "pool", "in_channels")
# What decides how an image becomes its input in validation.
PREPROCESSING_OPTIONS = (
    *("image_resize", "crop_pct", "interpolation", "resize_backend"),
    *("mean", "std", "channel_order"),
)


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
        return read_weights(fetch_to_cache(config.ckpt_path))
    if config.ckpt_path:
        return read_weights(config.ckpt_path)
    return read_weights(fetch_record(default_record(config.model))) if config.pretrained else None


def settle(
    config: Config, given: Collection[str], weights: Weights | None, names: Collection[str] = ()
) -> tuple[Config, list[str]]:
    """Take over the options that belong to the weights, where the user has not said otherwise.

    Args:
        config: the options.
        given: the names of the options that the user gave.
        weights: what :func:`open_weights` returned; None if they are not read.
        names: preprocessing options that the run directory of ``ckpt_path`` may set, beside those of the network.

    Returns:
        The options, and a line for each source that changed some.
    """
    notes = ["pretrained is not read, since ckpt_path is given"] if config.pretrained and config.ckpt_path else []
    run = read_run_of(config.ckpt_path)
    notes += run.notes
    if run.options and "model" not in given and run.options["model"] != config.model:
        notes.append(f"from {run.folder / OPTIONS_FILE}: model={run.options['model']}")
        config = config.replace(model=run.options["model"])
    for source, values in _sources(config, weights, run, (*NETWORK_OPTIONS, *names)):
        present = _effective(config)
        changes = {name: value for name, value in values.items() if name not in given and present.get(name) != value}
        if changes:
            config = config.replace(**changes)
            notes.append(f"from {source}: {', '.join(f'{name}={value}' for name, value in changes.items())}")
    return config, notes


def _sources(
    config: Config, weights: Weights | None, run: RunRecord, names: Collection[str]
) -> list[tuple[str, dict[str, Any]]]:
    """What says something of the weights, the weakest first."""
    sources: list[tuple[str, dict[str, Any]]] = []
    record = record_of(config)
    if record:
        sources.append((f"the record {record.name}", record.options()))
    if weights and weights.layout:
        known = {"layout": weights.layout}
        if weights.dialect != "mindspore":
            known["pool"] = weights.pool
        sources.append((weights.source, known))
    if run.options and str(run.options["model"]).partition(".")[0] == config.network:
        chosen = {name: run.options[name] for name in names if name in run.options}
        sources.append((str(run.folder / OPTIONS_FILE), chosen))
    return sources


def _effective(config: Config) -> dict[str, Any]:
    """The options, with the defaults that the network would choose by itself."""
    present = config.recipe()
    present["layout"] = present["layout"] or "megvii"
    present["pool"] = present["pool"] or POOL_OF_LAYOUT[present["layout"]]
    return present
