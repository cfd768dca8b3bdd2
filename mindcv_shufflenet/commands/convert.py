"""``convert``: turn a weights file into another kind of file, other parameter names, or another layout."""

import argparse
from pathlib import Path

from mindcv_shufflenet.commands.setup import create_console, read_config, write_json
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.registry import create_model
from mindcv_shufflenet.network import Settled, settle
from mindcv_shufflenet.weights.convert import change_layout
from mindcv_shufflenet.weights.formats import check_suffix, write_arrays
from mindcv_shufflenet.weights.load import Weights, load_weights, read_weights
from mindcv_shufflenet.weights.metadata import Metadata, metadata_of
from mindcv_shufflenet.weights.names import POOL_OF_LAYOUT, translate

# Whose names go with which layout; mindspore's go with both.
_LAYOUT_OF_KEYS = {"megvii": "megvii", "torchvision": "torchvision", "mmpretrain": "torchvision"}


def run(arguments: argparse.Namespace) -> None:
    """Read, check against the model, convert, write, and say what was done."""
    config = read_config(arguments.options)
    console = create_console(arguments.json)
    target = Path(arguments.target)
    check_suffix(target)
    if target.exists() and not config.overwrite:
        raise UserError(f"{target} is there already; give another name, or --overwrite")
    weights = read_weights(arguments.source, config.ckpt_key)
    wanted = config.layout
    source = config.replace(ckpt_path=arguments.source, layout=None)  # --layout is the target's
    given = {"data_dir", *({"model"} & arguments.given.keys())}  # no image is read
    settled = settle(source, given, weights, with_data=True)
    if "model" not in arguments.given and "model" not in settled.told:
        raise UserError("of which model are the weights? give --model NAME; `shufflenet models` lists them")
    source_layout = weights.layout or wanted or "megvii"
    loaded = _load(weights, settled.config.network, source_layout, config.allow_missing)
    keys, layout = _choose(arguments.keys, wanted, source_layout, target)
    arrays, notes = change_layout(weights.arrays, source_layout, layout)
    metadata = _metadata(settled, weights, layout)
    pool = metadata.options["pool"]
    notes = [*settled.notes, *loaded, *notes]
    if pool != POOL_OF_LAYOUT[layout]:
        notes.append(f"the max pool pads as the source's did, --pool {pool}; the file tells that to this program alone")
    write_arrays(translate(arrays, keys), target, metadata.dump())
    console.print(
        f"{arguments.source}: {weights.dialect}'s names, layout {source_layout}, {len(weights.arrays)} arrays"
    )
    for note in notes:
        console.print(f"note: {note}")
    console.print(f"{target}: {keys}'s names, layout {layout}, {len(arrays)} arrays")
    result = {
        "source": {"file": arguments.source, "keys": weights.dialect, "layout": source_layout},
        "target": {"file": str(target), "keys": keys, "layout": layout},
        "arrays": len(arrays),
        "notes": notes,
    }
    write_json(arguments.json, result)


def _metadata(settled: Settled, weights: Weights, layout: str) -> Metadata:
    """What the converted file says of its network: what is known of the source, and nothing that was assumed."""
    config = settled.config.replace(layout=layout, pool=settled.config.pool or weights.pool)
    epoch = weights.metadata.epoch if weights.metadata else None
    return metadata_of(config, settled.classes, epoch, settled.told | {"layout", "pool"})


def _load(weights: Weights, model: str, layout: str, allow_missing: list[str]) -> list[str]:
    """Refuse weights that are not the model's, by loading them into it, and return what that tells."""
    stem, classifier = weights.arrays.get("first_conv.0.weight"), weights.arrays.get("classifier.weight")
    options = weights.network | {"layout": layout, "in_channels": 3 if stem is None else stem.shape[1]}
    network = create_model(model, num_classes=1000 if classifier is None else len(classifier), **options)
    return load_weights(network, weights, allow_missing=allow_missing)


def _choose(keys: str | None, layout: str | None, source_layout: str, target: Path) -> tuple[str, str]:
    """Settle names and layout of the target from what is given of them."""
    layout = layout or _LAYOUT_OF_KEYS.get(keys or "", source_layout)
    keys = keys or (layout if target.suffix.lower() in (".pth", ".pt") else "mindspore")
    if _LAYOUT_OF_KEYS.get(keys, layout) != layout:
        raise UserError(f"{keys}'s names are those of layout {_LAYOUT_OF_KEYS[keys]}, not {layout}; leave one out")
    return keys, layout
