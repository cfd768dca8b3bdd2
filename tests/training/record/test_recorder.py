"""A run directory that somebody deletes, empties or replaces while a training runs."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.options.config import Config, load_yaml
from mindcv_shufflenet.storage.files import exclusive
from mindcv_shufflenet.training.record.recorder import Recorder
from mindcv_shufflenet.training.record.resume import resume
from mindcv_shufflenet.training.record.resume_point import find_resume_point
from mindcv_shufflenet.training.record.state import Progress, Row, load_state
from mindcv_shufflenet.training.updates import Updates
from tests.training.runs import MODEL, STEPS, run_in

FILES = {"config.yaml", "classes.json", "log.csv", *(f"{MODEL}-{name}" for name in ("last.state", "last.ckpt"))}


@pytest.fixture(autouse=True)
def notes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def locks() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def begin(folder: Path, locks: ExitStack, **options: Any) -> tuple[Recorder, Progress]:
    """A run after its first epoch, which is its best."""
    progress = Progress()
    recorder = locks.enter_context(Recorder.begin(run_in(folder, **options), progress))
    end_epoch(recorder, progress, is_best=True)
    return recorder, progress


def end_epoch(recorder: Recorder, progress: Progress, *, is_best: bool = False) -> None:
    number = progress.epoch + 1
    recorder.mend(progress)
    if is_best:
        progress.best_top1, progress.best_epoch = 50.0, number
    progress.rows.append(Row(number, 3 * number, 0.1, 1.0, 50.0, 1.0, 50.0, 90.0, None, 9.0, 1.0))
    progress.start_epoch()
    recorder.end_epoch(progress, is_best)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("dataset", "ckpt_path", "data_dir", "weights"),
    [
        ("folder", "a/../m.ckpt", "{here}/photos", "{here}/m.ckpt"),
        ("digits", "https://site/m.ckpt", "photos", "https://site/m.ckpt"),
    ],
)
def test_data_and_weights_of_a_run_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, ckpt_path: str, data_dir: str, weights: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with ExitStack() as locks:
        begin(tmp_path / "run", locks, dataset=dataset, data_dir="photos", ckpt_path=ckpt_path)
    options = load_yaml(tmp_path / "run" / "config.yaml")
    expected = [text.format(here=tmp_path) for text in (data_dir, weights)]
    assert [options["data_dir"], options["ckpt_path"]] == expected
    assert load_state(tmp_path / "run" / f"{MODEL}-last.state").circumstances.config == options


@pytest.mark.parametrize("destroy", [shutil.rmtree, empty])
def test_what_can_be_is_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, locks: ExitStack, destroy: Callable[[Path], None]
) -> None:
    folder = tmp_path / "run"
    recorder, progress = begin(folder, locks)
    assert not caplog.messages
    destroy(folder)
    end_epoch(recorder, progress)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{folder} was deleted or emptied")
    assert "the best epoch is counted anew" in caplog.messages[0]
    assert {path.name for path in folder.iterdir()} == FILES | {f"{MODEL}-2_3.ckpt"}
    assert load_yaml(folder / "config.yaml")["model"] == MODEL
    assert json.loads((folder / "classes.json").read_text())["names"] == ["a", "b"]
    assert len((folder / "log.csv").read_text().splitlines()) == 3
    saved = load_state(folder / f"{MODEL}-last.state").progress
    assert (saved.epoch, saved.best_epoch) == (2, None)
    with pytest.raises(UserError, match="another process is at work"), exclusive(folder):
        pass
    end_epoch(recorder, progress, is_best=True)
    assert len(caplog.messages) == 1
    assert (folder / f"{MODEL}-best.ckpt").is_file()


def test_a_signal_finds_it_too(tmp_path: Path, caplog: pytest.LogCaptureFixture, locks: ExitStack) -> None:
    """The state is saved in the middle of an epoch then."""
    folder = tmp_path / "run"
    recorder, progress = begin(folder, locks)
    shutil.rmtree(folder)
    recorder.save_state(progress)
    assert len(caplog.messages) == 1
    assert {path.name for path in folder.iterdir()} == FILES


def test_another_run_in_its_place_is_not_written_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, locks: ExitStack
) -> None:
    folder, away = tmp_path / "run", tmp_path / "away"
    recorder, progress = begin(folder, locks)
    folder.rename(away)
    with ExitStack() as other:
        begin(folder, other, seed=2)
        with pytest.raises(UserError, match="another process is at work"):
            end_epoch(recorder, progress)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RunError, match="holds another run now"):
        end_epoch(recorder, progress)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_copy_in_its_place_is_the_same_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, locks: ExitStack
) -> None:
    folder, copy = tmp_path / "run", tmp_path / "copy"
    recorder, progress = begin(folder, locks)
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)
    shutil.rmtree(folder)
    copy.rename(folder)
    end_epoch(recorder, progress)
    assert not caplog.messages
    assert load_state(folder / f"{MODEL}-last.state").progress == progress


def test_where_nothing_can_be_written_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, locks: ExitStack
) -> None:
    folder = tmp_path / "above" / "run"
    recorder, progress = begin(folder, locks)
    shutil.rmtree(folder.parent)
    folder.parent.touch()
    with pytest.raises(UserError, match=f"cannot write {folder}"):
        end_epoch(recorder, progress)


def test_a_run_that_another_process_started_meanwhile_is_not_replaced(tmp_path: Path, locks: ExitStack) -> None:
    """It appears after the folder was looked at first and before it is locked."""
    folder = tmp_path / "run"
    run = run_in(folder)
    assert find_resume_point(run.config, {}) is None
    with ExitStack() as others:
        begin(folder, others)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=r"run already holds a run \(config.yaml\)"):
        locks.enter_context(Recorder.begin(run, Progress()))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_another_process_resumed_meanwhile_is_not_resumed(tmp_path: Path, locks: ExitStack) -> None:
    with ExitStack() as others:
        recorder, progress = begin(tmp_path, others)
        source = find_resume_point(Config(resume_opt=True, ckpt_save_dir=str(tmp_path)), {})
        assert source is not None
        end_epoch(recorder, progress)
        with pytest.raises(UserError, match="another process is at work in"):
            locks.enter_context(Recorder.begin(run_in(tmp_path), source.progress, source))
    with pytest.raises(UserError, match=r"another process went on with .*last\.state meanwhile: look at its log\.csv"):
        locks.enter_context(Recorder.begin(run_in(tmp_path), source.progress, source))
    assert load_state(tmp_path / f"{MODEL}-last.state").progress == progress


@pytest.mark.parametrize(
    ("content", "is_told"),
    [("garbage", True), ("", True), ("{whole}", False), ("{whole}2,6,0.1,1.0,50.0,,,,,9.0,1.0\n", False)],
)
def test_a_log_that_is_not_the_runs_is_told_and_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, locks: ExitStack, content: str, is_told: bool
) -> None:
    """The log may be an epoch ahead of the state: it is written before."""
    with ExitStack() as first:
        begin(tmp_path, first)
    log = tmp_path / "log.csv"
    whole = log.read_text()
    log.write_text(content.format(whole=whole))
    source = find_resume_point(Config(resume_opt=True, ckpt_save_dir=str(tmp_path)), {})
    assert source is not None
    locks.enter_context(Recorder.begin(run_in(tmp_path), source.progress, source))
    assert log.read_text() == whole
    told = [f"{log} does not hold the epochs of the training state: it is written anew"]
    assert caplog.messages == told * is_told


def test_a_file_of_the_run_that_is_damaged_is_told(tmp_path: Path) -> None:
    with ExitStack() as first:
        begin(tmp_path, first)
    (tmp_path / "classes.json").write_text("{")
    source = find_resume_point(Config(resume_opt=True, ckpt_save_dir=str(tmp_path)), {})
    assert source is not None
    run = run_in(tmp_path)
    updates = Updates(np.ones(STEPS), STEPS)
    _, notes = resume(source, run.circumstances, run.network, run.step, updates, {"a": 0, "b": 1})
    assert notes == [f"{tmp_path / 'classes.json'} is not read: it is damaged, or another program's"]
