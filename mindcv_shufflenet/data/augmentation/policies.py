"""Automatic augmentation: random operations of random strength, drawn from a generator that the caller gives.

Names and parts of the policies are mindcv's (``options/policy.py``). The policies are AutoAugment (Cubuk et al. 2019,
arXiv:1805.09501), RandAugment (Cubuk et al. 2020, arXiv:1909.13719), TrivialAugment (Müller and Hutter 2021,
arXiv:2103.10158), 3-Augment (Touvron et al. 2022, arXiv:2204.07118) and AugMix (Hendrycks et al. 2020,
arXiv:1912.02781). As in timm's ``auto_augment.py``, and unlike the papers, magnitudes have noise, RandAugment applies
each operation with probability 0.5, and AugMix has colour, contrast, brightness and sharpness among its operations.
As in mindcv, and unlike the paper and timm, 3-Augment has no colour jitter beside it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from mindspore.dataset.vision import Inter
from numpy.random import Generator

from mindcv_shufflenet.data.augmentation import strengths
from mindcv_shufflenet.data.augmentation.image_operations import Canvas
from mindcv_shufflenet.data.augmentation.strengths import FULL_MAGNITUDE, Strengths
from mindcv_shufflenet.options.policy import PolicyName, parse_policy

# An image ``uint8 [H, W, 3]`` and a generator give another such image.
Policy = Callable[[np.ndarray, Generator], np.ndarray]
# A generator gives the operations of a chain.
Draw = Callable[[Generator], Sequence["Choice"]]


def create_policy(text: str, fill: tuple[int, int, int], interpolation: Inter) -> Policy:
    """Return a policy.

    Args:
        text: policy and parts, such as ``randaug-m9-n2-mstd0.5``.
        fill: colour of the pixels that an image uncovers where it is moved, RGB of 0..255.
        interpolation: of moved images.

    Raises:
        ValueError: the policy or a part is unknown or out of its bounds.
    """
    policy = parse_policy(text)
    return _MAKERS[policy.name](policy, Canvas(fill, interpolation))


class Choice(NamedTuple):
    """An operation that may be applied.

    Attributes:
        operation: name in the table of strengths.
        probability: of applying it.
        magnitude: of its strength, before noise.
    """

    operation: str
    probability: float
    magnitude: float


@dataclass(frozen=True)
class Chain:
    """Operations one after the other.

    Attributes:
        draw: draws them.
        table: what each of them does at a magnitude.
        noise: standard deviation of the magnitudes; infinity: uniform from 0 to the magnitude.
        canvas: of moved images.
        largest: magnitude above which none is drawn.
        full: magnitude of full strength.
    """

    draw: Draw
    table: Strengths
    noise: float
    canvas: Canvas
    largest: float = FULL_MAGNITUDE
    full: float = FULL_MAGNITUDE

    def __call__(self, image: np.ndarray, rng: Generator) -> np.ndarray:
        """Apply operations that are drawn from ``rng``."""
        for choice in self.draw(rng):
            if rng.random() < choice.probability:
                operation, argument = self.table[choice.operation]
                image = operation(image, argument(self._magnitude(choice.magnitude, rng) / self.full, rng), self.canvas)
        return image

    def _magnitude(self, magnitude: float, rng: Generator) -> float:
        drawn = rng.uniform(0, magnitude) if math.isinf(self.noise) else rng.normal(magnitude, self.noise)
        return min(max(drawn, 0.0), self.largest)


@dataclass(frozen=True)
class AugMix:
    """The mean of several chains, mixed with the image: ``(1 - m) image + m (w1 chain1 + w2 chain2 + ...)``.

    Attributes:
        chain: draws the operations of one chain.
        width: chains.
        alpha: of the distributions ``Dirichlet(alpha, ...)`` of the weights ``w`` and ``Beta(alpha, alpha)`` of ``m``.
    """

    chain: Chain
    width: int
    alpha: float

    def __call__(self, image: np.ndarray, rng: Generator) -> np.ndarray:
        """Apply chains that are drawn from ``rng``."""
        share = rng.beta(self.alpha, self.alpha)
        mixed = np.float32(1 - share) * image
        for weight in rng.dirichlet([self.alpha] * self.width):
            mixed += np.float32(share * weight) * self.chain(image, rng)
        return np.rint(mixed, out=mixed).clip(0, 255).astype(np.uint8)


def _some_of(choices: Sequence[Choice], count: int, weights: Sequence[float] | None = None) -> Draw:
    """Draw ``count`` operations, all equally often, or by their weights, and then none twice."""
    return lambda rng: [choices[index] for index in rng.choice(len(choices), count, replace=weights is None, p=weights)]


def _rand_augment(policy: PolicyName, canvas: Canvas) -> Policy:
    parts = policy.parts
    table = strengths.INCREASING if parts["inc"] else strengths.RAND_AUGMENT
    weights = [strengths.WEIGHTS[name] for name in table] if parts["w"] == 0 else None
    choices = [Choice(name, 0.5, parts["m"]) for name in table]
    return Chain(_some_of(choices, int(parts["n"]), weights), table, _noise(parts["mstd"]), canvas, parts["mmax"])


def _auto_augment(policy: PolicyName, canvas: Canvas) -> Policy:
    table, pairs = strengths.AUTO_AUGMENT[policy.name]
    subpolicies = [[Choice(*row) for row in pair] for pair in pairs]
    return Chain(lambda rng: subpolicies[rng.integers(len(subpolicies))], table, _noise(policy.parts["mstd"]), canvas)


def _trivial_augment(policy: PolicyName, canvas: Canvas) -> Policy:
    table, largest = strengths.TRIVIAL_AUGMENT, policy.parts["m"]
    choices = [Choice(name, 1.0, largest) for name in table]
    return Chain(_some_of(choices, 1), table, math.inf, canvas, largest, strengths.FULL_TRIVIAL_MAGNITUDE)


def _aug_mix(policy: PolicyName, canvas: Canvas) -> Policy:
    parts = policy.parts
    choices = [Choice(name, 1.0, parts["m"]) for name in strengths.AUG_MIX]
    depth = int(parts["d"])

    def draw(rng: Generator) -> list[Choice]:
        count = depth if depth > 0 else rng.integers(1, 4)
        return [choices[index] for index in rng.integers(len(choices), size=count)]

    return AugMix(Chain(draw, strengths.AUG_MIX, math.inf, canvas), int(parts["w"]), parts["a"])


def _noise(std: float) -> float:
    return std if std <= strengths.LARGEST_NOISE else math.inf


_MAKERS: dict[str, Callable[[PolicyName, Canvas], Policy]] = {
    "randaug": _rand_augment,
    "autoaug": _auto_augment,
    "autoaugr": _auto_augment,
    "3a": _auto_augment,
    "trivialaugwide": _trivial_augment,
    "augmix": _aug_mix,
}
