"""The manifest of a packed split: ``SPLIT.json``, which lists the MindRecord shards and the labels."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mindcv_shufflenet.storage.files import atomic_write

FORMAT = 1


@dataclass
class Manifest:
    """The content of a manifest.

    Attributes:
        source: identifies the packed images and the options. Packing continues only if it is the same.
        images: number of images of the whole split.
        labels: class index of every image.
        classes: ``names`` of the classes, and ``indices``: the index of each class folder.
        shards: the finished ones: name, number of images, bytes of each file, sha256 of the records.
        format: version of the manifest.
    """

    source: dict[str, Any]
    images: int
    labels: list[int]
    classes: dict[str, Any]
    shards: list[dict[str, Any]] = field(default_factory=list)
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a manifest.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not JSON.
            TypeError: it has other entries.
        """
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write the manifest; the file is never seen half written."""
        with atomic_write(path) as file:
            file.write(json.dumps(asdict(self)).encode())


def manifest_path(folder: Path, split: str) -> Path:
    """Return the path of the manifest, which lists the shards of a split."""
    return folder / f"{file_prefix(split)}.json"


def file_prefix(split: str) -> str:
    """Return the prefix of a split's file names; a split may be a folder in a folder (``train/dataset``)."""
    return split.replace("/", "-")


def files_of(shard: str) -> tuple[str, str]:
    """Return the files of a shard: the records, and MindSpore's index of them."""
    return shard, f"{shard}.db"


def fault_of(folder: Path, shard: dict[str, Any]) -> str | None:
    """Describe a missing or wrong-sized file of a shard in a manifest; None if there is none."""
    for name, size in zip(files_of(shard["name"]), shard["bytes"], strict=True):
        if not (folder / name).is_file():
            return f"no {folder / name}"
        if (found := (folder / name).stat().st_size) != size:
            return f"{folder / name} has {found} bytes and not {size}"
    return None
