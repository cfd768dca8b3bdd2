"""TensorBoard's scalars: the rows of the state, each step once, whatever a killed process has left."""

import struct
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.training.record.recorder import Recorder
from mindcv_shufflenet.training.record.state import Progress, Row
from mindcv_shufflenet.training.record.tensorboard import Scalars, curves
from tests.training.runs import MODEL, run_in


def row(epoch: int, val_top1: float | None = 50.0) -> Row:
    return Row(epoch, 3 * epoch, 0.1, 1.0, 40.0, None, val_top1, None, None, 9.0, 2.0)


def events(folder: Path) -> list[Event]:
    """What TensorBoard reads; a record is its length, a checksum, an event, and another checksum."""
    (path,) = (folder / "tensorboard").iterdir()
    assert "tfevents" in path.name
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    assert found.pop(0).file_version == "brain.Event:2"
    return found


def scalars(folder: Path) -> dict[int, dict[str, float]]:
    return {event.step: {value.tag: value.simple_value for value in event.summary.value} for event in events(folder)}


def test_a_row_is_a_value_a_curve() -> None:
    full = Row(**(asdict(row(1)) | {"val_loss": 2.0, "val_top5": 90.0, "ema_top1": 60.0}))
    assert curves(full) == {
        "lr": 0.1,
        "loss/train": 1.0,
        "top1/train": 40.0,
        "loss/val": 2.0,
        "top1/val": 50.0,
        "top5/val": 90.0,
        "top1/ema": 60.0,
        "images_per_second": 9.0,
    }
    assert "top1/val" not in curves(row(1, val_top1=None))


def test_a_run_leaves_each_step_once_however_it_is_stopped(tmp_path: Path) -> None:
    run, progress = run_in(tmp_path, tensorboard=True), Progress()
    with Recorder.begin(run, progress) as recorder:
        progress.rows.append(row(1))
        progress.start_epoch()
        recorder.end_epoch(progress, is_best=False)
        assert scalars(tmp_path) == {3: pytest.approx(curves(row(1)))}  # while it runs
        assert recorder.scalars
        recorder.scalars.append([row(1), row(2)])  # killed before the state is saved
    assert [*scalars(tmp_path)] == [3, 6]
    (tmp_path / "tensorboard" / f"events.out.tfevents.1.{MODEL}").write_bytes(b"half a rec")
    resumed = Scalars(RunDirectory(tmp_path), MODEL)
    resumed.restart(progress.rows)
    resumed.append([row(1), row(2)])
    resumed.close()
    assert [event.step for event in events(tmp_path)] == [3, 6]
    first, second = (event.wall_time for event in events(tmp_path))
    assert second - first == pytest.approx(2.0)


def test_a_new_run_replaces_its_own_files_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard"
    folder.mkdir()
    for name in (f"events.out.tfevents.5.{MODEL}", "events.out.tfevents.6.host"):
        (folder / name).touch()
    with pytest.raises(UserError, match="already holds a run"), Recorder.begin(run_in(tmp_path), Progress()):
        pass
    with ExitStack() as locks:
        locks.enter_context(Recorder.begin(run_in(tmp_path, overwrite=True), Progress()))
    assert [path.name for path in folder.iterdir()] == ["events.out.tfevents.6.host"]


def test_where_it_cannot_be_written_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").touch()
    with pytest.raises(UserError, match=r"cannot write .*tensorboard.*: .*--no-tensorboard"):
        Scalars(RunDirectory(tmp_path), MODEL).restart([])
