"""The sets of weights in one file: those that were trained, and moving averages of them."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.weights.names import Arrays

# What training code calls the weights that it trains, the commonest name first. The name "" is the file itself.
_TRAINED = ("state_dict", "model", "net", "model_state_dict", "network", "")
# What it calls a moving average of them.
_AVERAGE = re.compile(r"(^|[_.])(ema|swa|avg|average|averaged)([_.]|$)")
# How the names of a moving average begin in a file that holds the weights too: ours, and NanoDet's.
_AVERAGE_PREFIXES = {"ema": "ema.", "avg_model": "avg_model."}


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        sets: arrays by name, under the name of their set; "" where the file has no sets.
        metadata: what the file says of its network, as JSON (``metadata.py``); None where it says nothing.
        options: what the graph in the file shows of its network, as ``options/schema/`` names it.
        notes: a line for each thing that is passed over.
    """

    sets: dict[str, Arrays]
    metadata: str | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    notes: tuple[str, ...] = ()


def by_prefix(arrays: Arrays) -> dict[str, Arrays]:
    """Separate the moving averages in a flat file, whose names have a prefix, from the weights themselves."""
    found: dict[str, Arrays] = {"": {}, **{name: {} for name in _AVERAGE_PREFIXES}}
    for name, value in arrays.items():
        of = next((of for of, prefix in _AVERAGE_PREFIXES.items() if name.startswith(prefix)), "")
        found[of][name.removeprefix(_AVERAGE_PREFIXES.get(of, ""))] = value
    return {name: part for name, part in found.items() if part} or {"": arrays}


def choose(sets: dict[str, Arrays], wanted: str | None, source: str) -> tuple[Arrays, list[str]]:
    """Return one set: the wanted one, else the trained weights rather than their average.

    Args:
        sets: as in :class:`Content`.
        wanted: name of a set; None chooses.
        source: the file, for messages.

    Returns:
        The arrays, and a line if there was a choice.

    Raises:
        UserError: there is no set of that name.
    """
    names = {name: name or "weights" for name in sets}
    if wanted is not None and wanted not in names.values():
        there = ", ".join(names.values())
        raise UserError(f"{source} holds no set {wanted}{nearest(wanted, names.values())}; it holds {there}")
    taken = next((name for name in names if names[name] == wanted), None)
    if taken is None:
        taken = min(sets, key=lambda name: (_AVERAGE.search(name) is not None, _rank(name), -len(sets[name])))
    others = ", ".join(names[name] for name in sets if name != taken)
    note = f"{source} holds several sets of weights: {names[taken]} is taken, not {others}; --ckpt_key NAME chooses"
    return sets[taken], [note] if others and wanted is None else []


def _rank(name: str) -> int:
    return _TRAINED.index(name) if name in _TRAINED else len(_TRAINED)
