"""The schema: what it lets through, and how it says no."""

import runpy
from pathlib import Path

import pytest
import yaml

from mindcv_shufflenet.config import ACTIONS, NOT_BUILT, Config, load_yaml, parse_config
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.option_types import parse_text

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
    assert [name for name in OPTIONS_OF_MINDCV if name not in Config.model_fields] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 1}, "unknown option learning_rate"),
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
    ],
)
def test_a_wrong_option_gets_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_config(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ema", True), ("opt", "lion"), ("auto_augment", "randaug"), ("scheduler", "one_cycle"), ("loss", "BCE")],
)
def test_what_is_not_built_is_refused(name: str, value: object) -> None:
    with pytest.raises(UserError, match=f"{name}=.* is not built yet; what works is"):
        parse_config({name: value})


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = parse_config({"data_dir": "~/data", "ckpt_save_dir": "~", "ckpt_path": "a~b.ckpt"})
    paths = (config.data_dir, config.ckpt_save_dir, config.ckpt_path)
    assert paths == (str(tmp_path / "data"), str(tmp_path), "a~b.ckpt")


def test_defaults_and_what_is_built_agree() -> None:
    assert all(getattr(parse_config({}), name) in allowed for name, allowed in NOT_BUILT.items())


def test_a_recipe_can_be_read_back() -> None:
    config = parse_config({"re_value": "random", "color_jitter": [0.1, 0.2, 0.3], "seed": 7, "overwrite": True})
    recipe = yaml.safe_load(yaml.safe_dump(config.recipe()))
    assert not set(ACTIONS) & set(recipe)
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
    assert (config.lr, config.amp_level, config.loss_scale, config.weight_decay_filter) == (0.4, "O3", 1024, "auto")


def test_every_recipe_of_the_repository_is_valid() -> None:
    recipes = sorted((Path(__file__).parents[1] / "configs").rglob("*.yaml"))
    assert recipes
    for path in recipes:
        parse_config(load_yaml(path))


def test_the_reference_page_is_up_to_date() -> None:
    """``make docs`` writes it."""
    docs = Path(__file__).parents[1] / "docs"
    generator = runpy.run_path(str(docs / "generate_options.py"))
    assert (docs / "options.md").read_text(encoding="utf-8") == generator["page"]()
