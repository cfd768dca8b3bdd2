"""The families of networks that there are. Each module of this folder with a ``FAMILY`` adds one."""

import pkgutil
from importlib import import_module

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.families.base import OWN, Family

# Families by title. `register` adds to it.
FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Add a family, whose models then have names everywhere.

    Raises:
        ValueError: another family has a model of the same name.
    """
    others = {name for other in FAMILIES.values() if other.title != family.title for name in other.variants}
    if taken := sorted(others & family.variants.keys()):
        raise ValueError(f"{taken[0]} is a model of another family")
    FAMILIES[family.title] = family


def models() -> dict[str, Family]:
    """Return the family of each model, by the model's name."""
    return {name: family for family in FAMILIES.values() for name in family.variants}


def aliases() -> dict[str, str]:
    """Return the model that each name of another project means."""
    return {alias: name for family in FAMILIES.values() for alias, name in family.aliases.items()}


def find_family(model: str) -> Family:
    """Return the family of a model.

    Raises:
        UserError: there is no such model; with the nearest name.
    """
    known = models()
    if model not in known:
        raise UserError(f"unknown model {model}{nearest(model, known)}; `shufflenet models` lists them all")
    return known[model]


def projects() -> tuple[str, ...]:
    """Return the names of the projects whose parameter names some family knows, our own first."""
    return (OWN, *dict.fromkeys(name for family in FAMILIES.values() for name in family.projects))


for _module in pkgutil.iter_modules(__path__):
    if _family := getattr(import_module(f"{__name__}.{_module.name}"), "FAMILY", None):
        register(_family)
