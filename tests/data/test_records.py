"""Data sets packed into MindRecord files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, JpegImagePlugin

from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.data.encoding import FileOriginal
from mindcv_shufflenet.data.loader import eval_loader, train_loader
from mindcv_shufflenet.data.records import Packing, pack, read_back, record_bytes, verify_shard
from mindcv_shufflenet.data.sources import Records
from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.options.config import parse_config
from tests.data.sources import paths_of, pixels_of

ROOT = Path(__file__).parents[2]
COUNT = 11
PACKING = Packing(images_per_shard=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of JPEG files of two classes."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        path = root / "train" / "ab"[number % 2] / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(40, 60, 3), dtype=np.uint8)).save(path, quality=90)
    return root


@pytest.fixture(scope="module")
def photos(folder: Path) -> Split:
    return open_split("folder", Request(folder, "train"))


@pytest.fixture(scope="module")
def packed(photos: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of their shards, written by two processes."""
    out = tmp_path_factory.mktemp("packed")
    pack(photos, "train", out, {"dataset": "folder"}, PACKING._replace(processes=2))
    return out


@pytest.fixture
def copied(packed: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(packed, tmp_path / "copied"))


def content(folder: Path, name: str = "train") -> list[tuple[int, int, bytes]]:
    rows = [row for path in sorted(folder.glob(f"{name}-*.mindrecord")) for row in read_back(path)]
    return [(int(row["index"]), int(row["label"]), bytes(row["image"])) for row in rows]


def test_the_records_are_the_files(photos: Split, packed: Path, tmp_path: Path) -> None:
    manifest = json.loads((packed / "train.json").read_text())
    assert [shard["images"] for shard in manifest["shards"]] == [4, 4, 3]
    expected = [(i, int(photos.labels[i]), paths_of(photos)[i].read_bytes()) for i in range(COUNT)]
    assert content(packed) == expected
    smaller = pack(photos, "train", tmp_path, {"dataset": "folder"}, PACKING._replace(short_side=20))
    assert [shard["images"] for shard in smaller.shards] == [4, 4, 3]
    split = open_split("mindrecord", Request(packed, "train"))
    np.testing.assert_array_equal(split.labels, photos.labels)
    assert (split.class_names, split.class_to_index) == (photos.class_names, photos.class_to_index)
    other = open_split("mindrecord", Request(tmp_path, "train")).images
    assert isinstance(split.images, Records)
    assert isinstance(other, Records)
    assert split.images.checksum != other.checksum
    names = {path.name for path in packed.iterdir()}
    shards = {f"train-0000{number}-of-00003.mindrecord" for number in range(3)}
    assert names == {"train.json"} | shards | {f"{shard}.db" for shard in shards}


def test_training_from_records_reads_what_the_files_give(photos: Split, packed: Path) -> None:
    split = open_split("mindrecord", Request(packed, "train"))
    options = {"image_resize": 32, "batch_size": 3, "re_prob": 0.5, "drop_remainder": False}
    config = parse_config(options | {"aug_repeats": 2, "mixup": 0.2, "cutmix": 1.0, "auto_augment": "trivialaugwide"})
    for make in (train_loader, eval_loader):
        for rank in (0, 1):
            pairs = zip(
                make(config, photos, 1, rank, 2).batches(1), make(config, split, 1, rank, 2).batches(1), strict=True
            )
            for one, other in pairs:
                np.testing.assert_array_equal(one.label, other.label)
                np.testing.assert_array_equal(one.image, other.image)


def test_a_split_may_be_a_folder_in_a_folder(photos: Split, tmp_path: Path) -> None:
    pack(photos.take([0, 1]), "train/photos", tmp_path, {}, PACKING)
    assert len(open_split("mindrecord", Request(tmp_path, "train/photos"))) == 2


def test_packing_goes_on_where_it_was_stopped(photos: Split, packed: Path, tmp_path: Path) -> None:
    packing, out = Packing(images_per_shard=1), tmp_path

    class StoppedError(Exception):
        pass

    done: list[int] = []

    def stop_after_one(images: int) -> None:
        done.append(images)
        if len(done) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        pack(photos, "train", out, {}, packing._replace(on_shard=stop_after_one))
    with pytest.raises(UserError, match="images of train: the packing was stopped"):
        open_split("mindrecord", Request(out, "train"))
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.mindrecord")}
    assert 0 < len(kept) < COUNT
    counts: list[int] = []
    pack(photos, "train", out, {}, packing._replace(on_shard=counts.append))
    assert counts[0] == len(kept)
    assert sum(counts) == COUNT
    assert all((out / name).stat().st_mtime_ns == time for name, time in kept.items())
    assert content(out) == content(packed)
    with pytest.raises(UserError, match="holds a packing of other images or with other options; give --overwrite"):
        pack(photos, "train", out, {"short_side": 20}, packing)


def test_smaller_images_keep_their_quality(photos: Split, tmp_path: Path) -> None:
    path = paths_of(photos)[0]
    (tmp_path / "small.jpg").write_bytes(FileOriginal(path).encode(20))
    with Image.open(path) as large, Image.open(tmp_path / "small.jpg") as small:
        assert isinstance(small, JpegImagePlugin.JpegImageFile)
        assert isinstance(large, JpegImagePlugin.JpegImageFile)
        assert small.size == (30, 20)
        assert small.quantization == large.quantization
        assert JpegImagePlugin.get_sampling(small) == JpegImagePlugin.get_sampling(large)
    assert FileOriginal(path).encode(40) == FileOriginal(path).encode(None) == path.read_bytes()


def test_pixels_become_png(tmp_path: Path) -> None:
    digits = open_split("digits", Request(Path(), "val"))
    pack(digits.take(range(5)), "val", tmp_path, {}, PACKING)
    for index, (_, label, image) in enumerate(content(tmp_path, "val")):
        (tmp_path / "one.png").write_bytes(image)
        with Image.open(tmp_path / "one.png") as opened:
            np.testing.assert_array_equal(np.asarray(opened), pixels_of(digits)[index])
        assert label == digits.labels[index]


@pytest.mark.parametrize(
    ("mode", "suffix", "kept"),
    [
        ("P", "png", "RGB"),
        ("P", "gif", "RGB"),
        ("1", "png", "RGB"),
        ("L", "png", "L"),
        ("L", "jpg", "L"),
        ("RGBA", "png", "RGBA"),
        ("CMYK", "jpg", "CMYK"),
    ],
)
def test_images_that_are_not_rgb_are_made_smaller(tmp_path: Path, mode: str, suffix: str, kept: str) -> None:
    """A palette has no colours between its own, so it becomes RGB; everything but JPEG becomes PNG."""
    path = tmp_path / f"image.{suffix}"
    ramp = np.linspace(0, 255, 40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    Image.fromarray(ramp).convert(mode).save(path)
    with Image.open(path) as before:
        expected = np.asarray(before.convert("RGB").resize((30, 20)), np.float32)
    small = tmp_path / "small"
    small.write_bytes(FileOriginal(path).encode(20))
    with Image.open(small) as after:
        assert (after.format, after.mode, after.size) == ("JPEG" if suffix == "jpg" else "PNG", kept, (30, 20))
        assert np.abs(np.asarray(after.convert("RGB"), np.float32) - expected).mean() < 12


def test_what_is_read_back_is_compared(packed: Path) -> None:
    shard = next(packed.glob("*.mindrecord"))
    with pytest.raises(RunError, match="look at the disk"):
        verify_shard(shard, 4, "0" * 64)


def test_a_packing_that_is_not_whole_is_told(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="shufflenet data prepare"):
        open_split("mindrecord", Request(tmp_path, "train"))
    shard = next(copied.glob("*.mindrecord"))
    shard.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"no {shard}, unlike what train.json tells"):
        open_split("mindrecord", Request(copied, "train"))
    (tmp_path / "elsewhere").rename(shard)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(
        UserError, match=f"{shard} has {len(whole) - 1} bytes and not {len(whole)}, unlike what train.json"
    ):
        open_split("mindrecord", Request(copied, "train"))
    shard.write_bytes(whole)
    manifest = copied / "train.json"
    text = manifest.read_text()
    manifest.write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match=f"cannot read {manifest}"):
        open_split("mindrecord", Request(copied, "train"))
    manifest.write_text(json.dumps({"labels": []}))
    with pytest.raises(UserError, match=f"cannot read {manifest}"):
        open_split("mindrecord", Request(copied, "train"))


def test_an_image_that_cannot_be_resized_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"bad\.jpg cannot be packed"):
        FileOriginal(tmp_path / "bad.jpg").encode(20)


def test_a_shard_with_other_content_is_told(copied: Path) -> None:
    for shard in copied.glob("*.mindrecord*"):
        shard.write_bytes(bytes(shard.stat().st_size))
    loader = train_loader(parse_config({"batch_size": 2}), open_split("mindrecord", Request(copied, "train")), 1)
    with pytest.raises(UserError, match=f"cannot read the MindRecord files in {copied}"):
        list(loader.batches(0))


def test_an_image_that_fits_no_record_is_named(photos: Split) -> None:
    original = photos.images.originals()[0]
    with pytest.raises(UserError, match=f"image {original.name} has 0.0 MB and a MindRecord file takes 0.0 MB at most"):
        record_bytes(original, None, limit=1000)
    assert original.name == str(paths_of(photos)[0])
    assert record_bytes(original, None) == paths_of(photos)[0].read_bytes()


def test_what_is_packed_is_not_packed_again(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="packed already"):
        pack(open_split("mindrecord", Request(packed, "train")), "train", tmp_path, {}, PACKING)
    assert list(tmp_path.iterdir()) == []


# Packs the photos of a folder, one a shard, and tells of each.
PACK = """
import sys
from dataclasses import replace
from pathlib import Path
from mindcv_shufflenet.data.datasets import Request, open_split
from mindcv_shufflenet.data.records import Packing, pack

def note(images):
    print("packed", images, flush=True)

if __name__ == "__main__":
    split = open_split("folder", Request(Path(sys.argv[1]), "train"))
    pack(split, "train", Path(sys.argv[2]), {}, Packing(images_per_shard=1, on_shard=note))
"""


@pytest.mark.parametrize("victim", ["main", "worker"])
def test_a_packing_that_is_killed_leaves_no_process_and_goes_on(folder: Path, tmp_path: Path, victim: str) -> None:
    script = tmp_path / "pack.py"
    script.write_text(PACK)
    words = [sys.executable, str(script), str(folder), str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    while process.stdout.readline() != "packed 1\n":
        assert process.poll() is None
    workers = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 1
    (process if victim == "main" else workers[0]).kill()
    _, error = process.communicate()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    if victim == "worker":
        assert "RunError: a process that packs was killed, or is out of memory" in error
    done = subprocess.run(words, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 0
    assert len(content(tmp_path / "out")) == COUNT
