"""An average of a run's checkpoints: which are taken, what is written, its BatchNorm statistics and its scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet import cli
from mindcv_shufflenet.averaging.average import average_checkpoints
from mindcv_shufflenet.deploy.conversion import convert
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluation.evaluate import evaluate
from mindcv_shufflenet.training.train import train
from mindcv_shufflenet.weights.load import read_weights
from tests.small import MODEL
from tests.training.runs import options
from tests.weights.networks import read_arrays

EAGER = {"mode": 1, "jit": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs that nothing compiles."""
    folder = tmp_path_factory.mktemp("average") / "run"
    train(options(folder, epoch_size=3, lr=0.05, warmup_epochs=0))
    return folder


def numbered(run: Path, *epochs: int) -> list[Path]:
    return [run / f"{MODEL}-{epoch}_2.ckpt" for epoch in epochs]


@pytest.mark.parametrize(
    ("chosen", "epochs"), [({}, (1, 2, 3)), ({"last": 2}, (2, 3)), ({"epochs": (1, 2)}, (1, 2))], ids=str
)
def test_checkpoints_of_a_run_are_averaged(
    run: Path, tmp_path: Path, chosen: dict[str, Any], epochs: tuple[int, ...]
) -> None:
    average = average_checkpoints(run, tmp_path / "average.ckpt", **chosen)
    assert [*average.members] == numbered(run, *epochs)
    members, mean = [read_arrays(path) for path in average.members], read_arrays(average.output)
    for name, value in mean.items():
        np.testing.assert_allclose(value, np.mean([one[name] for one in members], axis=0), rtol=1e-6, atol=1e-7)
    last, own = (read_weights(path).metadata for path in (average.members[-1], average.output))
    assert last
    assert own
    assert (own.options, own.classes, own.epoch) == (last.options, last.classes, None)
    assert str(own.origin).startswith(f"average of {len(epochs)} checkpoints ({MODEL}-{epochs[0]}_2.ckpt, ")
    convert(average.output, tmp_path / "converted.npz")
    assert read_weights(tmp_path / "converted.npz").metadata == own


def test_statistics_over_training_images_and_scores(run: Path, tmp_path: Path) -> None:
    """Statistics of the weights' own: with equal members they replace those of the training, and nothing else."""
    averaged = average_checkpoints(run, tmp_path / "mean.ckpt", last=2)
    average = average_checkpoints(
        run, tmp_path / "new.ckpt", last=2, recompute_bn=40, validate=True, options={"batch_size": 16}
    )
    assert average.recomputed == 48  # whole batches
    mean, new = (read_arrays(path) for path in (averaged.output, average.output))
    moved = {name for name, value in new.items() if not np.array_equal(value, mean[name])}
    assert moved == {name for name in new if name.endswith(("moving_mean", "moving_variance"))}
    assert [score.file for score in average.scores] == [*map(str, (*numbered(run, 2, 3), average.output))]
    for score in (average.scores[0], average.scores[-1]):
        alone = evaluate({"ckpt_path": score.file, **EAGER})
        assert (alone.top1, alone.top5) == (score.top1, score.top5)
        assert alone.loss == pytest.approx(score.loss, rel=1e-5)


def test_statistics_of_one_checkpoint(run: Path, tmp_path: Path) -> None:
    done = average_checkpoints(run, tmp_path / "one.npz", last=1, recompute_bn=64, options=EAGER)
    own = read_weights(done.output).metadata
    assert own
    assert own.origin == f"weights of {MODEL}-3_2.ckpt; BatchNorm statistics over 64 training images"
    before, after = (read_weights(path).arrays for path in (numbered(run, 3)[0], done.output))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if ".moving_" in name}


def test_frozen_norms_keep_their_statistics(tmp_path: Path) -> None:
    """As in the training: only those of the other parts are computed anew."""
    train(options(tmp_path / "run", freeze=["first_conv", "stage2"], lr=0.05, warmup_epochs=0))
    average = average_checkpoints(tmp_path / "run", tmp_path / "new.npz", recompute_bn=32, options=EAGER)
    before, after = read_arrays(average.members[0]), read_arrays(average.output)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    frozen = ("first_conv.", "features.0.")
    assert changed == {name for name in before if ".moving_" in name and not name.startswith(frozen)}
    everything = EAGER | {"freeze": ["backbone"]}
    with pytest.raises(UserError, match=f"freeze=backbone keeps all BatchNorm statistics of {MODEL}: leave --recom"):
        average_checkpoints(tmp_path / "run", tmp_path / "no.npz", recompute_bn=32, options=everything)
    assert not (tmp_path / "no.npz").exists()


@pytest.mark.parametrize(
    ("sources", "arguments", "message"),
    [
        ("{run}", {"last": 4}, "run has 3 of the checkpoints that are asked for; there are those of epochs 1, 2, 3: "),
        ("{run}", {"epochs": (3, 9)}, "run has 1 of the checkpoints"),
        ("{run}", {"last": 2, "epochs": (1, 2)}, "--last and --epochs are both given"),
        ("{run}/..", {}, "holds no run: give a run directory, or checkpoints"),
        (["{last}", "{last}"], {}, "there is .*last.ckpt alone to average"),
        (["{last}", "{run}"], {}, "run is a folder: give one run directory, or files"),
        (["{last}", "{best}"], {"last": 2}, "choose among the checkpoints of a run: give its folder alone"),
        (["{last}", "none.ckpt"], {}, "there is no checkpoint none.ckpt"),
        ("{run}", {"output": "{last}", "overwrite": True}, "last.ckpt is the name of a file of the run in"),
        ("{run}", {"output": "{ema}"}, "ema.ckpt is the name of a file of the run in"),  # which need not be there
        ("{run}", {"output": "{run}/none/a.ckpt"}, "cannot write .*a.ckpt: give --output a file in a folder that is"),
        ("{run}", {"output": "{first}", "overwrite": True}, "is one of the checkpoints that are averaged"),
        ("{run}", {"output": "average.txt"}, "is not a weights file of a known kind"),
    ],
)
def test_what_is_refused(run: Path, sources: str | list[str], arguments: dict[str, Any], message: str) -> None:
    places = {"run": run, "last": run / f"{MODEL}-last.ckpt", "best": run / f"{MODEL}-best.ckpt"}
    places |= {"first": numbered(run, 1)[0], "ema": run / f"{MODEL}-ema.ckpt"}
    given = [sources] if isinstance(sources, str) else sources
    arguments = {name: value.format(**places) if isinstance(value, str) else value for name, value in arguments.items()}
    paths = [source.format(**places) for source in given]
    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    with pytest.raises(UserError, match=message):
        average_checkpoints(paths[0] if isinstance(sources, str) else paths, **arguments)
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_a_conversion_replaces_no_file_of_a_run_either(run: Path, tmp_path: Path) -> None:
    best = run / f"{MODEL}-best.ckpt"
    before = best.read_bytes() if best.exists() else None
    with pytest.raises(UserError, match=r"best\.ckpt is the name of a file of the run in .*: give another name"):
        convert(numbered(run, 1)[0], best, overwrite=True)
    assert (best.read_bytes() if best.exists() else None) == before
    for _ in range(2):
        convert(numbered(run, 1)[0], run / "own.ckpt", overwrite=True)
    (run / "own.ckpt").unlink()


def test_the_command_says_what_it_has_written(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, result = tmp_path / "average.npz", tmp_path / "result.json"
    words = [str(run), "--epochs", "2-3", "--output", str(target), "--json", str(result)]
    assert cli.main(words, verb="average") == 0
    told = f"{target}: average of 2 checkpoints, BatchNorm statistics averaged too\n"
    assert capsys.readouterr().out == told
    found = json.loads(result.read_text())
    assert (found["model"], found["members"], found["scores"]) == (MODEL, [*map(str, numbered(run, 2, 3))], [])
    assert cli.main(words[:-2], verb="average") == 2
    assert "average.npz is there already" in capsys.readouterr().err
    assert cli.main([*words[:-2], "--overwrite"], verb="average") == 0
