"""Recipes by file and by name."""

import shutil
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options import recipes
from mindcv_shufflenet.options.config import load_yaml, parse_config
from mindcv_shufflenet.options.recipes import RECIPES, read_recipe


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


def test_every_recipe_of_the_repository_is_valid() -> None:
    found = sorted(RECIPES.glob("*/*.yaml"))
    assert found == sorted(RECIPES.rglob("*.yaml"))
    assert found
    for path in found:
        parse_config(load_yaml(path))
