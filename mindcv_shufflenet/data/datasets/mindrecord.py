"""MindRecord files as ``shufflenet data prepare`` packs them: ``SPLIT-*.mindrecord``, a manifest and the classes."""

import json
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Records, Split, read_classes_file
from mindcv_shufflenet.errors import UserError

CLASSES = "classes.json"


def manifest_path(folder: Path, split: str) -> Path:
    """Where the shards of a split are listed."""
    return folder / f"{split}.json"


def read_split(data_dir: Path, split: str, _train_split: str = "train") -> Split:
    """Read the manifest of a split.

    Raises:
        UserError: it is not there or damaged, the packing is not finished, or a shard is missing.
    """
    path = manifest_path(data_dir, split)
    if not path.is_file():
        raise UserError(f"no {path}: shufflenet data prepare {data_dir} --dataset NAME --data_dir DIR writes it")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        labels = np.array(manifest["labels"], np.int32)
        names = [str(shard["name"]) for shard in manifest["shards"]]
        packed = sum(shard["images"] for shard in manifest["shards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is damaged; pack the data set anew with --overwrite") from error
    if packed != manifest["images"]:
        raise UserError(
            f"{data_dir} holds {packed} of the {manifest['images']} images of {split}: the packing was stopped; give"
            " its command again to finish it"
        )
    missing = [name for shard in names for name in (shard, f"{shard}.db") if not (data_dir / name).is_file()]
    if missing:
        raise UserError(f"no {data_dir / missing[0]}, which {path.name} lists; copy it there or pack anew")
    classes = read_classes_file(data_dir / CLASSES)
    if classes is None:
        raise UserError(f"no {data_dir / CLASSES}, which names the classes; copy it there or pack anew")
    files = tuple(str(data_dir / name) for name in names)
    return Split(Records(files, np.arange(len(labels))), labels, tuple(classes["names"]), classes["indices"])
