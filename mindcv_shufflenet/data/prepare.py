"""``data prepare``: pack the training and the validation split of a data set into MindRecord shards."""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.manifest import file_prefix, manifest_path
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.data.records import Packing, pack
from mindcv_shufflenet.errors import UserError, check_counts
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.names import traits_of
from mindcv_shufflenet.options.tables import notes_on_options
from mindcv_shufflenet.runtime.cores import count_workers
from mindcv_shufflenet.storage.files import exclusive

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PackedSplit:
    """A split in MindRecord shards.

    Attributes:
        name: of the split.
        images: how many it has.
        shards: how many files hold them.
        bytes: that the files take on the disk.
        seconds: that packing took.
    """

    name: str
    images: int
    shards: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {counted(self.images, 'image')} in {counted(self.shards, 'shard')}, {self.bytes / 2**20:.1f}"
            f" MB, read back and compared, {self.seconds:.1f} s"
        )


def prepare_data(
    options: Mapping[str, Any],
    folder: str | os.PathLike[str],
    *,
    images_per_shard: int = 10_000,
    short_side: int | None = None,
    console: Console | None = None,
) -> list[PackedSplit]:
    """Pack the training and the validation split of a data set. Packing that was stopped continues.

    Args:
        options: by name, as a recipe has them (docs/options.md); ``overwrite`` removes an earlier packing.
        folder: for the shards. No other process packs into it at the same time.
        images_per_shard: images a file.
        short_side: resize larger images to this short side; None: keep the files' bytes as they are.
        console: shows a progress bar, and a line for each split; None: nothing is shown.

    Raises:
        UserError: an option is wrong, the data set is packed already, is missing or damaged, the folder is in use or
            holds another packing, an image cannot be read, or the disk is full.
        RunError: what was read back is not what was written, or a process was killed.
    """
    config = parse_config(options)
    check_counts(images_per_shard=images_per_shard, short_side=1 if short_side is None else short_side)
    if traits_of(config.dataset).is_packed:
        raise UserError(f"dataset={config.dataset} is what data prepare makes; name the data set that is to be packed")
    console, folder = console or Console(quiet=True), Path(folder)
    processes, adapted = count_workers(config.num_parallel_workers)
    splits = {name: open_data(config, name) for name in (config.train_split, config.val_split)}
    notes = [note for split in splits.values() for note in split.notes]
    for note in dict.fromkeys((*notes_on_options("data_prepare", config, options), *adapted, *notes)):
        _logger.info(note)
    packed = []
    with exclusive(folder):
        if config.overwrite:
            _remove(folder, splits)
        for name, split in splits.items():
            with progress(name, len(split), console=console) as advance:
                packing = Packing(images_per_shard, short_side, processes, advance)
                packed.append(_pack(config, split, name, folder, packing))
            console.print(str(packed[-1]))
    return packed


def _pack(config: Config, split: Split, name: str, folder: Path, packing: Packing) -> PackedSplit:
    """Pack one split."""
    start = time.perf_counter()
    source: dict[str, object] = {
        "dataset": config.dataset,
        "split": name,
        # pixels in memory have no files
        "files": _sha256(split.images.fingerprint(Path(config.data_dir)) if split.images.encoded else []),
        "short_side": packing.short_side,
        "images_per_shard": packing.images_per_shard,
    }
    manifest = pack(split, name, folder, source, packing)
    # Shards have holes, so their sizes are not what they take.
    taken = sum(512 * (folder / shard["name"]).stat().st_blocks for shard in manifest.shards)
    return PackedSplit(name, manifest.images, len(manifest.shards), taken, time.perf_counter() - start)


def _sha256(value: list[object]) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _remove(folder: Path, splits: dict[str, Split]) -> None:
    """Remove what an earlier packing of these splits has left."""
    for name in splits:
        manifest_path(folder, name).unlink(missing_ok=True)
        shard = re.compile(rf"(\.packing-)?{re.escape(file_prefix(name))}-\d{{5,}}-of-\d{{5,}}\.mindrecord(\.db)?")
        for path in [path for path in folder.iterdir() if shard.fullmatch(path.name)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
