"""A file is whole or not there."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.files import atomic_write


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_write(path) as file:
        file.write(b"new")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    (tmp_path / f".tmp-{done.stdout.strip()}-b").write_text("half of a long text")
    (tmp_path / f".tmp-{os.getppid()}-c").write_text("another process is writing")
    with atomic_write(tmp_path / "a") as file:
        file.write(b"new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f".tmp-{os.getppid()}-c", "a"]
    assert (tmp_path / "a").read_text() == "new"


def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    """A limit of the file size stands for the full disk."""
    path = tmp_path / "a"
    path.write_text("old")
    code = (
        "import sys; from mindcv_shufflenet.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file: file.write(bytes(100_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    assert f"UserError: cannot write {path}: File too large" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UserError, match="cannot write .*/a/b"), atomic_write(tmp_path / "a" / "b") as file:
        file.write(b"")
