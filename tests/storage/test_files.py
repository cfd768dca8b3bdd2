"""A file is whole or not there."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage import files
from mindcv_shufflenet.storage.files import atomic_write, begins_with


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_write(path) as file:
        file.write(b"new")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """A process ID means nothing in another container or on another machine: there only age tells."""
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    dead, here = done.stdout.strip(), files.pid_namespace()
    removed = [f".tmp-{here}-{dead}-a", f".tmp-00000000-{dead}-old", ".tmp-1234-old-of-an-older-version"]
    kept = [f".tmp-{here}-{os.getppid()}-b", f".tmp-00000000-{dead}-new", f".tmp-{dead}-new-of-an-older-version"]
    for name in removed + kept:
        (tmp_path / name).write_text("half of a long text")
    for name in removed[1:]:
        os.utime(tmp_path / name, (0, time.time() - 25 * 3600))
    with atomic_write(tmp_path / "a") as file:
        file.write(b"new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*kept, "a"])
    assert (tmp_path / "a").read_text() == "new"


def test_another_boot_and_another_container_are_other_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {files.pid_namespace.__wrapped__()}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", lambda path: "another boot")
        words.add(files.pid_namespace.__wrapped__())
    with monkeypatch.context() as patch:
        inode = os.stat("/proc/self/ns/pid").st_ino
        patch.setattr(os, "stat", lambda path: SimpleNamespace(st_ino=inode + 1))
        words.add(files.pid_namespace.__wrapped__())
    assert len(words) == 3


def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    """A limit of the file size stands for the full disk."""
    path = tmp_path / "a"
    path.write_text("old")
    code = (
        "import sys; from mindcv_shufflenet.storage.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file: file.write(bytes(100_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    assert f"UserError: cannot write {path}: File too large" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UserError, match="cannot write .*/a/b"), atomic_write(tmp_path / "a" / "b") as file:
        file.write(b"")


def test_a_folder_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with pytest.raises(KeyError), files.atomic_folder(path) as folder:
        (folder / "half").touch()
        raise KeyError
    assert [*path.parent.iterdir()] == []
    for name in ("old", "new"):
        with files.atomic_folder(path) as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / name).touch()
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")] == [
        "deep", "deep/folder", "deep/folder/inner", "deep/folder/inner/new",
    ]  # fmt: skip


def test_a_folder_that_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = tmp_path / f".tmp-{files.pid_namespace()}-{done.stdout.strip()}-net"
    left.mkdir()
    (left / "half").touch()
    with atomic_write(tmp_path / "a"):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_get_its_name_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def fail(source: Path, target: Path) -> Path:
        if source.name.startswith(".tmp-"):
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UserError, match="No space left"), files.atomic_folder(path) as folder:
        (folder / "new").touch()
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")] == ["folder", "folder/old"]


@pytest.mark.parametrize(
    ("content", "within", "begins"),
    [(b"", 0, True), (b"label,a", 0, True), (b" label,", 0, False), (b"x" * 5 + b"label,", 5, True),
     (b"x" * 6 + b"label,", 5, False), (b"lab", 5, False)],
)  # fmt: skip
def test_an_earlier_result_is_known_by_its_marker(tmp_path: Path, content: bytes, within: int, begins: bool) -> None:
    (tmp_path / "file").write_bytes(content)
    assert begins_with(tmp_path / "file", b"label,", within) == begins


def test_a_pipe_is_no_file_to_replace(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: it is a device or a pipe; give a file"), atomic_write(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()


def test_what_cannot_be_read_has_no_marker(tmp_path: Path) -> None:
    assert not begins_with(tmp_path, b"label,")
    assert not begins_with(tmp_path / "none", b"label,")
