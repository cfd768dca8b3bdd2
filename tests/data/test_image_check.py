"""Damaged and odd image files: what is refused, and what MindSpore survives."""

import io
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.image_check import check_images, find_undecodable
from mindcv_shufflenet.data.images import open_image
from mindcv_shufflenet.errors import UserError
from tests.data.pictures import encode, picture

pytestmark = pytest.mark.usefixtures("home")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def rgb16_png() -> bytes:
    """A 16-bit RGB PNG, which Pillow cannot write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = np.asarray(picture(size=(16, 16)), np.uint16) * 257
    data = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def grey16() -> Image.Image:
    return Image.fromarray(np.asarray(picture("L")).astype(np.uint16) * 257)


def grey16_png() -> bytes:
    buffer = io.BytesIO()
    grey16().save(buffer, "PNG")
    return buffer.getvalue()


JPEG = encode("RGB", "JPEG")
PROGRESSIVE = encode("RGB", "JPEG", progressive=True)
PNG = encode("RGB", "PNG")
FRAME = JPEG.index(b"\xff\xc0")
SCAN = JPEG.index(b"\xff\xda")

GOOD = {
    "rgb.jpg": JPEG,
    "progressive.jpg": PROGRESSIVE,
    "grey.jpg": encode("L", "JPEG"),
    "cmyk.jpg": encode("CMYK", "JPEG"),
    "two_pictures.jpg": encode("RGB", "MPO", save_all=True, append_images=[picture()]),
    "padded.jpg": JPEG + bytes(5000),
    "junk_behind.jpg": JPEG + b"junk" * 500,
    "rgb.png": PNG,
    "alpha.png": encode("RGBA", "PNG"),
    "palette.png": encode("P", "PNG"),
    "grey_alpha.png": encode("LA", "PNG"),
    "one_bit.png": encode("1", "PNG"),
    "rgb16.png": rgb16_png(),
    "rgb.bmp": encode("RGB", "BMP"),
    "palette.bmp": encode("P", "BMP"),
    "rgb.ppm": encode("RGB", "PPM"),
    "rgb.tif": encode("RGB", "TIFF"),
    "lzw.tif": encode("RGB", "TIFF", compression="tiff_lzw"),
    "png_inside.jpg": PNG,
    "alpha.tif": encode("RGBA", "TIFF"),
    "lzma.tif": encode("RGB", "TIFF", compression="lzma"),
    "grey16.png": grey16_png(),
    "rgb.webp": encode("RGB", "WEBP"),
    "gif_inside.jpg": encode("P", "GIF"),
    "turned.jpg": encode("RGB", "JPEG", exif=turned(6)),
    "turned.png": encode("RGB", "PNG", exif=turned(3)),
}

BAD = {
    "empty.jpg": (b"", "it is empty"),
    "text.jpg": (b"<html>404 Not Found</html>", "its header is not that of an image"),
    "cut_before_scan.jpg": (JPEG[: SCAN - 20], "a JPEG that ends before its picture begins"),
    "cut_in_frame.jpg": (JPEG[: FRAME + 12], "a JPEG that ends before its picture begins"),
    "cut_at_start.jpg": (JPEG[:20], "a JPEG that ends before its picture begins"),
    "no_scan.jpg": (JPEG[:SCAN] + b"\xff\xd9", "a JPEG that ends before its picture begins"),
    "lossless.jpg": (JPEG.replace(b"\xff\xc0", b"\xff\xc3"), "of a kind that is not decoded"),
    "half.jpg": (JPEG[: len(JPEG) // 2], "a JPEG that is cut short"),
    "half_progressive.jpg": (PROGRESSIVE[: len(PROGRESSIVE) // 2], "a JPEG that is cut short"),
    "no_end.jpg": (JPEG[:-2], "a JPEG that is cut short"),
    "no_tables.jpg": (JPEG[:FRAME].replace(b"\xff\xdb", b"\xff\xe5") + JPEG[FRAME:], "cut short or damaged"),
    "no_size.jpg": (JPEG[: FRAME + 5] + bytes(4) + JPEG[FRAME + 9 :], "header is not that of an image"),
    "bomb.jpg": (JPEG[: FRAME + 5] + b"\xff\xf0\xff\xf0" + JPEG[FRAME + 9 :], "decompression bomb"),
    "warned_bomb.jpg": (JPEG[: FRAME + 5] + b"\x40\x00\x40\x00" + JPEG[FRAME + 9 :], "decompression bomb"),
    "half.png": (PNG[: len(PNG) // 2], "it is cut short or damaged"),
    "flipped.png": (PNG[:600] + bytes([PNG[600] ^ 1]) + PNG[601:], "it is damaged"),
    "half.bmp": (GOOD["rgb.bmp"][:3000], "it is cut short or damaged"),
    "half.ppm": (GOOD["rgb.ppm"][:3000], "it is cut short or damaged"),
    "half.tif": (GOOD["rgb.tif"][:3000], "it is cut short or damaged|its header is not that of an image"),
    "half.webp": (GOOD["rgb.webp"][:500], "it is cut short or damaged|its header is not that of an image"),
    "float.tif": (encode("F", "TIFF"), "pixels of 32 bits"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_pass(tmp_path, name):
    (tmp_path / name).write_bytes(GOOD[name])
    check_images([tmp_path / name], tmp_path)
    assert find_undecodable([tmp_path / name]) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named(tmp_path, name):
    content, reason = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"image .*{name} cannot be used: .*({reason})") as caught:
        check_images([tmp_path / name], tmp_path)
    assert "\n" not in str(caught.value)
    assert find_undecodable([tmp_path / name]) == [tmp_path / name]


DECODE_ALL = """
import os, sys
import numpy as np
from mindspore.dataset import vision
from mindcv_shufflenet.data.decoding import decodable, opened, upright

for name in sorted(os.listdir()):
    try:
        data = np.frombuffer(decodable(open(name, "rb").read()), np.uint8)
    except Exception:
        assert name.startswith("damaged"), name
        continue
    for operation in (vision.Decode(), vision.RandomCropDecodeResize(32)):
        try:
            pixels = operation(data)
        except RuntimeError:
            assert name.startswith("damaged"), name
            continue
        if pixels.shape[:2] != (32, 32) and not name.startswith("damaged"):
            with opened(name) as image:
                expected = np.asarray(upright(image), int)
            assert np.abs(pixels - expected).mean() < 2, name
"""


def test_mindspore_survives_whatever_is_accepted(tmp_path):
    """Good files come out as Pillow reads them; damaged ones that are accepted may fail, but not end the process."""
    for name, content in GOOD.items():
        (tmp_path / name).write_bytes(content)
    draw = random.Random(0)
    accepted = 0
    for number in range(300):
        path = tmp_path / f"damaged{number}.jpg"
        path.write_bytes(damage(draw.choice([JPEG, PROGRESSIVE, GOOD["cmyk.jpg"], GOOD["lzw.tif"], PNG]), draw))
        try:
            check_images([path], tmp_path)
            accepted += 1
        except UserError:
            path.unlink()
    assert 50 < accepted < 250
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", DECODE_ALL]
    result = subprocess.run(command, cwd=tmp_path, env=os.environ | path, timeout=60, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "TIFF" not in result.stderr


def damage(content: bytes, draw: random.Random) -> bytes:
    """Overwrite, cut out or put in a few bytes, mostly in the header, or cut the file and give it an end again."""
    data = bytearray(content)
    kind = draw.randrange(4)
    place = draw.randrange(min(len(data), 700))
    if kind == 0:
        data[place] = draw.randrange(256)
    elif kind == 1:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == 2:
        del data[place : place + draw.randrange(1, 200)]
    else:
        del data[draw.randrange(len(data)) :]
        data += b"\xff\xd9"
    return bytes(data)


def test_all_are_looked_at_and_the_first_is_named(tmp_path):
    paths = []
    for name in ("d.jpg", "c.jpg", "b.jpg", "a.jpg"):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(JPEG if name in ("a.jpg", "c.jpg") else JPEG[:300])
    with pytest.raises(UserError, match=r"image .*/b.jpg cannot be used: .*, and 1 more of the 4 images:"):
        check_images(paths, tmp_path)
    assert find_undecodable(paths) == [tmp_path / "d.jpg", tmp_path / "b.jpg"]


def test_ten_bad_images_are_listed(tmp_path):
    paths = [tmp_path / f"{number:02}.jpg" for number in range(13)]
    for path in paths:
        path.write_bytes(b"text" if path.stem == "03" else b"")
    with pytest.raises(UserError, match="00.jpg cannot be used: it is empty, and 12 more of the 13 images") as caught:
        check_images(paths, tmp_path)
    assert "03.jpg (its header is not that of an image)" in str(caught.value)
    assert [path.name in str(caught.value) for path in paths] == [True] * 10 + [False] * 3


def test_what_is_no_file_is_not_opened(tmp_path):
    """A pipe would be waited for without end."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.jpg").symlink_to(tmp_path / "folder")
    for name in ("pipe.jpg", "socket.jpg", "device.jpg", "folder.jpg"):
        with pytest.raises(UserError, match=f"{name} cannot be used: it is not a file, but a pipe, a socket, a device"):
            check_images([tmp_path / name], tmp_path)
        with pytest.raises(UserError, match=f"{name}: it is not a file"):
            open_image(tmp_path / name)


def test_libtiff_is_silent(tmp_path, capfd):
    (tmp_path / "cut.tif").write_bytes(GOOD["lzw.tif"].replace(GOOD["lzw.tif"][200:900], bytes(700)))
    with pytest.raises(UserError, match=r"cut.tif cannot be used"):
        check_images([tmp_path / "cut.tif"], tmp_path)
    assert capfd.readouterr().err == ""


def test_missing_file_and_odd_names(tmp_path):
    names = ["line\nbreak.jpg", "ümlaut.jpg", os.fsdecode(b"latin\xfc.jpg"), "two  spaces.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(JPEG)
    check_images([tmp_path / name for name in names], tmp_path)
    check_images([tmp_path / name for name in names], tmp_path)
    with pytest.raises(UserError, match=r"gone.jpg cannot be used: No such file or directory"):
        check_images([tmp_path / "gone.jpg"], tmp_path)


def test_file_that_was_damaged_after_the_look_is_found_by_decoding(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "b.bmp", tmp_path / "c.jpg"]
    for path in paths:
        path.write_bytes(GOOD["rgb.bmp"] if path.suffix == ".bmp" else JPEG)
    check_images(paths, tmp_path)
    assert find_undecodable(paths) == []
    paths[1].write_bytes(GOOD["rgb.bmp"][:4000])
    paths[2].unlink()
    assert find_undecodable(paths) == paths[1:]


def test_real_images(imagenet_sample, tmp_path):
    shutil.copytree(imagenet_sample, tmp_path, dirs_exist_ok=True)
    paths = sorted(tmp_path.rglob("*.JPEG"))
    check_images(paths, tmp_path)
    # Cut at any length, each of them is found out.
    draw = random.Random(0)
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[: draw.randrange(len(content) - 1)])
    with pytest.raises(UserError, match=r"and 99 more of the 100 images:"):
        check_images(paths, tmp_path)
