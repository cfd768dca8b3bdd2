"""Pack a split into MindRecord files: a few large files instead of many small ones.

Shards hold the images in the split's order. A worker process writes a shard in a hidden folder, reads it back, compares
it with what was written, and moves it to its place. Then the main process adds it to the manifest. So packing that was
stopped continues with the shards that are not in the manifest.
"""

import concurrent.futures
import hashlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet import signals
from mindcv_shufflenet.data.datasets.base import Split
from mindcv_shufflenet.data.encoding import Original
from mindcv_shufflenet.data.manifest import Manifest, fault_of, file_prefix, files_of, manifest_path
from mindcv_shufflenet.errors import RunError, UserError, first_line
from mindcv_shufflenet.storage.files import publish

SCHEMA = {"image": {"type": "bytes"}, "label": {"type": "int32"}, "index": {"type": "int64"}}
# Records in one call of the writer.
_RECORDS = 256
# Largest image in bytes: with the record's other fields it fits a page of MindSpore's writer, 32 MB.
LARGEST = 31 << 20


class Packing(NamedTuple):
    """How a split is packed.

    Attributes:
        images_per_shard: images a file.
        short_side: larger images are resized to this short side; None: the files' bytes are kept.
        processes: number of processes that write at the same time.
        on_shard: called with the number of images of each finished shard, first with those of earlier packings.
    """

    images_per_shard: int
    short_side: int | None = None
    processes: int = 1
    on_shard: Callable[[int], object] = lambda _: None


def pack(split: Split, name: str, folder: Path, source: dict[str, Any], packing: Packing) -> Manifest:
    """Write the missing shards of a split.

    Args:
        split: the images.
        name: of the split; the files are ``NAME-00000-of-00004.mindrecord`` ...
        folder: for the files.
        source: identifies the images and the options, for the manifest.
        packing: how they are packed.

    Returns:
        The manifest, which is also in the folder.

    Raises:
        UserError: the folder holds another packing, the images are packed already, an image cannot be read, or the disk
            is full.
        RunError: a shard was read back with other content than was written, or a process was killed.
    """
    path = manifest_path(folder, name)
    classes = {"names": list(split.class_names), "indices": split.class_to_index}
    manifest = Manifest(source, len(split), split.labels.tolist(), classes)
    manifest.shards = _finished(path, manifest)
    packing.on_shard(sum(shard["images"] for shard in manifest.shards))
    originals = split.images.originals()
    starts = range(0, len(split), packing.images_per_shard)
    prefix = file_prefix(name)
    names = [f"{prefix}-{number:05}-of-{len(starts):05}.mindrecord" for number in range(len(starts))]
    finished = {shard["name"] for shard in manifest.shards}
    manifest.write(path)
    tasks = []
    for shard, start in zip(names, starts, strict=True):
        if shard not in finished:
            part = slice(start, start + packing.images_per_shard)
            tasks.append((folder, shard, originals[part], manifest.labels[part], start, packing.short_side))

    def note(shard: dict[str, Any]) -> None:
        manifest.shards = sorted([*manifest.shards, shard], key=lambda shard: str(shard["name"]))
        manifest.write(path)
        packing.on_shard(shard["images"])

    _write_shards(tasks, packing.processes, note)
    return manifest


def _write_shards(tasks: list[tuple[Any, ...]], processes: int, note: Callable[[dict[str, Any]], None]) -> None:
    """Write shards in several processes, and call ``note`` for each when it is finished.

    On Ctrl-C the workers finish their current shards, which are noted before this ends.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, context, _begin_worker) as pool:
        with signals.held():  # a signal now could end a worker that is starting, or lose its task
            waiting = {pool.submit(_write_shard, *task) for task in tasks}
        try:
            while waiting:
                done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    note(future.result())
        except BrokenProcessPool as error:
            raise RunError(
                "a process that packs was killed, or is out of memory: give the command again with fewer"
                " --num_parallel_workers; what is packed stays"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            for future in waiting:
                if not future.cancelled() and future.exception() is None:
                    note(future.result())
            raise


def _begin_worker() -> None:
    """Ignore a terminal's signals, which the main process handles, and end when the main process ends."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    threading.Thread(target=_end_with_the_main_process, daemon=True).start()


def _end_with_the_main_process() -> None:
    if main := multiprocessing.parent_process():
        main.join()
    os._exit(1)


def _finished(path: Path, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the finished shards of an earlier packing of the same images."""
    if not path.is_file():
        return []
    try:
        before = Manifest.read(path)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is damaged; give --overwrite to pack anew") from error
    if replace(before, shards=[]) != manifest:
        raise UserError(
            f"{path.parent} holds a packing of other images or with other options; give --overwrite, or another folder"
        )
    return [shard for shard in before.shards if fault_of(path.parent, shard) is None]


def _write_shard(
    folder: Path, name: str, originals: Sequence[Original], labels: list[int], first: int, short_side: int | None
) -> dict[str, Any]:
    """Write one shard, whose first image has the index ``first`` in the split, and return its entry of the manifest."""
    os.environ.setdefault("GLOG_v", "4")
    from mindspore.mindrecord import FileWriter

    hidden = folder / f".packing-{name}"
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        hidden.mkdir(parents=True)
        # MindSpore writes the file's name into it, so the name is the final one
        writer = FileWriter(str(hidden / name), 1)
        writer.add_schema(SCHEMA, "images")
        written = hashlib.sha256()
        for start in range(0, len(originals), _RECORDS):
            rows = [
                {"image": record_bytes(originals[index], short_side), "label": labels[index], "index": first + index}
                for index in range(start, min(start + _RECORDS, len(originals)))
            ]
            for row in rows:
                _digest(written, row)
            writer.write_raw_data(rows)
        writer.commit()
        verify_shard(hidden / name, len(originals), written.hexdigest())
        sizes = [(hidden / file).stat().st_size for file in files_of(name)]
        for file in reversed(files_of(name)):  # the records last: a shard is there when they are
            os.chmod(hidden / file, 0o644)
            publish(hidden / file, folder / file)
    except OSError as error:
        raise UserError(f"cannot write {folder / name}: {error.strerror or error}; make room") from error
    except RuntimeError as error:
        free = shutil.disk_usage(folder).free
        raise UserError(
            f"MindSpore cannot write {folder / name} ({free >> 20} MB are free): {first_line(error)}"
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return {"name": name, "images": len(originals), "bytes": sizes, "sha256": written.hexdigest()}


def record_bytes(original: Original, short_side: int | None, limit: int = LARGEST) -> bytes:
    """Return the bytes of an image that fit into a record.

    Args:
        original: the image.
        short_side: resize a larger image to this short side; None: keep its size.
        limit: on the number of bytes.

    Raises:
        UserError: it cannot be decoded, or is too large.
    """
    content = original.encode(short_side)
    if len(content) > limit:
        raise UserError(
            f"image {original.name} has {len(content) / 2**20:.1f} MB and a MindRecord file takes"
            f" {limit / 2**20:.1f} MB at most: give --short_side, or store it as an upright JPEG"
        )
    return content


def verify_shard(path: Path, images: int, expected: str) -> None:
    """Read a shard back and compare it with what was written.

    Args:
        path: the shard.
        images: how many were written.
        expected: sha256 of the records that were written.

    Raises:
        RunError: they differ.
    """
    found, count = hashlib.sha256(), 0
    for row in read_back(path):
        _digest(found, row)
        count += 1
    if (count, found.hexdigest()) != (images, expected):
        raise RunError(f"{path.name} holds {count} records that are not the {images} written: look at the disk")


def read_back(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a shard in order: ``image`` bytes, ``label``, ``index``."""
    from mindspore.mindrecord import FileReader

    reader = FileReader(str(path), num_consumer=1, columns=list(SCHEMA))
    try:
        yield from reader.get_next()
    finally:
        reader.close()


def _digest(digest: Any, row: dict[str, Any]) -> None:
    """Add a record to a checksum: image, label and index, each with its length."""
    content = bytes(row["image"])
    digest.update(f"{int(row['index'])} {int(row['label'])} {len(content)} ".encode() + content)
