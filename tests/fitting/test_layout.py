"""The folder of a fit: what an earlier one, a killed one and somebody else have left there."""

from contextlib import suppress
from pathlib import Path

import pytest

from mindcv_shufflenet.fitting.layout import FitFolder


def write_fit(folder: Path, model: str, *others: str) -> dict[str, str]:
    """Write files as a fit leaves them; return all that lie there then, with their content."""
    FitFolder(folder, model).mark()
    for name in (f"{model}.ckpt", f"{model}.onnx", "photos.csv", "labels.txt", *others):
        (folder / name).write_text(f"{model} {name}")
    return content(folder)


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_an_earlier_fit_makes_room_for_one_with_weights_and_other_files_stay(tmp_path: Path) -> None:
    write_fit(tmp_path, "old", "mine.ckpt", "letter.txt")
    files = FitFolder(tmp_path, "new")
    assert files.is_fit
    with files.successor():
        assert not (tmp_path / "old.onnx").exists()
        new = write_fit(tmp_path, "new")
    assert content(tmp_path) == {name: text for name, text in new.items() if not name.startswith(".shufflenet-earlier")}
    assert {*content(tmp_path)} >= {"mine.ckpt", "letter.txt", "new.ckpt"}
    assert "old.onnx" not in content(tmp_path)


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_earlier_fit_is_there_again_if_another_one_ends_without_weights(tmp_path: Path, is_killed: bool) -> None:
    before = write_fit(tmp_path, "old", "mine.ckpt")
    files = FitFolder(tmp_path, "new")
    successor = files.successor()
    successor.__enter__()
    files.mark()
    (tmp_path / "photos.csv").write_text("")
    (tmp_path / "training").mkdir()
    assert files.is_free
    if is_killed:
        (tmp_path / ".shufflenet-photos-abc").mkdir()
        FitFolder(tmp_path, "third").recover()
    else:
        successor.__exit__(None, None, None)
    assert content(tmp_path) == before
    assert not (tmp_path / "training").exists()
    assert [path.name for path in tmp_path.glob(".*")] == [".shufflenet-fit"]


def test_a_fit_that_was_killed_before_its_first_weights_is_none(tmp_path: Path) -> None:
    files = FitFolder(tmp_path, "new")
    files.mark()
    (tmp_path / "photos.csv").touch()
    assert (files.is_fit, files.is_free) == (False, True)


def test_files_of_somebody_else_with_such_names_are_no_fit(tmp_path: Path) -> None:
    for name in ("photos.csv", "labels.txt", "new.ckpt"):
        (tmp_path / name).touch()
    files = FitFolder(tmp_path, "new")
    assert (files.is_fit, files.is_free) == (False, False)


@pytest.mark.parametrize("renames", range(12))
def test_a_kill_between_any_two_renames_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    before = write_fit(tmp_path, "old", "mine.ckpt")
    rename, done = Path.rename, list[Path]()

    def dying(self: Path, target: Path) -> Path:
        if len(done) == renames:
            raise SystemExit
        done.append(self)
        return rename(self, target)

    with monkeypatch.context() as patch, suppress(SystemExit):
        patch.setattr(Path, "rename", dying)
        with FitFolder(tmp_path, "new").successor():
            FitFolder(tmp_path, "new").mark()
            (tmp_path / "photos.csv").write_text("")
    assert len(done) == renames
    assert FitFolder(tmp_path, "third").is_free
    FitFolder(tmp_path, "third").recover()
    assert content(tmp_path) == before


def test_hidden_folders_of_somebody_else_stay(tmp_path: Path) -> None:
    (tmp_path / ".photos-backup").mkdir()
    assert not FitFolder(tmp_path, "new").is_free
