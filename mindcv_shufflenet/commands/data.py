"""``data prepare``: pack a data set into MindRecord shards."""

import argparse
import hashlib
import json
import re
import shutil
import time
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mindcv_shufflenet.commands.setup import create_console, open_data, read_config, write_json
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.datasets.mindrecord import file_prefix, manifest_path
from mindcv_shufflenet.data.records import Manifest, pack
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.runtime.cores import count_workers
from mindcv_shufflenet.storage.files import exclusive


def run(arguments: argparse.Namespace) -> None:
    """Pack the training and the validation split and tell what lies where."""
    config = read_config(arguments.options)
    if config.dataset == "mindrecord":
        raise UserError("dataset=mindrecord is what data prepare makes; name the data set that is to be packed")
    console = create_console(arguments.json)
    folder = Path(arguments.output)
    manifests = {manifest_path(folder, name).resolve() for name in (config.train_split, config.val_split)}
    if arguments.json and Path(arguments.json).resolve() in manifests:
        raise UserError(f"--json {arguments.json} is where the shards are listed: give --json another name")
    processes, notes = count_workers(config.num_parallel_workers)
    for note in notes:
        console.print(f"note: {note}")
    splits = {name: open_data(config, name) for name in (config.train_split, config.val_split)}
    for note in dict.fromkeys(note for split in splits.values() for note in split.notes):
        console.print(f"note: {note}")
    counts: dict[str, dict[str, int]] = {}
    with exclusive(folder):
        if config.overwrite:
            _remove(folder, tuple(splits))
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        with bar:
            for name, split in splits.items():
                start = time.perf_counter()
                task = bar.add_task(name, total=len(split))
                manifest = pack(
                    split,
                    name,
                    folder,
                    _source(config, split, name, arguments),
                    images_per_shard=arguments.images_per_shard,
                    short_side=arguments.short_side,
                    processes=processes,
                    on_shard=partial(bar.advance, task),
                )
                console.print(_line(name, manifest, folder, time.perf_counter() - start))
                counts[name] = {"images": manifest.images, "shards": len(manifest.shards)}
    crop = "" if config.crops_resized else " --train_crop padded"  # what train_crop=auto means for this data set
    console.print(f"train from them with `--dataset mindrecord --data_dir {folder}{crop}`")
    write_json(arguments.json, {"folder": str(folder), "splits": counts})


def _source(config: Config, split: Split, name: str, arguments: argparse.Namespace) -> dict[str, object]:
    """Say what is packed, so that another packing is not gone on with."""
    images = split.images
    root = Path(config.data_dir)
    files = [[str(path.relative_to(root)), path.stat().st_size] for path in images] if isinstance(images, list) else []
    return {
        "dataset": config.dataset,
        "split": name,
        "files": hashlib.sha256(json.dumps(files).encode()).hexdigest(),
        "short_side": arguments.short_side,
        "images_per_shard": arguments.images_per_shard,
    }


def _line(name: str, manifest: Manifest, folder: Path, seconds: float) -> str:
    size = sum(512 * (folder / str(shard["name"])).stat().st_blocks for shard in manifest.shards)  # they have holes
    return (
        f"{name}: {manifest.images} images in {len(manifest.shards)} shard(s), {size / 2**20:.1f} MB, read back and"
        f" compared, {seconds:.1f} s"
    )


def _remove(folder: Path, splits: tuple[str, ...]) -> None:
    """Remove what an earlier packing of these splits has left."""
    for split in splits:
        manifest_path(folder, split).unlink(missing_ok=True)
        shard = re.compile(rf"(\.packing-)?{re.escape(file_prefix(split))}-\d{{5,}}-of-\d{{5,}}\.mindrecord(\.db)?")
        for path in [path for path in folder.iterdir() if shard.fullmatch(path.name)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
