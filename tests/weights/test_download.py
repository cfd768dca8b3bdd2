"""Downloads from a server on this machine, and archives that try to get out."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights.download import fetch, unpack_tar

BODY = bytes(range(256)) * 3000
MD5 = hashlib.md5(BODY).hexdigest()
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Bodies by path; ``announced`` adds to the Content-Length; a body that is text is a redirect to that address."""

    def __init__(self, bodies: dict[str, bytes | str], announced: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = bodies
        self.announced = announced
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        body = self.server.bodies.get(self.path)
        if body is None:
            self.send_error(404)
        elif isinstance(body, str):
            self.send_response(302)
            self.send_header("Location", body)
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + self.server.announced))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(bodies: dict[str, bytes | str], announced: int = 0) -> Iterator[Server]:
    """A server on this machine for as long as the block lasts."""
    with Server(bodies, announced) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_fetch_and_not_again(tmp_path):
    target = tmp_path / "new" / "file"
    with serve({"/file": BODY}) as server:
        assert fetch(f"{server.url}/file", target, md5=MD5, sha256=SHA256.upper()) == target
        assert target.read_bytes() == BODY
        fetch(f"{server.url}/file", target, sha256=SHA256)
        assert server.requests == ["/file"]
        target.write_bytes(b"old")
        fetch(f"{server.url}/file", target, sha256=SHA256)
        assert target.read_bytes() == BODY
        assert server.requests == ["/file", "/file"]


@pytest.mark.parametrize("checksum", [{"md5": MD5}, {"sha256": SHA256}])
def test_wrong_bytes_never_get_the_name(tmp_path, checksum):
    target = tmp_path / "file"
    target.write_bytes(b"the old one")
    with serve({"/file": BODY[:-1] + b"x"}) as server, pytest.raises(UserError) as caught:
        fetch(f"{server.url}/file", target, **checksum)
    message = str(caught.value)
    assert f"{server.url}/file is not the expected file" in message
    assert next(iter(checksum.values())) in message
    assert f"by hand at {target}" in message
    assert target.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [target]


def test_cut_body(tmp_path):
    with serve({"/file": BODY}, announced=10) as server, pytest.raises(UserError) as caught:
        fetch(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert f"broke off after {len(BODY):,} of {len(BODY) + 10:,} bytes" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_answer_404(tmp_path):
    with (
        serve({}) as server,
        pytest.raises(UserError, match=r"/file answered 404 Not Found: try again, or put the file by"),
    ):
        fetch(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert not list(tmp_path.iterdir())


def test_nobody_answers(tmp_path):
    with serve({}) as server:
        url = f"{server.url}/file"
    with pytest.raises(UserError, match=f"cannot reach {url} .*by hand at {tmp_path}/file"):
        fetch(url, tmp_path / "file", md5=MD5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/file", "ftp://host/file", "file:///etc/hostname", "/etc/hostname"])
def test_only_https_without_a_checksum(tmp_path, url):
    with pytest.raises(UserError, match=r"is not fetched: only https"):
        fetch(url, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_redirects_are_held_to_the_same_rule(tmp_path):
    with serve({"/ok": "/file", "/bad": "ftp://127.0.0.1/file", "/file": BODY}) as server:
        assert fetch(f"{server.url}/ok", tmp_path / "file", md5=MD5).read_bytes() == BODY
        with pytest.raises(UserError, match=r"ftp://127.0.0.1/file is not fetched: only https"):
            fetch(f"{server.url}/bad", tmp_path / "other", md5=MD5)


def test_disk_that_does_not_take_the_file(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    with serve({"/file": BODY}) as server, pytest.raises(UserError, match=r"cannot write .*folder/file"):
        fetch(f"{server.url}/file", tmp_path / "folder" / "file", md5=MD5)


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
