"""What is derived from the options, and an option that is added in one line."""

import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from mindcv_shufflenet.cli.parser import Parser
from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.cli.words import parse
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options import names
from mindcv_shufflenet.options.augmentation import Augmentation
from mindcv_shufflenet.options.bounds import Count
from mindcv_shufflenet.options.config import Config, load_yaml, parse_config
from mindcv_shufflenet.options.option import ABSENT, SAME, given, option
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.schema.run import RunOptions
from mindcv_shufflenet.options.tables import (
    common,
    groups_of,
    names_of,
    neutral,
    notes_on_options,
    options_of,
    paths,
    read_by,
    resumed,
    unread,
    without_effect,
)

DOCS = Path(__file__).parents[2] / "docs"


class PatientRun(RunOptions):
    """run"""

    patience: Count | None = option(
        None, "epochs without a better score before the training ends", read_by="train", mindcv=ABSENT,
        needs=given("val_while_train"), is_common=True,
    )  # fmt: skip


class Extended(PatientRun, Config):
    """The options and one more."""


def test_an_option_is_one_line(tmp_path: Path) -> None:
    """It is on both pages of help, in words and YAML, in the reference page, in notes and in what a run records."""
    for complete in (False, True):
        text = Parser("train.py", "train", complete, Extended).format_help()
        assert "--patience" in text
        assert "epochs without a better score" in " ".join(text.split())
    assert "patience" not in Parser("shufflenet predict", "predict", schema=Extended).names
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("patience: None\n")
    assert load_yaml(recipe, Extended) == {"patience": None}
    words = ["-c", str(recipe), "--dataset", "digits"]
    assert parse("train.py", "train", words, Extended).options == {"patience": None, "dataset": "digits"}
    assert parse("train.py", "train", [*words, "--patience", "3"], Extended).options["patience"] == 3
    with pytest.raises(UserError, match=r"unknown option patiense \(did you mean patience\?\)"):
        parse_config({"patiense": 3}, Extended)
    with pytest.raises(UserError, match="patience=0: it must be greater than or equal to 1"):
        parse_config({"patience": 0}, Extended)
    page = runpy.run_path(str(DOCS / "generate_options.py"))["page"](Extended)
    assert (
        "| `patience` | integer or null | `null` | - | epochs without a better score before the training ends;"
        " *needs val_while_train* | train |\n" in page
    )
    assert groups_of(Extended)["run"] == [*groups_of()["run"], "patience"]
    assert unread("validate", ["patience", "lr", "seed"], Extended) == ["validate does not read patience, lr"]
    config = parse_config({"patience": 3, "val_while_train": False}, Extended)
    told = "without effect here: val_interval, patience (needs val_while_train)"
    assert without_effect(config, ["val_interval", "patience"]) == [told]
    assert config.replace(seed=1).recipe()["patience"] == 3
    with pytest.raises(UserError, match="unknown option patience"):
        parse_config({"patience": 3})


def test_every_option_says_who_reads_it() -> None:
    for name, known in options_of().items():
        assert known.read_by, name
        assert known.read_by <= VERBS.keys(), name
        assert Config.model_fields[name].description, name


def test_the_options_of_preprocessing_are_its_fields() -> None:
    assert {*names_of("preprocessing")} == {field.name for field in fields(Preprocessing)}


def test_the_defaults_of_preprocessing_and_augmentation_are_those_of_the_options() -> None:
    assert Preprocessing.of(parse_config({})) == Preprocessing()
    assert Augmentation.of(parse_config({})) == Augmentation()


def test_each_verb_reads_its_options() -> None:
    assert {*options_of()} - {*read_by("train")} == {
        *("random_weights", "val_amp_level", "engine", "precision", "tta", "tta_shift"),
    }
    assert {"dataset", "val_split", "ckpt_path", "eval_shuffle"} <= {*read_by("validate")}
    assert not {*names_of("network", "preprocessing")} - {*read_by("predict")}
    assert read_by("convert") == ("model", "layout", "ckpt_key", "allow_missing", "overwrite")
    assert {*read_by("models")} == {"num_classes", "image_resize", *names_of("network")}
    assert common("convert") == ("model", "overwrite")
    assert unread("train", ["lr", "seed"]) == []


def test_paths_and_what_a_resumed_run_takes_over() -> None:
    assert paths() == ("data_dir", "ckpt_path", "ckpt_save_dir", "teacher")
    assert neutral() == (
        *("early_stopping", "tensorboard", "log_interval", "num_parallel_workers", "ckpt_path", "ckpt_save_dir"),
        "report",
    )
    left = {"device_target", "num_parallel_workers", "ckpt_save_dir"}
    assert {*options_of()} - {*resumed()} == left | {*names_of("command")}


@pytest.mark.parametrize(
    ("options", "ranks", "idle"),
    [
        ({}, 1, "jit (needs mode 1); sync_bn (needs several ranks); clip_value (needs clip_grad)"),
        ({"mode": 1, "clip_grad": True}, 2, "distribute (needs a start without mpirun or msrun)"),
        ({"dataset": "digits", "scheduler": "constant"}, 2, "data_dir (needs another data set); min_lr (needs scheduler"
         " cosine_decay, linear_decay, one_cycle, cyclic);"
         " decay_epochs (needs scheduler cosine_decay, linear_decay, step_decay)"),
        ({"cutmix_prob": 0, "train_crop": "padded"}, 2, "scale, ratio (needs a resized train_crop);"
         " mixup, cutmix (needs cutmix_prob above 0 and batch_size above 1)"),
        ({"opt": "adam", "ckpt_path": "x"}, 2, "momentum (needs opt sgd, momentum, rmsprop)"),
        ({"in_channels": 1, "mean": [0], "std": [1]}, 2, "channel_order (needs in_channels 3)"),
        ({"keep_checkpoint_max": 0}, 2, "ckpt_save_interval, ckpt_save_policy (needs keep_checkpoint_max)"),
    ],
)  # fmt: skip
def test_options_without_effect_are_told(options: dict[str, object], ranks: int, idle: str) -> None:
    named = [part.partition(" (needs")[0] for part in idle.split("; ")]
    given_names = [name for part in named for name in part.split(", ")]
    assert without_effect(parse_config(options), given_names, ranks) == [f"without effect here: {idle}"]
    assert without_effect(parse_config(options), ["lr", "seed"], ranks) == []


def test_an_option_that_a_verb_does_not_read_is_told_once() -> None:
    config = parse_config({"dataset": "digits"})
    told = ["validate does not read min_lr, clip_value", "without effect here: data_dir (needs another data set)"]
    assert notes_on_options("validate", config, ["min_lr", "clip_value", "data_dir", "seed"]) == told
    assert notes_on_options("train", config, ["sync_bn"], ranks=2) == []


def test_mindcvs_defaults_are_told_where_they_differ() -> None:
    others = {name: known.mindcv for name, known in options_of().items() if known.mindcv not in (SAME, ABSENT)}
    assert (others["opt"], others["weight_decay"], others["val_while_train"]) == ("adam", 1e-6, False)
    assert [name for name, value in others.items() if value == Config.model_fields[name].default] == []


def test_an_unknown_data_set_is_refused_unless_it_was_registered_when_it_was_recorded() -> None:
    with pytest.raises(UserError, match=r"^unknown data set cifer10 \(did you mean cifar10\?\); there are digits, "):
        parse_config({"dataset": "cifer10"})
    assert parse_config({"dataset": "birds"}, is_recorded=True).dataset == "birds"
    names.DATASETS["birds"] = names.Traits()
    try:
        assert parse_config({"dataset": "birds"}).dataset == "birds"
    finally:
        del names.DATASETS["birds"]


def test_every_option_has_a_title() -> None:
    groups = groups_of()
    assert [*groups] == [
        "system", "data", "augmentation", "model", "run", "optimizer", "schedule", "loss", "distillation",
        "precision",
    ]  # fmt: skip
    assert [name for members in groups.values() for name in members] == [*Config.model_fields]
