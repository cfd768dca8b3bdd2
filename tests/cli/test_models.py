"""``models``: what is listed, what a network consists of, and the tables that other programs read."""

import csv
import io
import json
from pathlib import Path

import pytest

from mindcv_shufflenet import families
from mindcv_shufflenet.commands.model_tables import layer_table, listing_table, scores_table, title, weights_table
from mindcv_shufflenet.commands.models import csv_text
from mindcv_shufflenet.console import SafeConsole
from mindcv_shufflenet.models.catalogue import catalogue, describe
from mindcv_shufflenet.weights.records import RECORDS
from tests.cli.conftest import Command

X1_0 = "shufflenet_v2_x1_0"


def test_models_are_listed_with_their_costs(command: Command) -> None:
    status, output, _ = command("models", "shufflenet_v2_x1_0*", "--json", "-")
    assert status == 0
    result = json.loads(output)
    cost = {"parameters": 2_278_760, "multiply_adds": 145_814_296, "image_size": 224}
    assert result["models"][X1_0] == cost
    weights = result["weights"][f"{X1_0}.tv_in1k"]
    assert (weights["top1"], weights["parameters"], weights["layout"]) == (69.362, 2_278_604, "torchvision")
    assert "network" not in result


def test_a_network_is_shown_layer_by_layer(command: Command) -> None:
    status, output, told = command("models", f"{X1_0}.tv_in1k", "--json", "-")
    assert status == 0
    result = json.loads(output)
    assert [*result["weights"]] == [f"{X1_0}.tv_in1k"]
    network = result["network"]
    assert (network["layout"], network["image_size"], network["parameters"]) == ("torchvision", 224, 2_278_604)
    for name in ("parameters", "multiply_adds"):
        assert sum(layer[name] for layer in network["layers"]) == network[name]
    assert sum(layer["share"] for layer in network["layers"]) == pytest.approx(100)
    assert network["layers"][1] == {
        "name": "first_conv.0", "kind": "conv", "kernel": 3, "stride": 2, "groups": 1, "stage": "stem",
        "output": [24, 112, 112], "parameters": 648, "multiply_adds": 8_128_512,
        "share": pytest.approx(100 * 8_128_512 / 144_907_992),
    }  # fmt: skip
    rows = [line.split() for line in told.splitlines()]
    assert rows[0][:3] == [f"{X1_0}:", "layout", "torchvision,"]
    assert ["first_conv.0", "3x3/2", "24x112x112", "696", "8.13", "5.6"] in rows  # with its BatchNorm
    assert ["branch_main.3", "3x3/2", "dw", "232x7x7", "2,552", "0.10", "0.1"] in rows
    assert ["stage2", "116x28x28", "30,192", "25.72", "17.8"] in rows
    assert ["classifier", "dense", "1000x1x1", "1,025,000", "1.02", "0.7"] in rows
    assert ["total", "2,278,604", "144.91", "100.0"] in rows
    assert [".tv_in1k", "69.36", "88.32", "torchvision,", "models/shufflenetv2.py"] in rows
    assert [".tv_in1k", "pillow", "256,", "rgb", "BSD-3-Clause"] in rows


def test_options_describe_another_network(command: Command) -> None:
    words = ["--stem", "cifar", "--image_resize", 32, "--num_classes", 10]
    status, output, _ = command("models", "shufflenet_v2_x0_5", *words, "--json", "-")
    assert status == 0
    network = json.loads(output)["network"]
    assert (network["parameters"], network["multiply_adds"], network["stem"]) == (352_032, 10_902_016, "cifar")
    grey = json.loads(command("models", "shufflenet_v2_x0_5", *words, "--in_channels", 1, "--json", "-")[1])["network"]
    assert network["parameters"] - grey["parameters"] == 2 * 9 * 24
    assert json.loads(output)["models"]["shufflenet_v2_x0_5"]["parameters"] == 1_365_792


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resnet*"], "no model matches resnet*; `shufflenet models` lists them all"),
        (["shuflenet_v2_x1_0"], f"no model matches shuflenet_v2_x1_0 (did you mean {X1_0}?)"),
        (["shufflenet_v2_x1_?", "--stem", "cifar"], f"--stem is for one network: give its whole name, such as {X1_0}"),
        ([X1_0, "--stem", "cifer"], "stem=cifer: "),
        ([X1_0, "--batch_size", 3], "shufflenet models does not take --batch_size"),
        ([X1_0, "--csv", "-", "--json", "-"], "--csv and --json both go to standard output: give one of them a file"),
        ([X1_0, "--csv", "/no/such/place.csv"], "cannot write /no/such/place.csv: give --csv a file in a folder"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_line(command: Command, words: list[object], message: str) -> None:
    status, output, error = command("models", *words)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert error.startswith("error: ")
    assert message in error


def test_a_csv_has_a_row_for_each_published_weight(command: Command) -> None:
    status, output, _ = command("models", "--csv", "-")
    assert status == 0
    reader = csv.DictReader(io.StringIO(output))
    assert reader.fieldnames is not None
    assert ",".join(reader.fieldnames) == (
        "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation,gmacs,source"
    )
    rows = {row["model"]: row for row in reader}
    without = families.models().keys() - {record.model for record in RECORDS.values()}
    assert rows.keys() == RECORDS.keys() | without
    assert rows[f"{X1_0}.tv_in1k"] == {
        "model": f"{X1_0}.tv_in1k", "img_size": "224", "top1": "69.362", "top1_err": "30.638", "top5": "88.316",
        "top5_err": "11.684", "param_count": "2.28", "crop_pct": "0.875", "interpolation": "bilinear",
        "gmacs": "0.1449", "source": "torchvision, models/shufflenetv2.py",
    }  # fmt: skip
    scores = [float(row["top1"] or 0) for row in rows.values()]
    assert scores == sorted(scores, reverse=True)


def test_a_csv_leaves_out_what_is_not_known() -> None:
    network, *_ = catalogue(X1_0)
    (row,) = csv.DictReader(io.StringIO(csv_text([network])))
    assert all(row[name] == "" for name in ("top1", "top5_err", "crop_pct", "source"))
    assert (row["model"], row["param_count"]) == (X1_0, "2.28")


def test_a_csv_replaces_nothing_but_an_earlier_one(command: Command, tmp_path: Path) -> None:
    target = tmp_path / "models.csv"
    for _ in range(2):
        assert command("models", X1_0, "--csv", target)[0] == 0
        assert len(target.read_text().splitlines()) == 1 + len([r for r in RECORDS.values() if r.model == X1_0])
    target.write_text("model,mine\n")
    status, _, error = command("models", X1_0, "--csv", target)
    assert (status, error) == (
        2,
        f"error: {target} is there already and is no earlier result: give --csv another name\n",
    )
    assert target.read_text() == "model,mine\n"
    status, _, error = command("models", X1_0, "--csv", tmp_path / "x", "--json", tmp_path / "x")
    assert (status, error) == (2, f"error: --json {tmp_path / 'x'} is the file of csv too: give --json another name\n")


@pytest.mark.parametrize("model", ["", *sorted(families.models())])
def test_no_table_breaks_at_80_columns(model: str) -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, width=80, force_terminal=True, color_system=None)
    if model:
        console.print(title(describe(model)))
        console.print(layer_table(describe(model)))
        if records := [one.record for one in catalogue(model) if one.record]:
            console.print(scores_table(records))
            console.print(weights_table(records))
    else:
        console.print(listing_table(catalogue()))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    # a table that is too wide is printed as mere lines, whose lengths differ
    columns = next(line for line in lines if line.startswith(("layer", "model")))
    total = lines[-1] if not model else next(line for line in lines if line.startswith("total"))
    assert len(columns) == len(total)
