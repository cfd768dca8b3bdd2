"""The heads of the recipes: what they say of the batch, and that every file, option and name in them exists."""

import re
import shlex
from pathlib import Path

import pytest

from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.cli.words import parse
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.options.config import Config, load_yaml, parse_config
from mindcv_shufflenet.options.recipes import RECIPES, read_recipe

ROOT = Path(__file__).parents[2]
PATHS = sorted(RECIPES.glob("*/*.yaml"))
STEMS = {path.stem for path in PATHS}
OPTIONS = {*Config.model_fields} | {one.name for verb in VERBS.values() for one in verb.arguments}


def head_of(path: Path) -> list[str]:
    """The comment at the top of a recipe, without its marks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").removeprefix(" ") for line in lines[:end]]


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def recipe(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_a_head_has_command_batch_time_and_result(recipe: Path) -> None:
    head, config = head_of(recipe), parse_config(load_yaml(recipe))
    assert max(map(len, head)) <= 118
    (command,) = [line.strip() for line in head if line.startswith("  ")]
    (batch,) = [line for line in head if line.startswith("Batch: ")]
    cards = int(found[1]) if (found := re.match(r"mpirun -n (\d+) ", command)) else 1
    assert config.distribute == (cards > 1)
    if cards > 1:
        total = cards * config.batch_size
        assert batch == f"Batch: {total} = {cards} cards x {config.batch_size}; on one card divide lr by {cards}."
    else:
        assert batch == f"Batch: {config.batch_size}."
    (time,) = [line for line in head if line.startswith("Time: ")]
    assert "not run here" in time or " s " in time
    result = " ".join(head[next(number for number, line in enumerate(head) if line.startswith("Result: ")) :])
    assert "published by" in result or "published there" in result or "measured here" in result or "not known" in result


def test_the_command_of_a_head_is_its_own_and_valid(recipe: Path) -> None:
    (line,) = [line for line in head_of(recipe) if line.startswith("  ")]
    command = re.sub(r"\[|\]|\(.*\)", "", line)
    words = shlex.split(command)
    words = words[words.index("train.py") + 1 :]
    assert read_recipe(words[words.index("-c") + 1])[0] == load_yaml(recipe)
    parse("train.py", "train", words)


def test_what_a_head_names_exists(recipe: Path) -> None:
    text = " ".join(head_of(recipe))
    for name in re.findall(r"\b(?:configs|docs|tests|benchmarks)/[\w./-]+\b", text):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"\b(?:se_shufflenet|shufflenet|mobilenet)_v\w+", re.sub(r"\S*/\S*", "", text)):
        assert name in STEMS or describe(name)
    for option in re.findall(r"--([\w-]+)", text):
        assert option in OPTIONS, option
