"""The rule from files to pixels: the same with Pillow and with MindSpore, in training, validation and packing."""

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore.dataset import vision
from PIL import Image

from mindcv_shufflenet.data.datasets.base import Split
from mindcv_shufflenet.data.decoding import MAX_PIXELS, decodable
from mindcv_shufflenet.data.encoding import FileOriginal
from mindcv_shufflenet.data.image_check import check_images
from mindcv_shufflenet.data.images import open_image
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.data.sources import Files
from mindcv_shufflenet.options.config import parse_config

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def picture(width: int = 60, height: int = 40) -> Image.Image:
    """Colours that are others in each corner."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 4, y * 6, 255 - x - y], axis=-1).astype(np.uint8))


def save(path: Path, image: Image.Image, orientation: int | None = None, **options: Any) -> Path:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        options["exif"] = exif
    image.save(path, **options)
    return path


def by_mindspore(path: Path) -> np.ndarray:
    return vision.Decode()(np.frombuffer(decodable(path.read_bytes()), np.uint8))


# What shows the picture upright, of one that was stored by numpy's inverse.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned_on_all_roads(tmp_path: Path, orientation: int) -> None:
    expected = np.asarray(picture())
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](expected)))
    paths = [
        save(tmp_path / "exif.png", stored, orientation),
        save(tmp_path / "exif.tif", stored, orientation),
        save(tmp_path / "exif.webp", stored, orientation, lossless=True),
    ]
    for path in paths:
        np.testing.assert_array_equal(open_image(path), expected, err_msg=path.name)
        np.testing.assert_array_equal(by_mindspore(path), expected, err_msg=path.name)
        packed = np.frombuffer(FileOriginal(path).encode(None), np.uint8)
        np.testing.assert_array_equal(vision.Decode()(packed), expected, err_msg=path.name)
    photos = [
        save(tmp_path / "exif.jpg", stored, orientation, quality=95),
        save(tmp_path / "xmp.jpg", stored, quality=95, xmp=XMP % orientation),
    ]
    for path in photos:
        np.testing.assert_array_equal(by_mindspore(path), open_image(path), err_msg=path.name)
        assert np.abs(open_image(path).astype(int) - expected).mean() < 4, path.name
        with Image.open(io.BytesIO(FileOriginal(path).encode(20))) as small:
            assert (small.format, small.size, small.getexif()) == ("JPEG", (30, 20), {})
        assert (decodable(path.read_bytes()) == path.read_bytes()) == (orientation == 1)


def test_kinds_that_mindspore_reads_otherwise_are_read_by_pillow(tmp_path: Path) -> None:
    grey = np.asarray(picture().convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    paths = [
        save(tmp_path / "deep.png", deep),
        save(tmp_path / "deep.tif", deep),
        save(tmp_path / "alpha.tif", picture().convert("RGBA")),
        save(tmp_path / "moving.webp", picture(), save_all=True, append_images=[picture()], lossless=True),
    ]
    for path in paths:
        np.testing.assert_array_equal(by_mindspore(path), open_image(path), err_msg=path.name)
    np.testing.assert_array_equal(open_image(paths[0])[..., 0], grey)
    split = Split(Files(paths), np.arange(4, dtype=np.int32), tuple("abcd"), {name: i for i, name in enumerate("abcd")})
    config = parse_config({"image_resize": 32, "batch_size": 4, "mean": [0.0] * 3, "std": [1.0] * 3})
    (opencv,) = eval_loader(config, split, 1).batches()
    (pillow,) = eval_loader(config.replace(resize_backend="pillow"), split, 1).batches()
    assert np.abs(opencv.image - pillow.image).mean() < 3


def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    good = save(tmp_path / "a.jpg", picture(), 6).read_bytes()
    start = good.index(b"Exif\0\0") + 6
    for name, damage in (("none", b"XX*\0"), ("far", b"MM\0*\xff\xff\xff\xff")):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(good[:start] + damage + good[start + len(damage) :])
        assert open_image(path).shape == (40, 60, 3)
        assert decodable(path.read_bytes()) == path.read_bytes()


def test_a_photo_of_108_megapixels(tmp_path: Path) -> None:
    path = save(tmp_path / "large.jpg", Image.new("L", (12_000, 9_000), 100))
    check_images([path], tmp_path)
    assert open_image(path).shape == (9_000, 12_000, 3)
    assert decodable(path.read_bytes()) == path.read_bytes()
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS // 2


@pytest.mark.parametrize("shortage", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_too_little_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortage: Exception) -> None:
    def fail(*_: object) -> None:
        raise shortage

    path = save(tmp_path / "1.tif", picture(), 6)
    monkeypatch.setattr(Image, "open", fail)
    for read in (open_image, lambda path: check_images([path], tmp_path), lambda path: FileOriginal(path).encode(None)):
        with pytest.raises(MemoryError):
            read(path)


def test_an_image_is_not_left_unturned_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "getexif", fail)
    with pytest.raises(MemoryError):
        open_image(picture())
