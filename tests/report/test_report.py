"""Reports of a run: their figures, files, and what becomes of runs that lack something."""

import csv
import logging
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from sklearn.datasets import load_digits

from mindcv_shufflenet import cli
from mindcv_shufflenet.deploy.predictor import Predictor
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.evaluation.evaluate import evaluate
from mindcv_shufflenet.report.comparison_page import comparison_page
from mindcv_shufflenet.report.page import state_of
from mindcv_shufflenet.report.run import Epoch, Run, read_log, read_run
from mindcv_shufflenet.report.run_page import run_page
from mindcv_shufflenet.report.write import write_report
from mindcv_shufflenet.storage.files import exclusive
from mindcv_shufflenet.storage.run_directory import REPORT_MARKER
from mindcv_shufflenet.training.train import train
from mindcv_shufflenet.weights.checkpoint import change_metadata
from mindcv_shufflenet.weights.load import read_weights
from tests.report.conftest import OPTIONS
from tests.report.findings import made_up
from tests.report.pages import check
from tests.small import MODEL
from tests.weights.networks import read_arrays

BEST = f"{MODEL}-best.ckpt"


def table(path: Path) -> tuple[list[str], np.ndarray]:
    """The head of a CSV file, and its numbers without the first column."""
    with open(path, encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return head, np.array([row[1:] for row in rows], float)


def copy(run: Path, folder: Path, **changes: str) -> Path:
    """A copy of a run with other lines of its config.yaml, and with the temperature 1."""
    shutil.copytree(run, folder)
    lines = (folder / "config.yaml").read_text().splitlines()
    named = [next((f"{n}: {v}" for n, v in changes.items() if line.startswith(f"{n}:")), line) for line in lines]
    (folder / "config.yaml").write_text("\n".join(named))
    metadata = read_weights(folder / BEST).metadata
    assert metadata
    change_metadata(folder / BEST, metadata._replace(temperature=1.0))
    return folder


def test_a_training_ends_with_a_report_of_its_best_weights(run: Path, tmp_path: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    page = check(text)
    assert len(text) < 1_000_000
    best = max(row.val_top1 or 0 for row in read_log(run / "log.csv"))
    assert f"<dd>{best:.2f} %</dd>" in text
    assert len([alt for alt in page.pictures if alt and "Image of the class" in alt]) == 12
    head, matrix = table(run / "confusion.csv")
    assert head == [f"{REPORT_MARKER}: label", *map(str, range(10))]
    assert (matrix.sum(), matrix.trace()) == (360, pytest.approx(best / 100 * 360))
    assert np.array_equal(matrix.sum(axis=1), table(run / "per_class.csv")[1][:, -1])
    assert table(run / "confusion_train.csv")[1].sum() == 360
    recall = matrix.diagonal() / matrix.sum(axis=1)
    np.testing.assert_allclose(table(run / "per_class.csv")[1][:, 1], recall)
    report = write_report(run, output=tmp_path / "again.html", language="zh", full=True)
    assert table(tmp_path / "confusion_train.csv")[1].sum() == 1437
    measured = evaluate({"ckpt_path": run / BEST, "mode": 1})
    assert (report.top1, report.top5) == (pytest.approx(measured.top1), pytest.approx(measured.top5))
    assert report.best_top1 == (pytest.approx(best),)
    assert 'id="zh" aria-label="中文" checked' in (tmp_path / "again.html").read_text(encoding="utf-8")


def test_the_temperature_lies_in_the_checkpoint_and_predictions_use_it(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy(run, tmp_path / "run")
    image = np.repeat(np.repeat(load_digits().images[0][..., None] * 15, 2, 0), 2, 1).astype(np.uint8).repeat(3, 2)
    raw = next(Predictor(ckpt_path=folder / BEST, engine="onnxruntime").scores([image]))
    report = write_report(folder)
    temperature = report.temperature
    assert temperature
    assert temperature != 1
    assert report.calibrated_ece != report.ece
    metadata = read_weights(folder / BEST).metadata
    assert metadata
    assert metadata.temperature == temperature
    before, after = read_arrays(run / BEST), read_arrays(folder / BEST)
    assert all(np.array_equal(before[name], after[name]) for name in before.keys() | after.keys())
    caplog.set_level(logging.INFO, "mindcv_shufflenet")
    calibrated = next(Predictor(ckpt_path=folder / BEST, engine="onnxruntime").scores([image]))
    assert "the probabilities are calibrated: temperature" in caplog.text
    expected = raw ** (1 / temperature)
    np.testing.assert_allclose(calibrated, expected / expected.sum(), rtol=1e-5)


def test_a_run_that_is_at_work_is_only_read(run: Path, tmp_path: Path) -> None:
    folder = copy(run, tmp_path / "run", epoch_size="5")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".ckpt", ".state")}
    with exclusive(folder):
        write_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "running, epoch 2 of 5 done" in text
    assert "It is not in the checkpoint" in text
    assert {name: (folder / name).read_bytes() for name in before} == before
    write_report(folder)
    assert "stopped after epoch 2 of 5" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_temperature_is_kept_for_the_images_of_the_run_alone(run: Path, tmp_path: Path) -> None:
    folder = copy(run, tmp_path / "run")
    before = (folder / BEST).read_bytes()
    report = write_report(folder, options={"val_split": "train"})
    assert report.temperature not in (None, 1)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "the images are not those that the training has validated (--val_split)" in text
    assert (folder / BEST).read_bytes() == before
    write_report(folder, options={"batch_size": 100, "val_split": "val"})
    assert "It is in <code>" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / BEST).read_bytes() != before


def test_a_report_that_fails_fails_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failure = IndexError("index 9 is out of bounds")

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    caplog.set_level(logging.DEBUG, "mindcv_shufflenet")
    monkeypatch.setattr("mindcv_shufflenet.report.write.write_report", fail)
    few = {"mode": 1, "epoch_size": 1, "num_samples": 32, "val_while_train": False}
    assert train(OPTIONS | few | {"ckpt_save_dir": tmp_path}).report is None
    told = [record for record in caplog.records if record.getMessage().startswith("there is no report: ")]
    assert [(one.levelname, one.exc_info, one.args) for one in told] == [("INFO", None, (str(failure),))]
    assert [one.levelname for one in caplog.records if one.exc_info and one.exc_info[1] is failure] == ["DEBUG"]


def test_options_set_to_zero_are_told(run: Path, tmp_path: Path) -> None:
    recipe = read_run(copy(run, tmp_path / "run", layer_decay="0.5", hflip="0", early_stopping="0")).recipe()
    assert recipe["color_jitter"] == (0, 0.4)
    assert recipe["hflip"] == (0, 0.5)
    assert "drop_rate" not in recipe  # the model's own
    assert read_run(copy(run, tmp_path / "other", color_jitter="null", drop_path_rate="0")).recipe()[
        "drop_path_rate"
    ] == (0, None)


def test_a_loss_that_is_no_number_is_left_out_of_the_curves(run: Path, tmp_path: Path) -> None:
    folder = copy(run, tmp_path / "run")
    (folder / "log.csv").write_text("epoch,train_loss,val_loss\n1,2.5,inf\n2,1.5,nan\n3,,0.5\n")
    found = read_run(folder)
    assert found.epochs[1].val_loss is None
    assert found.values(lambda epoch: epoch.val_loss) == [(3, 0.5)]
    assert found.values(lambda epoch: epoch.train_loss) == [(1, 2.5), (2, 1.5)]
    page = run_page(found, None, Markup("no"), Markup(), "en")
    for text in (page, comparison_page([found, found], "en")):
        check(text)
        assert not re.search(r"\b(inf|nan)\b", re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL))
    assert str(folder / "config.yaml") in page


def test_several_runs_stand_side_by_side(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = copy(run, tmp_path / "other" / "first", lr="0.5")
    log = (other / "log.csv").read_text().splitlines()
    row = dict(zip(log[0].split(","), log[-1].split(","), strict=True)) | {"epoch": "3", "val_top1": "99.5"}
    (other / "log.csv").write_text("\n".join([*log, ",".join(row.values())]) + "\n")
    monkeypatch.chdir(tmp_path)
    report = write_report([run, other])
    assert report.file == Path("report.html")
    assert report.best_top1[1] == 99.5
    text = report.file.read_text(encoding="utf-8")
    check(text)
    assert "other/first" in text
    assert '<td class="best">99.50 %</td>' in text
    assert re.search(r"<code>lr</code></th><td class=\"name\">0.05</td><td class=\"name\">0.5</td>", text)
    assert "ckpt_save_dir" not in text
    assert not (tmp_path / "confusion.csv").exists()
    assert '<td class="name">digits</td>' in text
    (tmp_path / "confusion.csv").write_text("my,own\n")
    rows = csv.DictReader(log)
    lines = [log[0], *(",".join({**row, "seconds": "0.1"}.values()) for row in rows)]
    (other / "log.csv").write_text("\n".join(lines) + "\n")
    text = write_report([run, other]).file.read_text(encoding="utf-8")  # it writes no tables
    assert (tmp_path / "confusion.csv").read_text() == "my,own\n"
    assert '<td class="">0:00:00</td>' in text  # less time is no better result


def test_without_images_or_weights_the_log_is_reported(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mindcv_shufflenet")
    moved = copy(run, tmp_path / "moved", dataset="folder", data_dir=str(tmp_path / "none"))
    assert write_report(run, output=moved / "report.html").tables
    (moved / "per_class.csv").unlink()
    assert write_report(moved).top1 is None
    assert [*moved.glob("confusion*.csv")] == []  # of an earlier report, which had found the images
    assert "the report has no confusion matrix: " in caplog.text
    text = (moved / "report.html").read_text(encoding="utf-8")
    check(text)
    assert str(tmp_path / "none") in text
    for path in moved.glob("*.ckpt"):
        path.unlink()
    again = moved / ".." / moved.name
    assert write_report([moved, again], output=moved / "report.html").runs in [(moved,), (again,)]
    assert "there is no checkpoint yet" in (moved / "report.html").read_text(encoding="utf-8")


def test_what_is_no_run_gets_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(tmp_path)], verb="report") == 2
    assert f"{tmp_path} has no log.csv: give the folder of a run" in capsys.readouterr().err
    (tmp_path / "log.csv").write_text("epoch,lr\n1,0.1\n")
    with pytest.raises(UserError, match="has no config.yaml of a run"):
        write_report(tmp_path)
    folder = copy(run, tmp_path / "run")
    whole = (run / "log.csv").read_text()
    for part, what in (
        (whole[:-1], "its last line is cut off"),
        (whole.rpartition(",")[0] + "\n", "a line has not as many columns as the head"),
    ):
        (folder / "log.csv").write_text(part)
        with pytest.raises(UserError, match=f"cannot read .*log.csv: {what}; copy the run again"):
            write_report(folder)
    (folder / "log.csv").write_text("epoch,lr\n")
    with pytest.raises(UserError, match="has no finished epoch yet"):
        write_report(folder)
    (folder / "log.csv").write_text("epoch,lr\n,0.1\n")
    with pytest.raises(UserError, match="cannot read .*log.csv: a line has no epoch; copy the run again"):
        write_report(folder)
    (folder / "log.csv").write_text("epoch,lr\none,0.1\n")
    with pytest.raises(UserError, match="cannot read .*log.csv"):
        write_report(folder)
    with pytest.raises(UserError, match="unknown language fr; there are en, zh"):
        write_report(run, language="fr")
    with pytest.raises(UserError, match="give a run directory"):
        write_report([])
    for name, content in (("page.html", "<title>A shufflenet report</title>"), ("confusion.csv", "label,cat,dog\n")):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=f"{name} is there already and is no earlier report"):
            write_report(run, output=tmp_path / "page.html")
        assert (tmp_path / name).read_text() == content
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match=r"per_class.csv is where a table of the report goes"):
        write_report(run, output=tmp_path / "per_class.csv")
    with pytest.raises(UserError, match="cannot write /proc/page.html: give --output a file in a folder"):
        write_report(run, output="/proc/page.html")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is there already and is no earlier report"):
        write_report(run, output=tmp_path / "pipe")


def test_a_page_of_200_classes(run: Path) -> None:
    text = run_page(*made_up(run, 200), Markup(), Markup(), "en")
    page = check(text)
    assert len(text) < 3_000_000
    assert len([alt for alt in page.pictures if alt and "Confusion matrix, 200" in alt]) == 2
    assert (
        '<tr><th scope="row">class &lt;7&gt;</th><td class="name">class &lt;8&gt;</td><td>50</td><td>100.0 %</td>'
        in text
    )
    assert "Classes with the lowest F1: 10" in text
    assert "of 100,000" in text
    assert "other name" not in text


@pytest.mark.parametrize(("ema", "said"), [(80.5, "helped: its best top-1 is 80.50 %"), (10.0, "did not help")])
def test_the_average_is_said_to_help_or_not(run: Path, ema: float, said: str) -> None:
    found = read_run(run)
    epochs = [Epoch(1, 0.1, 2.0, 30.0, 2.0, 70.0, 90.0, None, 100.0, 5.0), Epoch(2, val_top1=75.0, ema_top1=ema)]
    shown = Run(found.directory, found.options, found.config, epochs, is_running=False)
    text = run_page(shown, None, Markup("no"), Markup(), "en")
    check(text)
    assert said in text
    assert shown.best == epochs[1]
    assert ("of the average" in text) == (ema > 75)


@pytest.mark.parametrize(
    ("tops", "patience", "epochs", "said"),
    [
        ([70, 60], 1, 3, "stopped early after epoch 2 of 3"),
        ([70, 60], 2, 3, "stopped after epoch 2 of 3"),
        ([70, 60], 0, 3, "stopped after epoch 2 of 3"),
        ([70, 60, None], 1, 9, "stopped after epoch 3 of 9"),  # it ends after a validated epoch alone
        ([70, 60], 1, 2, "finished after epoch 2"),
        ([None], 1, 2, "stopped after epoch 1 of 2"),
    ],
)
def test_the_state_of_a_run_is_said(
    run: Path, tmp_path: Path, tops: list[float | None], patience: int, epochs: int, said: str
) -> None:
    found = read_run(copy(run, tmp_path / "run", early_stopping=str(patience), epoch_size=str(epochs)))
    rows = [Epoch(number, val_top1=top) for number, top in enumerate(tops, start=1)]
    assert said in state_of(replace(found, epochs=rows))


def test_what_is_damaged_in_the_run_is_logged(run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = copy(run, tmp_path / "run")
    (folder / "classes.json").write_text("{")
    caplog.set_level(logging.INFO, "mindcv_shufflenet")
    read_run(folder)
    assert "classes.json is not read: it is damaged, or another program's" in caplog.text
