"""What ``--resume_opt`` goes on from: the state, or a checkpoint of an earlier epoch."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.training.record.resume import differences
from mindcv_shufflenet.training.record.resume_point import ResumePoint, find_resume_point
from mindcv_shufflenet.training.record.state import Circumstances, Data, Progress, Row, save_state
from mindcv_shufflenet.weights.metadata import ENTRY, Metadata
from tests.training.runs import step_cell

MODEL = "shufflenet_v2_x0_5"
EPOCHS, STEPS, BEST = 8, 22, 6


def write_run(folder: Path, *, model: str = MODEL, step: int = 0, **options: Any) -> Path:
    """A run directory as one stopped after eight epochs, with a checkpoint of each and the best in the sixth."""
    folder.mkdir(exist_ok=True)
    rows = [Row(n, n * STEPS, 0.1, 1.0, 50.0, 1.0, 50.0 + (n == BEST), 90.0, None, 9.0, 1.0) for n in range(1, 9)]
    progress = Progress(EPOCHS, step, 1.0, step, step, 1.0, 51.0, BEST, rows)
    config = Config(model=model, epoch_size=20, **options).recipe()
    circumstances = Circumstances(config, Machine("CPU", 2, 2, "2.8.0"), Data(100, STEPS))
    save_state(folder / f"{model}-last.state", step_cell().state_parameters(), progress, circumstances)
    names = [f"{n}_{STEPS}" for n in range(1, 9)] + ["best", "last", f"9_{STEPS}", "2_11", "0_22"]
    for name in (*(f"{model}-{name}.ckpt" for name in names), "weights.npz"):
        (folder / name).write_bytes(WEIGHTS)
    return folder


def one_weight(metadata: Metadata | None = None) -> bytes:
    """A file of weights; its content tells the kind, whatever it is called."""
    entries = {ENTRY: np.array(metadata.dump())} if metadata else {}
    content = io.BytesIO()
    np.savez(content, **{"first_conv.0.weight": np.ones((24, 3, 3, 3), np.float32)}, **entries)
    return content.getvalue()


WEIGHTS = one_weight()


def find(**options: Any) -> ResumePoint:
    options = {name: str(value) for name, value in options.items()} | {"resume_opt": True}
    source = find_resume_point(parse_config(options), options)
    assert source is not None
    return source


def test_the_model_and_the_options_are_the_stopped_runs(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", lr=0.5, dataset="digits", num_parallel_workers=1)
    source = find(ckpt_save_dir=folder)
    assert (source.path, source.progress.epoch) == (folder / f"{MODEL}-last.state", EPOCHS)
    taken = source.options()
    assert (taken["model"], taken["lr"], taken["dataset"], taken["epoch_size"]) == (MODEL, 0.5, "digits", 20)
    assert not taken.keys() & {"ckpt_save_dir", "num_parallel_workers", "device_target", "resume_opt", "overwrite"}


def test_none_or_several_states_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no training state .*/MODEL-last\.state; start the run without"):
        find(ckpt_save_dir=tmp_path)
    write_run(tmp_path)
    write_run(tmp_path, model="shufflenet_v2_x1_0")
    with pytest.raises(UserError, match=f"several runs: .* --model, one of {MODEL}, shufflenet_v2_x1_0"):
        find(ckpt_save_dir=tmp_path)
    assert find(ckpt_save_dir=tmp_path, model=MODEL).path.name == f"{MODEL}-last.state"
    assert find(ckpt_save_dir=tmp_path, ckpt_path=tmp_path / f"{MODEL}-5_22.ckpt").progress.epoch == 5


@pytest.mark.parametrize(
    ("name", "step", "epoch", "best"),
    [
        ("5_22", 0, 5, None),
        ("6_22", 0, 6, BEST),
        ("7_22", 0, 7, BEST),
        ("8_22", 3, 8, BEST),
        ("best", 0, 6, BEST),
    ],
)
def test_a_checkpoint_goes_back_to_its_epoch(
    tmp_path: Path, name: str, step: int, epoch: int, best: int | None
) -> None:
    folder = write_run(tmp_path / "run", step=step)
    checkpoint = folder / f"{MODEL}-{name}.ckpt"
    for run_directory in (folder, tmp_path / "new"):
        source = find(ckpt_save_dir=run_directory, ckpt_path=checkpoint)
        assert source.checkpoint == checkpoint
        assert (source.progress.epoch, source.progress.step, source.progress.seen) == (epoch, 0, 0)
        assert [row.epoch for row in source.progress.rows] == list(range(1, epoch + 1))
        assert source.progress.best_epoch == best
        assert "moments are reset" in source.notes[0]
        assert ("is of epoch 6, which is undone" in source.notes[-1]) == (best is None)


@pytest.mark.parametrize(("name", "step"), [("8_22", 0), ("last", 0), ("last", 3)])
def test_the_last_checkpoint_is_the_state(tmp_path: Path, name: str, step: int) -> None:
    folder = write_run(tmp_path / "run", step=step)
    source = find(ckpt_save_dir=folder, ckpt_path=folder / f"{MODEL}-{name}.ckpt")
    assert source.checkpoint is None
    assert (source.progress.epoch, source.progress.step) == (EPOCHS, step)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"{MODEL}-9_22.ckpt", r"the run's state knows 8 epochs"),
        (f"{MODEL}-0_22.ckpt", r"the run's state knows 8 epochs"),
        (f"{MODEL}-2_11.ckpt", "its epochs have 11 steps and the run's 22"),
        ("weights.npz", "neither the file nor its name tells its epoch"),
    ],
)
def test_what_is_not_possible_is_told_with_what_is(tmp_path: Path, name: str, reason: str) -> None:
    folder = write_run(tmp_path / "run")
    with pytest.raises(UserError, match=rf"cannot go on from .*{name}: {reason}. --resume_opt without") as raised:
        find(ckpt_save_dir=folder, ckpt_path=folder / name)
    assert f"goes on from epoch 8, with {MODEL}-N_22.ckpt from epoch N up to that" in str(raised.value)


def test_what_the_file_tells_goes_before_its_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", stem="cifar")
    renamed = folder / f"{MODEL}-1_22.ckpt"
    renamed.write_bytes(one_weight(Metadata({"model": MODEL, "stem": "cifar"}, None, 5)))
    assert find(ckpt_save_dir=folder, ckpt_path=renamed).progress.epoch == 5
    (folder / "backup.bin").write_bytes(renamed.read_bytes())
    assert find(ckpt_save_dir=folder, ckpt_path=folder / "backup.bin").progress.epoch == 5
    renamed.write_bytes(one_weight(Metadata({"model": MODEL, "stem": "imagenet"}, None, 5)))
    with pytest.raises(UserError, match="it was trained with stem=imagenet and the run with cifar"):
        find(ckpt_save_dir=folder, ckpt_path=renamed)
    renamed.write_bytes(one_weight(Metadata({"model": "shufflenet_v2_x1_0"}, None, 5)))
    with pytest.raises(UserError, match="it is of shufflenet_v2_x1_0 and the run of"):
        find(ckpt_save_dir=folder, ckpt_path=renamed)
    with pytest.raises(UserError, match=r"there is no checkpoint .*-7_23.ckpt to go back to; without --ckpt_path"):
        find(ckpt_save_dir=folder, ckpt_path=folder / f"{MODEL}-7_23.ckpt")


def test_a_checkpoint_of_another_model_or_run_is_refused(tmp_path: Path) -> None:
    run, other = write_run(tmp_path / "run"), write_run(tmp_path / "other", model="shufflenet_v2_x1_0")
    with pytest.raises(UserError, match="it is of shufflenet_v2_x1_0 and the run of shufflenet_v2_x0_5"):
        find(model=MODEL, ckpt_save_dir=run, ckpt_path=other / "shufflenet_v2_x1_0-5_22.ckpt")
    with pytest.raises(UserError, match=r"already holds a run \(config.yaml\)"):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "config.yaml").touch()
        find(ckpt_save_dir=tmp_path / "new", ckpt_path=run / f"{MODEL}-5_22.ckpt")
    second = write_run(tmp_path / "second")
    with pytest.raises(UserError, match="each hold a run: leave out --ckpt_path to go on with that of"):
        find(ckpt_save_dir=second, ckpt_path=run / f"{MODEL}-5_22.ckpt")


def test_the_command_that_began_with_a_checkpoint_goes_on_from_the_state(tmp_path: Path) -> None:
    begun_with = write_run(tmp_path / "first") / f"{MODEL}-5_22.ckpt"
    folder = write_run(tmp_path / "second", ckpt_path=str(begun_with))
    source = find(ckpt_save_dir=folder, ckpt_path=begun_with)
    assert (source.path.parent, source.progress.epoch, source.checkpoint) == (folder, EPOCHS, None)
    assert source.notes[0].startswith("ckpt_path is not read: the run that began with it goes on from")


def test_a_checkpoint_that_was_moved_away_belongs_to_the_run_in_the_folder(tmp_path: Path) -> None:
    folder, away = write_run(tmp_path / "run"), tmp_path / "away"
    away.mkdir()
    moved = (folder / f"{MODEL}-5_22.ckpt").rename(away / f"{MODEL}-5_22.ckpt")
    assert find(ckpt_save_dir=folder, ckpt_path=moved).progress.epoch == 5


def test_options_that_somebody_spoilt_are_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    source = find(ckpt_save_dir=folder)
    source.state.circumstances.config["lr"] = "high"
    with pytest.raises(UserError, match=r"cannot read the options in .*last\.state \(lr=high"):
        source.options()


def test_a_folder_may_be_written_in_several_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    machine, data = Machine("CPU", 2, 2, "2.8.0"), Data(100, STEPS)
    now = Circumstances(Config(dataset="folder", data_dir="photos").record(), machine, data)
    for written, told in (("photos", 0), ("./photos/", 0), ("link", 0), (str(tmp_path / "photos"), 0), ("pictures", 1)):
        stopped = Circumstances(Config(dataset="folder", data_dir=written).recipe(), machine, data)
        assert len(differences(stopped, now)) == told


@pytest.mark.parametrize(
    ("was", "value", "told"),
    [
        (None, "12ab", False),
        ("12ab", "12ab", False),
        ("off", "12ab", True),
        ("12ab", "off", True),
        ("12ab", "34cd", True),
    ],
)
def test_other_kernels_are_told_unless_the_state_is_older(was: str | None, value: str, told: bool) -> None:
    config, data = Config().recipe(), Data(100, STEPS)
    stopped, now = (Circumstances(config, Machine("CPU", 2, 2, "2.8.0", kernels=k), data) for k in (was, value))
    line = f"the run was stopped on kernels={was} and goes on with {value}; the weights will not be those of an"
    assert [note.partition(" uninterrupted")[0] for note in differences(stopped, now)] == [line] * told


def test_an_option_that_is_newer_than_the_state_had_its_default() -> None:
    machine, data = Machine("CPU", 2, 2, "2.8.0"), Data(100, STEPS)
    older = {name: value for name, value in Config().recipe().items() if name != "cpu_precision"}
    told = [
        differences(Circumstances(older, machine, data), Circumstances(Config(**given).recipe(), machine, data))
        for given in ({}, {"cpu_precision": "bf16"})
    ]
    assert told == [[], ["cpu_precision was fp32 when the run was stopped and is bf16 now"]]
