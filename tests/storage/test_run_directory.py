"""What is read of a run directory, and what is passed over."""

import json
from pathlib import Path

import pytest

from mindcv_shufflenet.storage.run_directory import (
    REPORT_MARKER,
    CheckpointName,
    HeldOut,
    RunDirectory,
    classes_of,
    is_run_file,
)


def test_the_images_held_out_are_read(tmp_path: Path) -> None:
    held_out = HeldOut(0.25, 3, ("a/1.jpg", "b/2.jpg"))
    (tmp_path / "split.json").write_text(json.dumps(held_out._asdict()))
    assert RunDirectory(tmp_path).read().held_out == held_out
    assert RunDirectory(tmp_path).read().notes == []


def test_the_files_of_a_run_are_those_of_its_model(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    paths = [directory.options, directory.classes, directory.split, directory.log]
    paths += [directory.state("net"), directory.last("net"), directory.best("net")]
    names = ["config.yaml", "classes.json", "split.json", "log.csv", "net-last.state", "net-last.ckpt", "net-best.ckpt"]
    assert [path.name for path in paths] == names
    numbered = [directory.numbered("net", 10, 22), directory.numbered("net", 9, 11), directory.numbered("net", 9, 22)]
    names += ["net-10_22.ckpt", "net-9_11.ckpt", "net-9_22.ckpt"]
    assert directory.files("net") == []
    for name in (*names, "net2-last.ckpt", "net-9_22.npz", "net-last.txt"):
        (tmp_path / name).touch()
    assert directory.files("net") == [*paths, *numbered]
    assert directory.numbered_files("net", 9) == numbered[1:]
    assert all(is_run_file(name) for name in names)
    assert not is_run_file("result.json")


def test_a_run_is_told_by_its_files_and_its_models_by_their_states(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    for path in (directory.options, directory.classes, directory.log):
        assert not directory.is_run
        path.touch()
    assert directory.is_run
    for model in ("net", "net_x0_5"):
        directory.state(model).touch()
    assert directory.states() == {model: directory.state(model) for model in ("net", "net_x0_5")}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("net-best.ckpt", ("net", "best", None, None)),
        ("a-b-last.ckpt", ("a-b", "last", None, None)),
        ("net-12_345.ckpt", ("net", None, 12, 345)),
        ("net-12.ckpt", None),
        ("best.ckpt", None),
        ("net-last.state", None),
    ],
)
def test_what_the_name_of_a_checkpoint_tells(name: str, parts: tuple[object, ...] | None) -> None:
    assert CheckpointName.parse(name) == parts


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"train": ["a.jpg"]}', '{"ratio": "0.2", "seed": 1, "files": []}', '{"files": [1]}']
)
def test_another_programs_split_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    run = RunDirectory(tmp_path).read()
    assert run.held_out is None
    assert run.notes == [f"{tmp_path}/split.json is not read: it is damaged, or another program's"]


@pytest.mark.parametrize(
    "indices", [[0, 1], {"a": 0, "b": 2}, {"a": 0, "b": 0}, {"a": 0, "b": "1"}, {"a": False}, {"a": -1}]
)
def test_indices_that_are_of_no_class(indices: object) -> None:
    with pytest.raises(ValueError, match="indices"):
        classes_of(["a", "b"], indices)


def test_a_network_may_have_more_classes_than_its_data() -> None:
    assert classes_of(["a", "b", "2"], {"a": 0, "b": 1}).names == ("a", "b", "2")


def test_numbered_checkpoints_and_events_are_found_by_their_model(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    (tmp_path / "tensorboard").mkdir()
    own = [run.numbered("a[1]", 2, 30), run.numbered("a[1]", 12, 40), run.events("a[1]", 17)]
    for path in (*own, run.numbered("a1", 2, 30), run.events("a1", 17), tmp_path / "a[1]-best.ckpt"):
        path.touch()
    assert own[0].name == "a[1]-2_30.ckpt"
    assert {*run.numbered_files("a[1]")} == {*own[:2]}
    assert run.numbered_files("a[1]", 12) == [own[1]]
    assert run.event_files("a[1]") == [own[2]]


def test_what_another_program_has_written_is_no_file_of_a_report(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(f'<meta name="generator" content="{REPORT_MARKER}">')
    (tmp_path / "confusion.csv").write_text("label,cat,dog\n")
    assert RunDirectory(tmp_path).report_files() == [tmp_path / "report.html"]
