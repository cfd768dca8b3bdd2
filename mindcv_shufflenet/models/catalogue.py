"""What there is: networks with their costs, and published weights."""

from fnmatch import fnmatch
from typing import NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.complexity import Complexity, count
from mindcv_shufflenet.models.registry import build, list_models
from mindcv_shufflenet.weights.records import RECORDS
from mindcv_shufflenet.weights.records.base import Record


class Catalogue(NamedTuple):
    """Networks and weights.

    Attributes:
        models: the cost of each network at 224 pixels, by name.
        weights: the records of published weights.
    """

    models: dict[str, Complexity]
    weights: list[Record]


def catalogue(pattern: str = "*") -> Catalogue:
    """Return the networks whose names match, and the weights whose names match or that are of these networks.

    Args:
        pattern: with wildcards; without any, a part of the name.

    Raises:
        UserError: nothing matches.
    """
    wide = pattern if set("*?[") & set(pattern) else f"*{pattern}*"
    names = list_models(wide)
    records = [record for record in RECORDS.values() if fnmatch(record.name, wide) or record.model in names]
    if not names and not records:
        raise UserError(f"no model matches {pattern}; `shufflenet models` lists them all")
    return Catalogue({name: count(build(name)) for name in names}, records)
