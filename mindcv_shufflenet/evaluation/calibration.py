"""Calibration: whether the probability of an answer is the share of such answers that are right.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599: reliability diagrams and the
expected calibration error (section 2), temperature scaling (section 4.2).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mindcv_shufflenet.weights.metadata import MAX_TEMPERATURE, MIN_TEMPERATURE

BINS = 15
# Half of them fit the temperature and half test it. On 50 images a calibrated network of 5 classes has an error of 12 %
# by chance alone, and a fitted temperature is 25 % off.
MIN_IMAGES = 100
# Without a wrong answer, any lower temperature is better.
_MIN_ERRORS = 1
# Answers of which a share can be told.
MIN_SURE = 20
# By how much rarer than all answers those are to be wrong that count as sure.
_RARER = 3.0


class Reliability(NamedTuple):
    """Answers by their probability, in bins of equal width, ``[bins]`` each.

    Attributes:
        images: how many answers have such a probability.
        confidence: their mean probability; NaN in an empty bin.
        accuracy: the share of them that is right; NaN in an empty bin.
    """

    images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def ece(self) -> float:
        """The expected calibration error: mean distance of accuracy and confidence, weighted by images (0..1)."""
        filled = self.images > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float((self.images[filled] * gaps).sum() / self.images.sum())


class Calibration(NamedTuple):
    """A temperature, fitted on one half of the images, and what it changes on the other half.

    Attributes:
        temperature: what logits are divided by; 1 where none was found that helps the other half.
        fit_images: how many images it was fitted on.
        test_images: how many other images ``before`` and ``after`` are of.
        before: with the softmax of the logits.
        after: with the logits divided by the temperature.
    """

    temperature: float
    fit_images: int
    test_images: int
    before: Reliability
    after: Reliability


def reliability(logits: np.ndarray, label: np.ndarray, temperature: float = 1.0, bins: int = BINS) -> Reliability:
    """Return how often answers are right, by their probability.

    Args:
        logits: ``[N, num_classes]``.
        label: ``[N] int32``.
        temperature: what the logits are divided by.
        bins: how many; bin ``m`` of ``M`` holds the probabilities above ``m / M`` up to ``(m + 1) / M``.
    """
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == label
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    images, sums, rights = (np.bincount(place, weights, bins) for weights in (None, confidence, right))
    empty = np.where(images > 0, images, np.nan)
    return Reliability(images, sums / empty, rights / empty)


def cross_entropy(logits: np.ndarray, label: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean cross entropy in nats of logits ``[N, num_classes]`` that are divided by a temperature."""
    scores = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(-scores[np.arange(len(label)), label].mean())


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature of the lowest cross entropy, from ``MIN_TEMPERATURE`` to ``MAX_TEMPERATURE``.

    Args:
        logits: ``[N, num_classes]``.
        label: ``[N] int32``.
    """
    found = minimize_scalar(
        lambda exponent: cross_entropy(logits, label, float(np.exp(exponent))),
        bounds=(np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)),
        method="bounded",
    )
    return float(np.clip(np.exp(found.x), MIN_TEMPERATURE, MAX_TEMPERATURE))


def calibrate(logits: np.ndarray, label: np.ndarray) -> Calibration | None:
    """Fit a temperature on every second image, and test it on the others.

    It is 1 where the first half has no wrong answer, and where it raises the cross entropy of the other half or its
    expected calibration error: probabilities of all classes can become better while those of the answers become worse.

    Args:
        logits: ``[N, num_classes]``, in the order of the data set, whose classes both halves then have alike.
        label: ``[N] int32``.

    Returns:
        None where there are fewer images than ``MIN_IMAGES``.
    """
    if len(label) < MIN_IMAGES:
        return None
    half, other = slice(0, None, 2), slice(1, None, 2)
    errors = int((logits[half].argmax(axis=1) != label[half]).sum())
    temperature = fit_temperature(logits[half], label[half]) if errors >= _MIN_ERRORS else 1.0
    test = logits[other], label[other]
    before, after = reliability(*test), reliability(*test, temperature)
    if cross_entropy(*test, temperature) > cross_entropy(*test) or after.ece > before.ece:
        temperature, after = 1.0, before
    return Calibration(temperature, len(label[half]), len(label[other]), before, after)


class Sureness(NamedTuple):
    """From which probability on an answer counts as sure.

    Attributes:
        threshold: the least probability of a sure answer, 0..1.
        share: of the answers, those that are sure, 0..1.
        accuracy: of the sure ones, those that are right, 0..1.
    """

    threshold: float
    share: float
    accuracy: float


# The highest threshold: 1 says that no answer is sure.
_HIGHEST = float(np.nextafter(np.float32(1), np.float32(0)))


def find_sureness(confidence: np.ndarray, is_right: np.ndarray) -> Sureness | None:
    """Find the lowest probability from which on answers are wrong a third as often as all answers are.

    Args:
        confidence: the probability of each answer, ``[N]``.
        is_right: whether it is right, ``[N] bool``.

    Returns:
        None where fewer than 20 answers reach such a probability.
    """
    order = np.argsort(-confidence, kind="stable")
    right = is_right[order]
    accuracy = np.cumsum(right) / np.arange(1, len(right) + 1)
    is_enough = accuracy >= 1 - (1 - right.mean()) / _RARER
    is_enough[: MIN_SURE - 1] = False
    # answers of the same probability are sure together
    is_enough[:-1] &= confidence[order][:-1] != confidence[order][1:]
    found = np.flatnonzero(is_enough)
    if not len(found):
        return None
    last = int(found[-1])
    return Sureness(min(float(confidence[order][last]), _HIGHEST), (last + 1) / len(right), float(accuracy[last]))
