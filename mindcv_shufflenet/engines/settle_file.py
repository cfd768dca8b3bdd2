"""The options that belong to a file that is run as it is: what the user gives, and what the file tells."""

from collections.abc import Mapping
from typing import Any

from mindcv_shufflenet.engines.model_file import ModelFile
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.weights.provenance import Settled, settle

# What decides how bytes become the network's input, once they are resized and cropped.
_NORMALISING = ("mean", "std", "channel_order")


def settle_file(options: Mapping[str, Any], file: ModelFile, *, with_data: bool = False) -> Settled:
    """Take over the options that belong to a file.

    Args:
        options: the user's options by name; they are never changed.
        file: the file that ``model`` names.
        with_data: take over, too, which images its weights were validated on.

    Raises:
        UserError: an option is wrong, or says something else of the file than is so.
    """
    config = parse_config(options)
    signature = file.signature
    told, notes = _told(file)
    shown: dict[str, Any] = {"in_channels": signature.channels}
    if signature.size:
        shown["image_resize"] = signature.size
    _check_given(options, config, file, told | shown)
    names = [*names_of("preprocessing")]
    if with_data and ("dataset" not in options or told.get("dataset") == config.dataset):
        names += names_of("data")
    taken = {name: told[name] for name in names if name in told} | shown
    taken = {name: value for name, value in taken.items() if name not in options}
    if changed := [f"{name}={value}" for name, value in taken.items() if value != getattr(config, name)]:
        notes = [*notes, f"from {file.source}: {', '.join(changed)}"]
    config = config.replace(**taken)
    unknown = [name for name in names_of("preprocessing") if name not in told.keys() | options.keys() | shown.keys()]
    if unknown:
        assumed = ", ".join(f"{name}={getattr(config, name)}" for name in unknown)
        notes = [*notes, f"{file.source} does not say how its network was trained; assumed is {assumed}"]
    classes = file.metadata.classes if file.metadata else None
    data = {name: told[name] for name in names_of("data") if name in told}
    return Settled(config, None, notes, frozenset({*told, *shown}), classes, None, data)


def _told(file: ModelFile) -> tuple[dict[str, Any], list[str]]:
    """What the metadata of a file or the names of its weights tell of its network and images, and notes on that."""
    if file.metadata:
        return file.metadata.options, file.notes
    try:
        settled = settle({"ckpt_path": file.source})
    except UserError:  # the names are of no project
        return {}, file.notes
    names = [name for name in names_of("preprocessing") if name in settled.told]
    project = settled.weights.project if settled.weights else ""
    options = {name: getattr(settled.config, name) for name in names}
    return options, [*file.notes, f"the weights in {file.source} have {project}'s names"] if names else file.notes


def _check_given(options: Mapping[str, Any], config: Config, file: ModelFile, known: dict[str, Any]) -> None:
    """Refuse options that say of the file what it is not.

    Raises:
        UserError: naming the first one.
    """
    fixed = {name: known.get(name) for name in names_of("network")} | {"num_classes": file.signature.num_classes}
    if file.signature.size:
        fixed["image_resize"] = file.signature.size
    if file.signature.takes_bytes:
        fixed |= {name: known[name] for name in _NORMALISING}
    for name, value in fixed.items():
        given = getattr(config, name)
        if options.get(name) is not None and given != value:
            own = "" if value is None else f" with {name}={value}"
            raise UserError(f"{name}={given}: {file.source} is a whole network{own}; leave {name} out")
