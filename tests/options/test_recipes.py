"""Recipes by file and by name."""

import shutil
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.options import recipes
from mindcv_shufflenet.options.config import load_yaml, parse_config
from mindcv_shufflenet.options.recipes import RECIPES, read_recipe
from mindcv_shufflenet.options.synonyms import RECIPES_OF_MINDCV
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.weights.provenance import settle


@pytest.mark.parametrize(
    "name",
    ["shufflenet_v2_1.0_ascend.yaml", "configs/shufflenetv2/shufflenet_v2_1.0_ascend", "shufflenet_v2_x1.0_ascend"],
)
def test_mindcvs_names_of_its_recipes(name: str) -> None:
    options, notes = read_recipe(name)
    assert (options["model"], options["lr"]) == ("shufflenet_v2_x1_0", 0.4)
    assert notes == [f"{name} is mindcv's name; shufflenet_v2_x1_0.yaml is read"]
    assert read_recipe("shufflenet_v2_x1_0") == (options, [])


@pytest.mark.parametrize("name", ["digits", "digits.yaml", "shufflenetv2/digits", "configs/shufflenetv2/digits.yaml"])
def test_a_recipe_of_the_package_is_found_from_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits").mkdir()  # a folder of that name is no recipe
    monkeypatch.chdir(tmp_path)
    assert read_recipe(name) == (load_yaml(RECIPES / "shufflenetv2" / "digits.yaml"), [])


def test_a_file_comes_before_a_recipe_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits").write_text("lr: 0.3")
    monkeypatch.chdir(tmp_path)
    assert read_recipe("digits") == ({"lr": 0.3}, [])


@pytest.mark.parametrize("name", ["its", "v2/digits", "elsewhere/digits.yaml", "/configs/shufflenetv2/digits.yaml"])
def test_another_path_is_no_recipe_of_the_package(name: str) -> None:
    with pytest.raises(UserError, match=name):
        read_recipe(name)


def test_a_name_of_several_recipes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for family in ("shufflenetv1", "shufflenetv2"):
        (tmp_path / "configs" / family).mkdir(parents=True)
        shutil.copy(RECIPES / "shufflenetv2" / "digits.yaml", tmp_path / "configs" / family)
    monkeypatch.setattr(recipes, "RECIPES", tmp_path / "configs")
    with pytest.raises(UserError, match=r"digits .*: give one of shufflenetv1/digits, shufflenetv2/digits$"):
        read_recipe("digits")
    assert read_recipe("shufflenetv1/digits")[0]["dataset"] == "digits"


# The options of mindcv's recipes of ShuffleNetV1, as release 0.3.0 writes them; 0.1.1 has those of x1.5 and x2.0.
MINDCV_V1 = """
mode: 0
distribute: True
num_parallel_workers: 8
dataset: "imagenet"
data_dir: "/path/to/imagenet"
shuffle: True
dataset_download: False
batch_size: 64
drop_remainder: True
image_resize: 224
hflip: 0.5
color_jitter: 0.4
interpolation: "bilinear"
crop_pct: 0.875
model: "{model}"
num_classes: 1000
pretrained: False
ckpt_path: ""
keep_checkpoint_max: 30
ckpt_save_dir: "./ckpt"
epoch_size: 250
dataset_sink_mode: True
amp_level: "O0"
loss: "CE"
label_smoothing: 0.1
scheduler: "cosine_decay"
min_lr: 0.0
lr: {lr}
warmup_epochs: 4
decay_epochs: 246
opt: "momentum"
weight_decay_filter: 'auto'
momentum: 0.9
weight_decay: 0.00004
loss_scale: 1024
use_nesterov: False
"""


@pytest.mark.parametrize(
    ("theirs", "recipe", "model", "lr"),
    [
        ("shufflenet_v1_g3_05", "shufflenet_v1_0.5_ascend", "shufflenet_v1_g3_x0_5", 0.35),
        ("shufflenet_v1_g3_10", "shufflenet_v1_1.0_ascend", "shufflenet_v1_g3_x1_0", 0.4),
        ("shufflenet_v1_g3_x1_5", "shufflenet_v1_1.5_ascend", "shufflenet_v1_g3_x1_5", 0.5),
        ("shufflenet_v1_g3_x2_0", "shufflenet_v1_2.0_ascend", "shufflenet_v1_g3_x2_0", 0.5),
    ],
)
def test_mindcvs_recipes_of_shufflenet_v1_are_ours(
    theirs: str, recipe: str, model: str, lr: float, tmp_path: Path
) -> None:
    path = tmp_path / f"{recipe}.yaml"
    path.write_text(MINDCV_V1.format(model=theirs, lr=lr))
    config = settle(read_recipe(str(path))[0]).config
    assert (config.model, config.lr) == (model, lr)
    assert parse_config(read_recipe(recipe)[0]) == config


def test_every_name_of_mindcvs_recipes_is_that_of_one_of_ours() -> None:
    assert {name for name, ours in RECIPES_OF_MINDCV.items() if read_recipe(name)[0]["model"] != ours} == set()


def test_every_recipe_of_the_repository_is_that_of_a_network() -> None:
    found = sorted(RECIPES.glob("*/*.yaml"))
    assert found == sorted(RECIPES.rglob("*.yaml"))
    assert found
    for path in found:
        config = parse_config(load_yaml(path))
        chosen = {name: getattr(config, name) for name in names_of("network")}
        assert describe(config.model, num_classes=config.num_classes, image_size=config.image_resize, **chosen)


# The options of mindcv's recipes of the MobileNets; what differs between them follows.
MINDCV_MOBILE = """
{{mode: 0, distribute: True, num_parallel_workers: 8, dataset: imagenet, data_dir: /path/to/imagenet, shuffle: True,
dataset_download: False, batch_size: {batch_size}, drop_remainder: True, image_resize: 224, scale: [0.08, 1.0],
ratio: [0.75, 1.333], hflip: 0.5, interpolation: bilinear, crop_pct: 0.875, model: {model}, num_classes: {num_classes},
pretrained: False, ckpt_path: '', keep_checkpoint_max: {kept}, ckpt_save_dir: ./ckpt, epoch_size: {epochs},
dataset_sink_mode: True, amp_level: {amp_level}, loss: CE, label_smoothing: 0.1, scheduler: cosine_decay, min_lr: 0.0,
lr: {lr}, warmup_epochs: {warmup}, decay_epochs: {decay}, opt: momentum, momentum: 0.9, weight_decay: {weight_decay},
loss_scale: 1024, use_nesterov: False}}
"""
V1 = {
    "num_classes": 1001, "batch_size": 64, "kept": 80, "epochs": 200, "amp_level": "O2", "lr": 0.4, "warmup": 2,
    "decay": 198, "weight_decay": 0.00003,
}  # fmt: skip
V2 = {"num_classes": 1000, "batch_size": 256, "amp_level": "O3", "warmup": 4}


@pytest.mark.parametrize(
    ("theirs", "ours", "changed"),
    [
        *(
            (f"mobilenet_v1_{width}", f"mobilenet_v1_{digits}", V1)
            for width, digits in (("0.25", "025"), ("0.5", "050"), ("0.75", "075"), ("1.0", "100"))
        ),
        (
            "mobilenet_v2_0.75", "mobilenet_v2_075",
            {**V2, "kept": 50, "epochs": 400, "lr": 0.3, "decay": 396, "weight_decay": 0.00003},
        ),
        (
            "mobilenet_v2_1.0", "mobilenet_v2_100",
            {**V2, "kept": 100, "epochs": 320, "lr": 0.4, "decay": 316, "weight_decay": 0.00004},
        ),
        (
            "mobilenet_v2_1.4", "mobilenet_v2_140",
            {**V2, "kept": 50, "epochs": 300, "lr": 0.4, "decay": 296, "weight_decay": 0.00004},
        ),
    ],
)  # fmt: skip
def test_mindcvs_recipes_of_the_mobilenets_are_ours(
    theirs: str, ours: str, changed: dict[str, object], tmp_path: Path
) -> None:
    """They end in _ascend; those of MobileNetV1 on GPUs have the same values."""
    path = tmp_path / "theirs.yaml"
    path.write_text(MINDCV_MOBILE.format(model=ours, **changed))
    options, notes = read_recipe(f"{theirs}_ascend")
    assert notes == [f"{theirs}_ascend is mindcv's name; {ours}.yaml is read"]
    # mindcv's default, but for the recipe that has another value
    weight_decay_filter = "auto" if ours == "mobilenet_v2_140" else "disable"
    expected = parse_config(load_yaml(path)).replace(weight_decay_filter=weight_decay_filter)
    assert parse_config(options) == expected
