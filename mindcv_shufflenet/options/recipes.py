"""Recipes: the YAML files of ``configs/``, which the package holds too, and those of the user."""

from pathlib import Path
from typing import Any

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.options.config import Config, load_yaml
from mindcv_shufflenet.options.synonyms import RECIPES_OF_MINDCV

# In the repository a link to its configs/, in a wheel a folder of the same files.
RECIPES = Path(__file__).parents[1] / "configs"


def read_recipe(name: str, schema: type[Config] = Config) -> tuple[dict[str, Any], list[str]]:
    """Read a recipe, given as a file or by name.

    A name is our or mindcv's name of a recipe in ``configs/``, with or without its folder and ``.yaml``: ``digits``,
    ``shufflenetv2/digits``, ``configs/shufflenetv2/digits.yaml``. A file of that path comes first.

    Args:
        name: name of the recipe.
        schema: the class of the options.

    Returns:
        Its options, unchecked, and a line if another recipe is read in the place of mindcv's.

    Raises:
        UserError: as :func:`load_yaml`, or recipes of several folders have that name.
    """
    title = Path(name).name.removesuffix(".yaml")
    found = None if Path(name).is_file() else _find(RECIPES_OF_MINDCV.get(title, name.removesuffix(".yaml")))
    if not found and not Path(name).exists():
        known = [*(path.stem for path in RECIPES.glob("*/*.yaml")), *RECIPES_OF_MINDCV]
        raise UserError(
            f"cannot read the recipe {name}: there is no such file, and no recipe of that name{nearest(title, known)};"
            " give the path of a YAML file to -c, or a name of docs/recipes.md"
        )
    notes = [f"{name} is mindcv's name; {found.name} is read"] if found and found.stem != title else []
    return load_yaml(found or name, schema), notes


def _find(name: str) -> Path | None:
    """Return the file whose path below the package ends with ``name``."""
    parts = Path(name).parts
    found = {}
    for path in sorted(RECIPES.glob("*/*.yaml")):
        own = path.relative_to(RECIPES.parent).with_suffix("").parts
        if parts and own[-len(parts) :] == parts:
            found["/".join(own[1:])] = path
    if len(found) > 1:
        raise UserError(f"{name} is the name of several recipes: give one of {', '.join(found)}")
    return next(iter(found.values()), None)
