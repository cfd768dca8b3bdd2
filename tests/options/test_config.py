"""The schema: what it lets through, and how it says no."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.annotations import parse_text
from mindcv_shufflenet.options.config import Config, load_yaml, parse_config
from mindcv_shufflenet.options.option import ABSENT
from mindcv_shufflenet.options.tables import names_of, options_of

OPTIONS_OF_MINDCV = """
mode distribute val_while_train val_interval log_interval seed device_target dataset data_dir train_split val_split
dataset_download num_parallel_workers shuffle num_samples batch_size drop_remainder image_resize scale ratio hflip
vflip color_jitter interpolation auto_augment aug_splits aug_repeats re_prob re_scale re_ratio re_value
re_max_attempts mean std crop_pct mixup cutmix cutmix_prob model num_classes in_channels drop_rate drop_path_rate
pretrained ckpt_path resume_opt keep_checkpoint_max ckpt_save_dir ckpt_save_interval ckpt_save_policy epoch_size
dataset_sink_mode ema ema_decay clip_grad clip_value gradient_accumulation_steps opt momentum weight_decay
use_nesterov weight_decay_filter eps layer_decay scheduler lr min_lr warmup_epochs warmup_factor decay_epochs
decay_rate multi_step_decay_milestones lr_epoch_stair num_cycles cycle_decay loss label_smoothing aux_factor
reduction amp_level val_amp_level amp_cast_list loss_scale_type loss_scale drop_overflow_update eval_shuffle
""".split()


@pytest.mark.parametrize("text", ["lr: 0.1\nlr: 0.2\n", "num_samples: 1\nnum-samples: 2\n"])
def test_a_name_that_stands_twice_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(UserError, match="is not valid YAML at line 2: .* stands there twice"):
        load_yaml(tmp_path / "recipe.yaml")


def test_every_option_of_mindcv_exists() -> None:
    absent = {name for name, known in options_of().items() if known.mindcv is ABSENT}
    assert {*OPTIONS_OF_MINDCV} == {*Config.model_fields} - absent


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 1}, r"unknown option learning_rate \(did you mean lr\?\)"),
        ({"Epochs": 1}, r"did you mean epoch_size\?"),
        ({"img-size": 1}, r"did you mean image_resize\?"),
        ({"batchsize": 1}, r"unknown option batchsize \(did you mean batch_size\?\)"),
        ({"lr": -1}, "lr=-1: it must be greater than or equal to 0"),
        ({"lr": True}, "lr=True: it does not take True or False"),
        ({"lr": float("nan")}, "lr=nan: it must be a finite number"),
        ({"batch_size": 1.5}, "batch_size=1.5: it must be a valid integer"),
        ({"batch_size": 0}, "batch_size=0: it must be greater than or equal to 1"),
        ({"mode": 2}, "mode=2: it must be 0 or 1"),
        ({"opt": "sdg"}, "opt=sdg: it must be 'sgd', 'momentum'"),
        ({"scale": [0.1]}, r"scale=\[0.1\]: it takes smallest and largest"),
        ({"scale": [1, 0.1]}, r"scale is \(1, 0.1\): the first must not be above"),
        ({"color_jitter": "strong"}, "color_jitter=strong: it takes one number"),
        ({"color_jitter": [0.1, 0.1, 0.1, 0.6]}, "hue is 0.6"),
        ({"mean": [127.5]}, "mean has 1 numbers and in_channels is 3"),
        ({"crop_pct": 0}, "crop_pct=0"),
        ({"interpolation": "area", "resize_backend": "pillow"}, "interpolation=area"),
        ({"drop_rate": 1}, "drop_rate=1"),
        ({"momentum": 0, "use_nesterov": True}, "use_nesterov needs a momentum"),
        ({"opt": "adamw", "use_nesterov": True}, "use_nesterov is for"),
        ({"overwrite": True, "resume_opt": True}, "give only one of them"),
        ({"ckpt_save_policy": "top_k", "val_while_train": False}, "ckpt_save_policy=top_k"),
        ({"aug_repeats": 2, "shuffle": False}, "aug_repeats needs shuffle"),
        ({"filter_bias_and_bn": "maybe"}, "filter_bias_and_bn is 'maybe'"),
        ({"save_checkpoint": False}, "save_checkpoint is False, and a run always saves its weights"),
        # images have 0..255
        ({"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, "give --mean 123.675 116.28 103.53"),
        ({"std": [0.229, 0.224, 0.225]}, "give --std 58.395 57.12 57.375"),
        ({"mean": [0.5], "std": [127.5], "in_channels": 1}, "give --mean 127.5"),
        ({"mean": [0, 0, 0], "std": [0.5, 0.5, 0.5]}, "give --std 127.5 127.5 127.5"),
        # what float32 or the meaning of an option does not hold
        ({"crop_padding": 4096, "image_resize": 32}, "use at most 31"),
        ({"std": [1e-300, 1, 1]}, "it takes standard deviation"),
        ({"std": [256, 1, 1]}, "it takes standard deviation"),
        ({"ratio": [1e-30, 1e30]}, "it takes narrowest"),
        ({"scale": [5, 9]}, "it takes smallest and largest area"),
        ({"re_scale": [0.1, 9]}, "it takes smallest and largest erased"),
        ({"re_value": 1e30}, "re_value=1e"),
        ({"color_jitter": 1e30}, "color_jitter=1e"),
        ({"clip_value": 1e-300}, "clip_value=1e-300: it must be greater"),
        ({"loss_scale": 1e-45}, "loss_scale=1e-45: it must be greater"),
        ({"loss_scale": 1e30}, "loss_scale=1e"),
        ({"cpu_precision": "bf16", "amp_level": "O1"}, "cpu_precision=bf16 rounds a network in float32"),
        ({"lr": 1e-45}, "lr=1e-45: it must be 0, or from 1e-37"),
        ({"lr": 1e39}, r"lr=1e\+39: it must be 0, or from"),
        ({"hflip": 1e-300}, "hflip=1e-300: it must be 0, or from 1e-37"),
        ({"weight_decay": 1e30}, "weight_decay=1e"),
        ({"momentum": 0.9999999999999}, "momentum=0.99"),
        ({"drop_rate": 0.9999999999999}, "drop_rate=0.99"),
        ({"mixup": 1e-20}, "mixup=1e-20 is too small"),
        ({"eps": 1e-45}, "eps=1e-45"),
        ({"scheduler": "exponential_decay", "decay_rate": 5}, "would raise the learning rate"),
        ({"scheduler": "step_decay"}, "such as --decay_epochs 30"),
        ({"aug_repeats": 10**400}, "aug_repeats=1000"),
        ({"in_channels": 4}, "in_channels=4: it must be 1 or 3"),
        # texts
        ({"data_dir": ""}, "data_dir=: "),
    ],
)
def test_a_wrong_option_gets_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_config(values)
    assert "\n" not in str(caught.value)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = parse_config({"data_dir": "~/data", "ckpt_save_dir": "~", "ckpt_path": "a~b.ckpt"})
    paths = (config.data_dir, config.ckpt_save_dir, config.ckpt_path)
    assert paths == (str(tmp_path / "data"), str(tmp_path), "a~b.ckpt")


def test_a_recipe_can_be_read_back() -> None:
    config = parse_config({"re_value": "random", "color_jitter": [0.1, 0.2, 0.3], "seed": 7, "overwrite": True})
    recipe = yaml.safe_load(yaml.safe_dump(config.recipe()))
    assert not set(names_of("command")) & set(recipe)
    assert parse_config(recipe) == config.replace(overwrite=False)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("scale", "0.08,1", [0.08, 1]),
        ("scale", "(0.08, 1)", [0.08, 1]),
        ("scale", "[0.08, 1]", [0.08, 1]),
        ("color_jitter", "0.4", 0.4),
        ("color_jitter", "None", None),
        ("num_classes", "10", 10),
        ("train_split", "2012", "2012"),
        ("data_dir", "none", "none"),
        ("shuffle", "False", False),
        ("re_value", "random", "random"),
        ("dataset_sink_mode", "auto", "auto"),
    ],
)
def test_text_of_the_command_line_means_what_it_means_in_yaml(name: str, text: str, value: object) -> None:
    assert parse_text(Config.model_fields[name], text) == value


def test_numbers_in_scientific_notation() -> None:
    assert parse_config({"lr": parse_text(Config.model_fields["lr"], "1e-3")}).lr == 0.001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "name: value"),
        ("a: [1\n", "not valid YAML at line"),
        ("a: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_a_recipe_that_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_yaml(path)


def read(tmp_path: Path, text: str) -> Config:
    (tmp_path / "recipe.yaml").write_text(text)
    return parse_config(load_yaml(tmp_path / "recipe.yaml"))


BOMB = "a: &a [x, x]\n" + "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else '*a'] * 9)}]\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr: 2020-13-45", "lr=2020-13-45: it must be a valid number"),
        ("lr: 2020-12-25", "lr=2020-12-25: it must be a valid number"),
        ('lr: !!int "abc"', "lr=abc: it must be a valid number"),
        ("lr: !!python/tuple [1]", "no option takes a !!python/tuple"),
        ("lr: !!binary aGVsbG8=", "no option takes a !!binary"),
        ("lr: !other 3", "no option takes a !other"),
        (f"lr: {'9' * 5000}", "lr=inf: it must be a finite number"),
        (f"batch_size: {'9' * 4000}", "batch_size=9999"),
        (f"lr: {'[' * 5000}{']' * 5000}", "nested too deeply"),
        (f"lr: {'[' * 100}{']' * 100}", r"lr=\[\[\[...\]\]\]: it must be a valid number"),
        ("scale: &a [*a]", "found unconstructable recursive node"),
        ("lr: &a {b: *a}", "found unconstructable recursive node"),
        (BOMB + "lr: *k19", r"lr=\[\[\[...\]"),
        ("mean: [1, None, 2]", r"mean=\[1, None, 2\]: it takes mean"),
        ("model: null", "model=None: it must be a valid string"),
        ("lr: {a: 1}", "lr={a: 1}: it must be a valid number"),
        ("x" * 100_001, "is no recipe: it has more than"),
    ],
)
def test_a_value_of_the_wrong_kind_gets_one_short_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_a_recipe_may_be_written_as_python_is(tmp_path: Path) -> None:
    python = "auto_augment: None\nscale: (0.08, 1.0)\nshuffle: True\nlr: 1e-3\nnum_classes: None\nmean: (1, 2.5, 3)\n"
    as_yaml = "auto_augment: null\nscale: [0.08, 1.0]\nshuffle: true\nlr: 0.001\nnum_classes:\nmean: [1, 2.5, 3]\n"
    config = read(tmp_path, python)
    assert config == read(tmp_path, as_yaml)
    assert (config.scale, config.lr, config.mean, config.num_classes) == ((0.08, 1.0), 0.001, [1, 2.5, 3], None)
    assert read(tmp_path, "train_split: 007\nbatch_size: 1_000\nshuffle: off\nckpt_path: ''").train_split == "007"


def test_what_must_stay_allowed() -> None:
    parse_config({"mean": [0, 0, 0], "std": [1, 1, 1]})  # Megvii's
    parse_config({"mean": [123.68, 116.779, 103.939], "std": [1, 1, 1]})  # Caffe's
    parse_config({"mean": [0.0], "std": [255], "in_channels": 1})
    parse_config({"scheduler": "polynomial_decay", "decay_rate": 2, "scale": (1, 1), "crop_padding": 4, "min_lr": 0})


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml"):
        load_yaml(tmp_path / "nothing.yaml")


# The recipe of x1.0 in mindcv's repository, by its values, with the older name of the weight-decay filter.
MINDCV_X1_0 = """
mode: 0
distribute: True
num_parallel_workers: 8
val_while_train: True
dataset: 'imagenet'
data_dir: '/data/imagenet'
shuffle: True
dataset_download: False
batch_size: 64
drop_remainder: True
image_resize: 224
hflip: 0.5
color_jitter: 0.4
interpolation: 'bilinear'
crop_pct: 0.875
re_prob: 0.5
model: 'shufflenet_v2_x1_0'
num_classes: 1000
pretrained: False
ckpt_path: ""
keep_checkpoint_max: 30
ckpt_save_dir: './ckpt'
epoch_size: 300
dataset_sink_mode: True
amp_level: 'O3'
loss: 'CE'
label_smoothing: 0.1
scheduler: 'cosine_decay'
min_lr: 0.0
lr: 0.4
warmup_epochs: 5
decay_epochs: 295
opt: 'momentum'
filter_bias_and_bn: False
momentum: 0.9
weight_decay: 0.00004
loss_scale: 1024
use_nesterov: False
"""


def test_a_recipe_of_mindcv_loads_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "x1_0.yaml"
    path.write_text(MINDCV_X1_0)
    config = parse_config(load_yaml(path))
    path.write_text(MINDCV_X1_0.replace("'cosine", "'warmup_cosine") + "save_checkpoint: True\n")  # its first releases'
    assert parse_config(load_yaml(path)) == config
    assert (config.lr, config.amp_level, config.loss_scale, config.weight_decay_filter) == (0.4, "O3", 1024, "auto")


def test_the_reference_page_is_up_to_date() -> None:
    """``make docs`` writes it."""
    docs = Path(__file__).parents[2] / "docs"
    generator = runpy.run_path(str(docs / "generate_options.py"))
    assert (docs / "options.md").read_text(encoding="utf-8") == generator["page"]()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (None, "NoneType is no table of options"),
        ("digits", "str is no table of options"),
        ({3: 4}, "3 is no name of an option"),
    ],
)
def test_what_is_no_table_of_options_is_refused(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_config(options)


def test_a_mean_of_one_number_is_told_how_many_it_needs() -> None:
    with pytest.raises(UserError, match=r"such as --mean 127\.5 127\.5 127\.5"):
        parse_config({"mean": [0.5]})
