"""MindRecord files as ``shufflenet data prepare`` packs them: ``SPLIT-*.mindrecord`` and their manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from mindcv_shufflenet.data.datasets.base import Records, Request, Split
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import classes_of

# Version of the manifest.
FORMAT = 1


def manifest_path(folder: Path, split: str) -> Path:
    """Where the shards of a split are listed."""
    return folder / f"{file_prefix(split)}.json"


def file_prefix(split: str) -> str:
    """What the names of a split's files begin with; a split may be a folder in a folder (``train/dataset``)."""
    return split.replace("/", "-")


def files_of(shard: str) -> tuple[str, str]:
    """The files of a shard: the records, and MindSpore's index of them."""
    return shard, f"{shard}.db"


def fault_of(folder: Path, shard: dict[str, Any]) -> str | None:
    """Say what is wrong with the files of a shard that a manifest lists, as far as their sizes tell."""
    for name, size in zip(files_of(shard["name"]), shard["bytes"], strict=True):
        if not (folder / name).is_file():
            return f"no {folder / name}"
        if (found := (folder / name).stat().st_size) != size:
            return f"{folder / name} has {found} bytes and not {size}"
    return None


def read_split(request: Request) -> Split:
    """Read the manifest of a split.

    Raises:
        UserError: it is not there or damaged, the packing is not finished, or a shard is missing.
    """
    data_dir, split = request.data_dir, request.split
    path = manifest_path(data_dir, split)
    if not path.is_file():
        raise UserError(f"no {path}: shufflenet data prepare {data_dir} --dataset NAME --data_dir DIR writes it")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        labels = np.array(manifest["labels"], np.int32)
        shards, classes = manifest["shards"], classes_of(manifest["classes"]["names"], manifest["classes"]["indices"])
        packed = sum(shard["images"] for shard in shards)
        fault = next((fault for shard in shards if (fault := fault_of(data_dir, shard))), None)
        files = tuple(str(data_dir / shard["name"]) for shard in shards)
        checksum = hashlib.sha256("".join(shard["sha256"] for shard in shards).encode()).hexdigest()
        is_ours = manifest["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is damaged; pack the data set anew with --overwrite") from error
    if not is_ours:
        raise UserError(f"{path} is of another version of this program: pack the data set anew with --overwrite")
    if packed != manifest["images"]:
        raise UserError(
            f"{data_dir} holds {packed} of the {manifest['images']} images of {split}: the packing was stopped; give"
            " its command again to finish it"
        )
    if fault:
        raise UserError(f"{fault}, unlike what {path.name} tells; copy it there again or pack anew")
    return Split(Records(files, np.arange(len(labels)), checksum), labels, *classes)
