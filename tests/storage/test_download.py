"""Downloads from a server on this machine that cuts, stalls, lies, and knows ranges or not."""

import hashlib
import multiprocessing
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage import download
from mindcv_shufflenet.storage.download import fetch, fetch_to_cache

BODY = bytes(range(256)) * 3000
MD5 = hashlib.md5(BODY).hexdigest()
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Bodies by path; a body that is text is a redirect to that address.

    Attributes:
        announced: what is added to the Content-Length.
        ranges: whether a request for a range gets it.
        cut: at most so many bytes are sent for one request.
        stall: seconds before the second half of an answer.
    """

    def __init__(
        self,
        bodies: dict[str, bytes | str],
        *,
        announced: int = 0,
        ranges: bool = True,
        cut: int | None = None,
        stall: float = 0,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = bodies
        self.announced = announced
        self.ranges = ranges
        self.cut = cut
        self.stall = stall
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.requests.append(f"{self.path} {wanted}".strip())
        body = self.server.bodies.get(self.path)
        if body is None:
            self.send_error(404)
        elif isinstance(body, str):
            self.send_response(302)
            self.send_header("Location", body)
            self.end_headers()
        else:
            self.send_body(body, int(re.sub(r"\D", "", wanted) or 0) if self.server.ranges else 0)

    def send_body(self, body: bytes, first: int) -> None:
        if first >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - first + self.server.announced))
        self.end_headers()
        rest = body[first:][: self.server.cut]
        self.wfile.write(rest[: len(rest) // 2])
        self.wfile.flush()
        time.sleep(self.server.stall)
        self.wfile.write(rest[len(rest) // 2 :])

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(bodies: dict[str, bytes | str], **behaviour: Any) -> Iterator[Server]:
    """A server on this machine for as long as the block lasts."""
    with Server(bodies, **behaviour) as server:
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
        assert server.requests == ["/file"]


def test_a_file_put_there_by_hand_is_refused_and_not_replaced(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"another one")
    with (
        serve({"/file": BODY}) as server,
        pytest.raises(UserError, match=r"is refused: it is not the file of .*sha256"),
    ):
        fetch(f"{server.url}/file", target, sha256=SHA256)
    assert server.requests == []
    assert target.read_bytes() == b"another one"


@pytest.mark.parametrize("checksum", [{"md5": MD5}, {"sha256": SHA256}])
def test_wrong_bytes_never_get_the_name(tmp_path, checksum):
    target = tmp_path / "file"
    with serve({"/file": BODY[:-1] + b"x"}) as server, pytest.raises(UserError) as caught:
        fetch(f"{server.url}/file", target, **checksum)
    message = str(caught.value)
    assert f"{server.url}/file is not the expected file" in message
    assert next(iter(checksum.values())) in message
    assert f"by hand at {target}" in message
    assert list(tmp_path.iterdir()) == []


def test_cut_body(tmp_path):
    with serve({"/file": BODY}, announced=10) as server, pytest.raises(UserError) as caught:
        fetch(f"{server.url}/file", tmp_path / "file", md5=MD5)
    assert f"broke off after {len(BODY):,} of {len(BODY) + 10:,} bytes" in str(caught.value)
    assert not (tmp_path / "file").exists()


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


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_breaks_off_goes_on_where_it_was(tmp_path, ranges):
    """Without ranges the server begins anew each time, so nothing is gained and the first failure is the last."""
    cut = len(BODY) // 3
    with serve({"/file": BODY}, cut=cut, ranges=ranges) as server:
        if ranges:
            fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256)
            assert server.requests == ["/file", f"/file bytes={cut}-", f"/file bytes={2 * cut}-"]
            assert (tmp_path / "file").read_bytes() == BODY
            assert [path.name for path in tmp_path.iterdir()] == ["file"]
        else:
            with pytest.raises(UserError, match="broke off after"):
                fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256)


def test_the_next_process_goes_on_too(tmp_path):
    (tmp_path / ".file.part").write_bytes(BODY[:1000])
    with serve({"/file": BODY}) as server:
        fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256)
        assert server.requests == ["/file bytes=1000-"]
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("left", [b"of another file", BODY + b"more", BODY])
def test_a_first_piece_that_does_not_fit_is_thrown_away(tmp_path, left):
    (tmp_path / ".file.part").write_bytes(left)
    with serve({"/file": BODY}) as server:
        fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_server_that_stalls_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with serve({"/file": BODY}, stall=1, cut=100) as server, pytest.raises(UserError, match="broke off .timed out.*"):
        fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("digits", [8, 10, 64])
def test_a_prefix_of_the_checksum_is_enough(tmp_path, digits):
    with serve({"/file": BODY}) as server:
        fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256[:digits])
        with pytest.raises(UserError, match="is not the expected file .sha256"):
            fetch(f"{server.url}/file", tmp_path / "other", sha256=SHA256[: digits - 1] + "g")


def test_a_wrong_size_and_a_web_page_are_told(tmp_path):
    with serve({"/file": BODY, "/page": b"<!DOCTYPE html><html>log in</html>"}) as server:
        with pytest.raises(UserError, match="768,000 bytes instead of 5"):
            fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256, size=5)
        with pytest.raises(UserError, match="looks like a web page; nothing was kept"):
            fetch(f"{server.url}/page", tmp_path / "file", sha256=SHA256)
    assert not list(tmp_path.iterdir())


def fetch_in_a_process(url: str, target: Path) -> None:
    fetch(url, target, sha256=SHA256)


def test_of_several_processes_one_fetches(tmp_path):
    context = multiprocessing.get_context("spawn")
    with serve({"/file": BODY}, stall=1) as server:
        processes = [
            context.Process(target=fetch_in_a_process, args=(f"{server.url}/file", tmp_path / "file")) for _ in range(3)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert server.requests == ["/file"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_cache_takes_the_checksum_from_the_name(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path))
    name = f"net-{SHA256[:8]}.ckpt"
    with serve({f"/{name}": BODY, "/net-0000000a.ckpt": BODY}) as server:
        path = fetch_to_cache(f"{server.url}/{name}")
        assert path == tmp_path / "checkpoints" / name
        path.write_bytes(b"damaged")
        with pytest.raises(UserError, match="is refused"):
            fetch_to_cache(f"{server.url}/{name}")
        with pytest.raises(UserError, match=f"sha256 {SHA256[:8]} instead of 0000000a"):
            fetch_to_cache(f"{server.url}/net-0000000a.ckpt")
        with pytest.raises(UserError, match="only https is"):
            fetch_to_cache(f"{server.url}/net.ckpt")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://[x/net.ckpt", "is not an address"),
        ("https://host/..", "does not end in the name of a file"),
        ("https://host/a%00.ckpt", "does not end in the name of a file"),
        ("http://host.invalid/net-12345abc.ckpt", "only https is, and http where a whole checksum is known"),
    ],
)
def test_odd_addresses_get_one_line(url, message, tmp_path, monkeypatch):
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path))
    with pytest.raises(UserError, match=message):
        fetch_to_cache(url)


@pytest.mark.parametrize("path", ["..%2f..%2fnet", "%2Ftmp%2Fnet", "a/../net"])
def test_an_address_cannot_lead_outside_the_cache(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path / "home"))
    with serve({f"/{path}-{SHA256[:8]}.ckpt": BODY}) as server:
        target = fetch_to_cache(f"{server.url}/{path}-{SHA256[:8]}.ckpt")
    assert target == tmp_path / "home" / "checkpoints" / f"net-{SHA256[:8]}.ckpt"


def test_names_outside_ascii_are_asked_for_as_they_must_be(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path))
    with serve({f"/%E6%A8%A1-{SHA256[:8]}.ckpt": BODY}) as server:
        assert fetch_to_cache(f"{server.url}/模-{SHA256[:8]}.ckpt").name == f"模-{SHA256[:8]}.ckpt"


def test_a_date_in_a_name_is_no_checksum(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path))
    with serve({"/net-20240101.ckpt": BODY}) as server, pytest.raises(UserError, match="only https is"):
        fetch_to_cache(f"{server.url}/net-20240101.ckpt")


def test_a_transfer_without_end_is_given_up(tmp_path):
    with serve({"/file": BODY}) as server, pytest.raises(UserError, match="sends more than 0 MiB; nothing was kept"):
        fetch(f"{server.url}/file", tmp_path / "file", sha256=SHA256, limit=1000)
    assert not list(tmp_path.iterdir())


def test_a_cache_that_cannot_be_written_is_read(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(BODY)

    def refuse(path):
        raise AssertionError("nothing needs to be locked")

    monkeypatch.setattr(download, "locked", refuse)
    assert fetch("https://host.invalid/file", tmp_path / "file", sha256=SHA256).read_bytes() == BODY
