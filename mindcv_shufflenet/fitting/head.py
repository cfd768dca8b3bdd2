"""A classifier on features that are computed once: the first useful model, and which labels are suspicious.

Which labels are suspicious is told by classifiers that have not seen the photo: Northcutt et al. 2021, "Confident
Learning", arXiv:1911.00068, section 3.1.
"""

import math
import time
import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

# Inverse strengths of the regularisation that are tried, the most usual one first.
_STRENGTHS = (0.01, 0.1, 1.0, 0.001)
_STEPS = 200
# The least probability of another class that makes a label suspicious.
_SURE = 0.5


class Head(NamedTuple):
    """A dense layer on features.

    Attributes:
        weight: ``[classes, features] float32``.
        bias: ``[classes] float32``; zeros where the network's classifier has none.
    """

    weight: np.ndarray
    bias: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the probabilities ``[N, classes]`` of features ``[N, features]``."""
        return softmax(features @ self.weight.T + self.bias, axis=1)


class Choice(NamedTuple):
    """The best of some heads.

    Attributes:
        head: the head.
        strength: the inverse strength of its regularisation.
        seconds: that fitting one has taken.
    """

    head: Head
    strength: float
    seconds: float


class HeadFitter:
    """Fits heads on features.

    Args:
        features: of all photos, ``[N, F] float32``.
        labels: index of the class of each, ``[N]``.
        classes: how many there are.
        has_bias: whether the network's classifier has a bias.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, *, has_bias: bool) -> None:
        self.features = features
        self.labels = labels
        self.classes = classes
        self.has_bias = has_bias

    def choose(self, is_val: np.ndarray, seconds: float = math.inf) -> "Choice":
        """Fit heads on the photos for training, of different regularisation; return the best one.

        Args:
            is_val: whether each photo is for validation, ``[N] bool``; the lowest loss on these is the best.
            seconds: after so many no further strength is tried.
        """
        begin = time.perf_counter()
        losses: dict[float, float] = {}
        heads: dict[float, Head] = {}
        for strength in _STRENGTHS:
            heads[strength] = self.fit(~is_val, strength)
            answers = heads[strength].probabilities(self.features[is_val])
            losses[strength] = log_loss(self.labels[is_val], answers, labels=range(self.classes))
            spent = time.perf_counter() - begin
            if spent > seconds:
                break
        best = min(losses, key=losses.__getitem__)
        return Choice(heads[best], best, spent / len(heads))

    def fit(self, chosen: np.ndarray, strength: float) -> Head:
        """Return a head that is fitted on the chosen photos, ``[N] bool``; classes without one get zeros.

        With a bias their logit is low; without one it is 0, which is as good as any.
        """
        features, labels = self.features[chosen], self.labels[chosen]
        scaler = StandardScaler(with_mean=self.has_bias).fit(features)
        regression = LogisticRegression(C=strength, max_iter=_STEPS, fit_intercept=self.has_bias)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(scaler.transform(features), labels)
        rows, offsets = regression.coef_, np.broadcast_to(regression.intercept_, len(regression.coef_))
        if len(regression.classes_) == 2:  # scikit-learn keeps one row for two classes
            rows, offsets = np.concatenate((-rows, rows)) / 2, np.array([-1, 1]) * offsets / 2
        weight = np.zeros((self.classes, features.shape[1]), np.float32)
        bias = np.full(self.classes, offsets.min() - 10 if self.has_bias else 0, np.float32)
        weight[regression.classes_] = rows / scaler.scale_
        bias[regression.classes_] = offsets
        if self.has_bias:
            bias[regression.classes_] -= (rows / scaler.scale_) @ scaler.mean_
        return Head(weight, bias)

    def out_of_fold(self, folds: np.ndarray, strength: float) -> np.ndarray:
        """Return the probabilities of each photo by a head that was fitted on the other folds, ``[N, classes]``.

        A photo of a class that the other folds lack cannot be judged: all classes are equally probable.
        """
        found = np.full((len(self.labels), self.classes), 1 / self.classes)
        for fold in np.unique(folds):
            others = folds != fold
            known = np.unique(self.labels[others])
            own = ~others & np.isin(self.labels, known)
            if len(known) > 1 and own.any():
                answers = self.fit(others, strength).probabilities(self.features[own])[:, known]
                found[np.ix_(own, range(self.classes))] = 0
                found[np.ix_(own, known)] = answers / answers.sum(axis=1, keepdims=True)
        return found


def judged_right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether each photo that could be judged is right, ``[N or fewer] bool``.

    Args:
        probabilities: of each photo, as :meth:`HeadFitter.out_of_fold` returns them.
        labels: index of the class of each, ``[N]``.
    """
    is_judged = np.ptp(probabilities, axis=1) > 0
    return probabilities[is_judged].argmax(axis=1) == labels[is_judged]


def margins_of(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability of each given label less that of the best other class, ``[N]`` in -1..1."""
    places = np.arange(len(labels)), labels
    others = probabilities.copy()
    others[places] = 0
    return probabilities[places] - others.max(axis=1)


def suspected(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether each label is suspected to be wrong, ``[N] bool``.

    It is if another class has more than half of the probability, and at least as much as for its own photos on average.

    Args:
        probabilities: of each photo's classes, by a classifier that has not seen it, ``[N, classes]``.
        labels: the given class of each, ``[N]``; each class has a photo.
    """
    usual = np.array([probabilities[labels == label, label].mean() for label in range(probabilities.shape[1])])
    best = probabilities.argmax(axis=1)
    return (best != labels) & (probabilities.max(axis=1) >= np.maximum(usual[best], _SURE))
