"""MindRecord files that ``shufflenet data prepare`` wrote: ``SPLIT-*.mindrecord`` and their manifest."""

import hashlib

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request, Split
from mindcv_shufflenet.data.manifest import FORMAT, Manifest, fault_of, manifest_path
from mindcv_shufflenet.data.sources import Records
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.storage.run_directory import classes_of


def read_split(request: Request) -> Split:
    """Read the manifest of a split.

    Raises:
        UserError: the manifest is missing or damaged, the packing is not finished, or a shard is missing.
    """
    data_dir, split = request.data_dir, request.split
    path = manifest_path(data_dir, split)
    if not path.is_file():
        raise UserError(f"no {path}: shufflenet data prepare {data_dir} --dataset NAME --data_dir DIR writes it")
    try:
        manifest = Manifest.read(path)
        labels, shards = np.array(manifest.labels, np.int32), manifest.shards
        classes = classes_of(manifest.classes["names"], manifest.classes["indices"])
        packed = sum(shard["images"] for shard in shards)
        fault = next((fault for shard in shards if (fault := fault_of(data_dir, shard))), None)
        files = tuple(str(data_dir / shard["name"]) for shard in shards)
        checksum = hashlib.sha256("".join(shard["sha256"] for shard in shards).encode()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is damaged; pack the data set anew with --overwrite") from error
    if manifest.format != FORMAT:
        raise UserError(f"{path} is of another version of this program: pack the data set anew with --overwrite")
    if packed != manifest.images:
        raise UserError(
            f"{data_dir} holds {packed} of {counted(manifest.images, 'image')} of {split}: the packing was stopped;"
            " give its command again to finish it"
        )
    if fault:
        raise UserError(f"{fault}, unlike what {path.name} tells; copy it there again or pack anew")
    return Split(Records(files, np.arange(len(labels)), checksum), labels, *classes)
