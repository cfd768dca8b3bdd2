"""Packing a split into MindRecord files: few large files in the place of many small ones.

The images of a split go into shards in the split's order. A shard is written by a process of its own in a hidden
folder, read back, compared with what was meant to be in it, moved to its place, and only then noted in the manifest. So
packing that was stopped goes on with the first shard that is not noted.
"""

import concurrent.futures
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from mindcv_shufflenet import signals
from mindcv_shufflenet.data.datasets.base import Records, Split
from mindcv_shufflenet.data.datasets.mindrecord import FORMAT, fault_of, file_prefix, files_of, manifest_path
from mindcv_shufflenet.data.decoding import decodable, explain, opened
from mindcv_shufflenet.errors import RunError, UserError, first_line
from mindcv_shufflenet.storage.files import atomic_write, publish

SCHEMA = {"image": {"type": "bytes"}, "label": {"type": "int32"}, "index": {"type": "int64"}}
# Records that are handed to the writer at a time.
_RECORDS = 256
# Bytes of an image that surely fit a page of MindSpore's writer, 32 MB, beside the record's other fields.
_LARGEST = 31 << 20


@dataclass
class Manifest:
    """What is known of the shards of a split.

    Attributes:
        source: the data set, its split and what is done to its images; packing goes on only where it is the same.
        images: of the whole split.
        labels: class index of every image.
        classes: the names of the classes, and the index of each class folder.
        shards: of each finished one its name, number of images, bytes, and the sha256 of its records.
    """

    source: dict[str, Any]
    images: int
    labels: list[int]
    classes: dict[str, Any]
    shards: list[dict[str, Any]] = field(default_factory=list)
    format: int = FORMAT


def pack(
    split: Split,
    name: str,
    folder: Path,
    source: dict[str, Any],
    *,
    images_per_shard: int,
    short_side: int | None,
    processes: int,
    on_shard: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write the shards of a split that are not there yet.

    Args:
        split: the images.
        name: of the split; the files are ``NAME-00000-of-00004.mindrecord`` ...
        folder: where they go.
        source: says what is packed, for the manifest.
        images_per_shard: images a file.
        short_side: resize larger images to this short side; None: the files' bytes as they are.
        processes: that write at once.
        on_shard: called with the number of images of each shard that is done, those of earlier packings at first.

    Raises:
        UserError: the folder holds another packing, an image cannot be read, or the disk does not take it.
        RunError: what was read back is not what was written, or a process was killed.
    """
    path = manifest_path(folder, name)
    classes = {"names": list(split.class_names), "indices": split.class_to_index}
    manifest = Manifest(source, len(split), split.labels.tolist(), classes)
    manifest.shards = _finished(path, manifest)
    on_shard(sum(shard["images"] for shard in manifest.shards))
    images = split.images
    if isinstance(images, Records):
        raise UserError("these images are packed already")
    starts = range(0, len(split), images_per_shard)
    prefix = file_prefix(name)
    names = [f"{prefix}-{number:05}-of-{len(starts):05}.mindrecord" for number in range(len(starts))]
    finished = {shard["name"] for shard in manifest.shards}
    _write_manifest(path, manifest)
    tasks = []
    for shard, start in zip(names, starts, strict=True):
        if shard not in finished:
            part = slice(start, start + images_per_shard)
            tasks.append((folder, shard, images[part], manifest.labels[part], start, short_side))

    def note(shard: dict[str, Any]) -> None:
        manifest.shards = sorted([*manifest.shards, shard], key=lambda shard: str(shard["name"]))
        _write_manifest(path, manifest)
        on_shard(shard["images"])

    _write_shards(tasks, processes, note)
    return manifest


def _write_shards(tasks: list[tuple[Any, ...]], processes: int, note: Callable[[dict[str, Any]], None]) -> None:
    """Write shards by several processes and note each when it is done.

    Ctrl-C reaches all processes: the workers finish the shards that they are at, which are noted before this ends.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, context, _begin_worker) as pool:
        with signals.held():  # or one would strike a worker that is just starting, or leave it without its task
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
    """Leave what a terminal sends to the main process, and end with it: a worker left behind would go on writing."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    threading.Thread(target=_end_with_the_main_process, daemon=True).start()


def _end_with_the_main_process() -> None:
    if main := multiprocessing.parent_process():
        main.join()
    os._exit(1)


def _finished(path: Path, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the shards that an earlier packing of the same images has finished."""
    if not path.is_file():
        return []
    try:
        before = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"cannot read {path}: it is damaged; give --overwrite to pack anew") from error
    if replace(before, shards=[]) != manifest:
        raise UserError(
            f"{path.parent} holds a packing of other images or with other options; give --overwrite, or another folder"
        )
    return [shard for shard in before.shards if fault_of(path.parent, shard) is None]


def _write_manifest(path: Path, manifest: Manifest) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(asdict(manifest)).encode())


def _write_shard(
    folder: Path, name: str, images: list[Path] | np.ndarray, labels: list[int], first: int, short_side: int | None
) -> dict[str, Any]:
    """Write one shard, whose images are the split's from number ``first`` on, and return its line of the manifest."""
    os.environ.setdefault("GLOG_v", "4")
    from mindspore.mindrecord import FileWriter

    hidden = folder / f".packing-{name}"
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        hidden.mkdir(parents=True)
        # MindSpore notes the file's name inside, so it has its final one from the beginning
        writer = FileWriter(str(hidden / name), 1)
        writer.add_schema(SCHEMA, "images")
        written = hashlib.sha256()
        for start in range(0, len(images), _RECORDS):
            rows = [
                {"image": _fitting(images[index], short_side), "label": labels[index], "index": first + index}
                for index in range(start, min(start + _RECORDS, len(images)))
            ]
            for row in rows:
                _digest(written, row)
            writer.write_raw_data(rows)
        writer.commit()
        _verify(hidden / name, len(images), written.hexdigest())
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
    return {"name": name, "images": len(images), "bytes": sizes, "sha256": written.hexdigest()}


def _fitting(image: Path | np.ndarray, short_side: int | None) -> bytes:
    """Return the bytes of an image that fit into a record.

    Raises:
        UserError: it cannot be decoded, or is too large.
    """
    content = encoded(image, short_side)
    if len(content) > _LARGEST:
        raise UserError(
            f"image {image} has {len(content) / 2**20:.1f} MB and a MindRecord file takes {_LARGEST / 2**20:.1f} MB at"
            " most: give --short_side, or store it as an upright JPEG"
        )
    return content


def encoded(image: Path | np.ndarray, short_side: int | None) -> bytes:
    """Return the bytes of an image, upright for MindSpore, and smaller if its short side is above ``short_side``.

    A file whose pixels MindSpore reads as they are to be, and that is small enough, stays as it is. A JPEG that is made
    smaller keeps its quantisation tables and its chroma subsampling, so that its quality stays; all else becomes PNG.

    Raises:
        UserError: it cannot be decoded.
    """
    if isinstance(image, np.ndarray):
        return _saved(Image.fromarray(image), "PNG")
    try:
        content = image.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the image {image}: {error.strerror}; check its permissions") from error
    try:
        upright = decodable(content)
        with opened(io.BytesIO(upright)) as picture, opened(io.BytesIO(content)) as original:
            if short_side is None or min(picture.size) <= short_side:
                return content if upright is content else _saved(picture, "PNG")
            share = short_side / min(picture.size)
            size = (max(short_side, round(picture.width * share)), max(short_side, round(picture.height * share)))
            colours = picture.convert("RGB") if picture.mode in ("P", "1") else picture
            smaller = colours.resize(size, Image.Resampling.LANCZOS)
            if not isinstance(original, JpegImagePlugin.JpegImageFile):
                return _saved(smaller, "PNG")
            sampling = max(JpegImagePlugin.get_sampling(original), 0)
            return _saved(smaller, "JPEG", qtables=original.quantization, subsampling=sampling)
    except Exception as error:
        raise UserError(
            f"image {image} cannot be packed: {explain(error)}; mend it or take it out of the data set"
        ) from error


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _verify(path: Path, images: int, expected: str) -> None:
    """Read a shard back and compare it with what was written."""
    found, count = hashlib.sha256(), 0
    for row in read_back(path):
        _digest(found, row)
        count += 1
    if (count, found.hexdigest()) != (images, expected):
        raise RunError(f"{path.name} holds {count} records that are not the {images} written: look at the disk")


def read_back(path: Path) -> Iterator[dict[str, Any]]:
    """Give the records of a shard in order."""
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
