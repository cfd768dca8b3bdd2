"""What is read of a run directory, and what is passed over."""

import json
from pathlib import Path

import pytest

from mindcv_shufflenet.storage.run_directory import (
    HeldOut,
    classes_of,
    is_run_file,
    numbered_name,
    read_run,
    run_files,
    run_paths,
)


def test_the_images_held_out_are_read(tmp_path: Path) -> None:
    held_out = HeldOut(0.25, 3, ("a/1.jpg", "b/2.jpg"))
    (tmp_path / "split.json").write_text(json.dumps(held_out._asdict()))
    assert read_run(tmp_path).held_out == held_out
    assert read_run(tmp_path).notes == []


def test_the_files_of_a_run_are_those_of_its_model(tmp_path: Path) -> None:
    paths = run_paths(tmp_path, "net")
    names = ["config.yaml", "classes.json", "split.json", "log.csv", "net-last.state", "net-last.ckpt", "net-best.ckpt"]
    assert {path.name for path in paths} == {*names[3:]}
    names += [numbered_name("net", 10, 22), numbered_name("net", 9, 22)]
    for name in (*names, "net2-last.ckpt", "net-9_22.npz", "net-last.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in run_files(tmp_path, "net")] == names
    assert all(is_run_file(name) for name in names)
    assert not is_run_file("result.json")


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"train": ["a.jpg"]}', '{"ratio": "0.2", "seed": 1, "files": []}', '{"files": [1]}']
)
def test_another_programs_split_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    run = read_run(tmp_path)
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
