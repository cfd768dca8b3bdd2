"""Which runs a sweep's file lists, and the mistakes in it."""

import re
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.sweeps.sweep_file import SweepRun, read_sweep

DOCS = Path(__file__).parents[2] / "docs"


def read(folder: Path, text: str) -> list[SweepRun]:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return read_sweep(path)


def test_runs_times_grid_over_a_recipe(tmp_path: Path) -> None:
    runs = read(
        tmp_path,
        """
        config: digits
        options: {epoch-size: 5, weight_decay: 1e-4}
        runs:
          small:
          large: {model: shufflenet_v2_x1_0, weight_decay: 0}
        grid:
          lr: [0.05, 1e-1]
          scale: [[0.08, 1], [0.5, 1]]
        """,
    )
    assert [run.name for run in runs] == [
        f"{name},lr={lr},scale={scale}"
        for name in ("small", "large")
        for lr in ("0.05", "1e-1")
        for scale in ("0.08-1", "0.5-1")
    ]
    first, last = runs[0].options, runs[-1].options
    assert (first["model"], first["weight_decay"], first["lr"], first["scale"]) == (
        *("shufflenet_v2_x0_5", 1e-4, 0.05),
        [0.08, 1.0],
    )
    assert (last["model"], last["weight_decay"], last["lr"], last["epoch_size"]) == ("shufflenet_v2_x1_0", 0.0, 0.1, 5)
    assert first["dataset"] == "digits"


def test_runs_of_several_recipes(tmp_path: Path) -> None:
    runs = read(tmp_path, "runs: {a: {config: shufflenet_v2_x0_5}, b: {config: shufflenet_v2_x1_0, lr: 0.3}}")
    assert [(run.name, run.options["model"], run.options["lr"]) for run in runs] == [
        ("a", "shufflenet_v2_x0_5", 0.35),
        ("b", "shufflenet_v2_x1_0", 0.3),
    ]
    assert "ckpt_save_dir" not in runs[0].options  # the recipe has one


def test_an_older_name_of_an_option_holds(tmp_path: Path) -> None:
    (run,) = read(tmp_path, "runs: {a: {config: digits, filter_bias_and_bn: True}}")
    assert parse_config(run.options).weight_decay_filter == "norm_and_bias"


@pytest.mark.parametrize("page", ["sweep.md", "sweep_CN.md"])
def test_the_example_of_the_docs_lists_twelve_runs(tmp_path: Path, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    (example,) = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    runs = read(tmp_path, example)
    assert (len(runs), runs[0].name) == (12, "x0_5,lr=0.05,weight_decay=1e-4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "sweep.yaml lists no run: give `runs:` with names and options, or `grid:`"),
        ("run: {a: {}}", r"has no argument run \(did you mean runs\?\); it takes config, grid, options, runs"),
        ("runs: {a: {lrr: 1}}", r"run a: unknown option lrr \(did you mean lr\?\)"),
        ("runs: {a: {lr: 0.1}, b: {lr: -1}}", "run b: lr=-1"),
        ("grid: {lr: [0.1, x]}", "run lr=x: lr=x: it must be a valid number"),
        ("grid: {lr: 0.1}", r"grid: lr must have a list of values, such as lr: \[A, B\]"),
        ("grid: {lr: []}", "grid: lr must have a list"),
        ("grid: {lr: [0.1, 0.1]}", "lists two runs of the name lr=0.1"),
        ("runs: {a: {}, a: {}}", "not valid YAML at line 1: a stands there twice"),
        ("runs: {a/b: {}}", "a/b is no name of a run"),
        ("runs: {..: {}}", ".. is no name of a run"),
        ("runs: [a, b]", r"runs must hold `name: value` lines, and is \['a', 'b'\]"),
        ("runs: {a: {model: shufflenet_v2_x1}}", "run a: unknown model shufflenet_v2_x1"),
        ("runs: {a: {config: none.yaml}}", "run a: cannot read the recipe none.yaml"),
        ("config: digit\nruns: {a: {}}", r"cannot read the recipe digit: .* \(did you mean digits\?\)"),
        ("runs: {a: {resume_opt: true}}", "run a: resume_opt is what the sweep decides: leave it out"),
        ("options: {ckpt_save_dir: x}\nruns: {a: {}}", "run a: ckpt_save_dir is what the sweep decides"),
    ],
)
def test_mistakes_are_told_before_a_run_starts(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*none.yaml; docs/sweep.md shows one"):
        read_sweep(tmp_path / "none.yaml")
