"""Which image files are known to be good, and when that is forgotten."""

import os
from pathlib import Path

import pytest

from mindcv_shufflenet.data.image_check import check_images
from mindcv_shufflenet.errors import UserError
from tests.data.pictures import encode

pytestmark = pytest.mark.usefixtures("home")

JPEG = encode("RGB", "JPEG")


def damage_unseen(path: Path) -> None:
    """Damage a file so that only who opens it can tell: its size and its time of change stay."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def is_refused(paths: list[Path], root: Path) -> bool:
    try:
        check_images(paths, root)
    except UserError:
        return True
    return False


def test_good_files_are_remembered_until_they_change(tmp_path, home):
    paths = [tmp_path / "train" / "a.jpg", tmp_path / "train" / "b.jpg", tmp_path / "val" / "c.jpg"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(JPEG)
    check_images(paths[:2], tmp_path)
    check_images(paths[2:], tmp_path)
    for path in paths:
        damage_unseen(path)
    check_images(paths, tmp_path)
    os.utime(paths[0], ns=(1, 1))
    assert is_refused(paths[:1], tmp_path)
    paths[1].write_bytes(bytes(len(JPEG) + 1))
    assert is_refused(paths[1:], tmp_path)
    # A bad file is never remembered as good, and the memory has one line for each file.
    assert is_refused(paths[1:], tmp_path)
    paths[0].write_bytes(JPEG + bytes(1))
    check_images([paths[0], paths[2]], tmp_path)
    (memory,) = (home / "checked").iterdir()
    assert len(memory.read_text().splitlines()) == 1 + 3


def test_another_root_has_another_memory(tmp_path, home):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(JPEG)
    check_images([photos / "a.jpg"], photos)
    damage_unseen(photos / "a.jpg")
    check_images([photos / "a.jpg"], photos)
    assert is_refused([photos / "a.jpg"], tmp_path)
    (photos / "a.jpg").write_bytes(JPEG)
    check_images([photos / "a.jpg"], tmp_path)
    assert len(list((home / "checked").iterdir())) == 2


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:-3], lambda text: text.replace(b" 2 ", b" 1 ", 1), lambda text: b""]
)
def test_spoilt_memory_is_not_believed(tmp_path, home, spoil):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    check_images([tmp_path / "a.jpg"], tmp_path)
    (memory,) = (home / "checked").iterdir()
    whole = memory.read_bytes()
    damage_unseen(tmp_path / "a.jpg")
    memory.write_bytes(spoil(whole))
    assert is_refused([tmp_path / "a.jpg"], tmp_path)
    memory.write_bytes(whole)
    check_images([tmp_path / "a.jpg"], tmp_path)


def test_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path / "file"))
    (tmp_path / "a.jpg").write_bytes(JPEG)
    check_images([tmp_path / "a.jpg"], tmp_path)
