"""Archives that try to get out of their folder."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.archive import unpack_tar, unpack_zip

BODY = bytes(range(256)) * 3000


def tar_of(path: Path, *members: tuple[str, bytes | str]) -> Path:
    """A tar file of files (bytes) and symbolic links (text)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_unpack(tmp_path):
    archive = tar_of(tmp_path / "a.tgz", ("top/in/file", b"1"), ("top/link", "in/file"), ("alone", b"2"))
    unpack_tar(archive, tmp_path / "to" / "here")
    here = tmp_path / "to" / "here"
    assert (here / "top/in/file").read_bytes() == (here / "top/link").read_bytes() == b"1"
    assert sorted(path.name for path in here.iterdir()) == ["alone", "top"]


@pytest.mark.parametrize(
    "members",
    [
        [("top/file", b"1"), ("../outside", b"2")],
        [("top/file", b"1"), ("top/../../outside", b"2")],
        [("top/link", "../../../outside"), ("top/link/file", b"2")],
        [("top/link", "/etc"), ("top/file", b"1")],
    ],
)
def test_members_that_lead_outside(tmp_path, members):
    archive = tar_of(tmp_path / "a.tgz", *members)
    with pytest.raises(UserError, match=r"a.tgz is not unpacked, since it would write outside its folder"):
        unpack_tar(archive, tmp_path / "here")
    assert not list((tmp_path / "here").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "here"]


def test_damaged_archives(tmp_path):
    whole = tar_of(tmp_path / "a.tgz", ("top/file", bytes(BODY))).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no archive at all", b"", whole[:40] + b"\0\1\2" + whole[43:]):
        (tmp_path / "a.tgz").write_bytes(damaged)
        with pytest.raises(UserError, match=r"a.tgz is damaged or no tar file"):
            unpack_tar(tmp_path / "a.tgz", tmp_path / "here")
        assert not list((tmp_path / "here").iterdir())


def test_what_is_there_is_not_replaced(tmp_path):
    archive = tar_of(tmp_path / "a.tgz", ("top/file", b"new"))
    (tmp_path / "here" / "top").mkdir(parents=True)
    unpack_tar(archive, tmp_path / "here")  # An empty folder is in nobody's way.
    (tmp_path / "here" / "top" / "file").write_bytes(b"old")
    with pytest.raises(UserError, match=r"here/top is in the way of what is unpacked"):
        unpack_tar(archive, tmp_path / "here")
    assert (tmp_path / "here" / "top" / "file").read_bytes() == b"old"


def zip_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_unpack_zip(tmp_path):
    archive = zip_of(tmp_path / "a.zip", ("top/in/file", b"1"), ("top/empty/", b""), ("alone", b"2"))
    here = tmp_path / "to" / "here"
    unpack_zip(archive, here)
    assert (here / "top/in/file").read_bytes() == b"1"
    assert (here / "top/empty").is_dir()
    assert sorted(path.name for path in here.iterdir()) == ["alone", "top"]
    with pytest.raises(UserError, match=r"here/alone is in the way of what is unpacked"):
        unpack_zip(archive, here)


@pytest.mark.parametrize("name", ["../outside", "top/../../outside", "/tmp/outside", "..\\outside"])
def test_zip_members_that_lead_outside(tmp_path, name):
    archive = zip_of(tmp_path / "a.zip", ("top/file", b"1"), (name, b"2"))
    with pytest.raises(UserError, match=r"a.zip is not unpacked, since it would write outside its folder: .*outside"):
        unpack_zip(archive, tmp_path / "here")
    assert not list((tmp_path / "here").iterdir())


def test_a_link_in_a_zip_file_is_no_link(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
        archive.writestr("link2", b"2")
    unpack_zip(tmp_path / "a.zip", tmp_path / "here")
    assert not (tmp_path / "here" / "link").is_symlink()
    assert (tmp_path / "here" / "link").read_text() == "/etc"


def test_damaged_zip_files(tmp_path):
    archive = zip_of(tmp_path / "a.zip", ("top/file", BODY))
    whole = archive.read_bytes()
    locked = bytearray(whole)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of a password
        locked[whole.index(mark) + place] |= 1
    flipped = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    for damaged in (whole[: len(whole) // 2], b"no archive", b"", flipped, bytes(locked)):
        archive.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a.zip is damaged or no zip file"):
            unpack_zip(archive, tmp_path / "here")
        assert not list((tmp_path / "here").iterdir())
