"""Strings of ``auto_augment``, such as ``randaug-m9-n2-mstd0.5``: a policy, then letters with a number each."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from mindcv_shufflenet.errors import nearest, unknown_name


class Part(NamedTuple):
    """A part of the string of a policy.

    Attributes:
        meaning: for people.
        default: of a string without it.
        low: smallest value.
        high: largest value.
        is_whole: whether it is a whole number.
    """

    meaning: str
    default: float
    low: float
    high: float
    is_whole: bool = True


_NOISE = Part("standard deviation of the magnitude; above 100: uniform from 0 to the magnitude", 0.5, 0, 1000, False)

# The policies and their parts, with mindcv's letters and defaults.
POLICIES: dict[str, dict[str, Part]] = {
    "randaug": {
        "m": Part("magnitude", 10, 0, 30),
        "n": Part("operations an image, each applied with probability 0.5", 2, 1, 10),
        "mstd": _NOISE,
        "mmax": Part("largest magnitude", 10, 1, 30),
        "inc": Part("1: every operation becomes stronger with the magnitude", 0, 0, 1),
        "w": Part("0: draw mostly geometric operations, none twice; without it all alike", -1, 0, 0),
    },
    "autoaug": {"mstd": _NOISE},
    "autoaugr": {"mstd": _NOISE},
    "3a": {"mstd": _NOISE},
    "trivialaugwide": {"m": Part("largest magnitude, of 31", 31, 0, 31)},
    "augmix": {
        "m": Part("largest magnitude", 3, 0, 10),
        "w": Part("chains that are mixed", 3, 1, 10),
        "d": Part("operations a chain; below 1: from 1 to 3 at random", -1, -1, 10),
        "a": Part("parameter of the Dirichlet and the Beta distribution", 1, 0.001, 1000, False),
    },
}


class PolicyName(NamedTuple):
    """A policy by its name and the value of each of its parts."""

    name: str
    parts: Mapping[str, float]


def parse_policy(text: str) -> PolicyName:
    """Read the string of a policy.

    Raises:
        ValueError: the policy or a part is unknown, stands there twice, or is out of its bounds; the text names it.
    """
    name, *rest = re.split(r"-(?!\d)", text)  # a dash before a digit is a minus, as in d-1
    if name not in POLICIES:
        raise ValueError(unknown_name("policy", name, POLICIES))
    given: dict[str, float] = {}
    for word in rest:
        key, value = _read(name, word)
        if key in given:
            raise ValueError(f"{key} stands there twice; leave one out")
        given[key] = value
    parts = {key: part.default for key, part in POLICIES[name].items()} | given
    if name == "randaug" and parts["m"] > parts["mmax"]:
        raise ValueError(f"m{parts['m']:g} is above the largest magnitude: add mmax{parts['m']:g}")
    return PolicyName(name, parts)


def _read(name: str, word: str) -> tuple[str, float]:
    """Return a part of a policy and its value."""
    known = POLICIES[name]
    match = re.fullmatch(r"([a-z]+)(-?\d+(\.\d*)?)", word)
    key = match[1] if match else re.sub(r"[^a-z].*", "", word)
    if key not in known:
        *others, last = known
        listed = f"{', '.join(others)} and {last}" if others else last
        raise ValueError(f"unknown part {word or '-'}{nearest(key, known)}; {name} has {listed}, each with a number")
    part = known[key]
    allowed = f"from {part.low:g} to {part.high:g}" if part.low < part.high else f"{part.low:g}"
    if not match or (part.is_whole and match[3]) or not part.low <= float(match[2]) <= part.high:
        kind = "a whole number" if part.is_whole else "a number"
        raise ValueError(f"wrong part {word}: behind {key} stands {kind}, {allowed}")
    return key, float(match[2])
