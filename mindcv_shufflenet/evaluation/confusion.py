"""Which classes a network takes for which: confusion matrix, figures of each class, the most confident errors."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support


class ClassScores(NamedTuple):
    """Figures of each class, ``[num_classes]`` each; 0 where a class has no image or is never the answer.

    Attributes:
        precision: share of the images with this answer that have this label.
        recall: share of the images with this label that have this answer.
        f1: harmonic mean of both.
        support: number of images with this label.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


class Confused(NamedTuple):
    """A label and another answer: the indices of both classes, and how many images have them.

    Attributes:
        label: index of the images' class.
        answer: index of the class that the network takes it for.
        images: how many.
        share: of the images with that label.
    """

    label: int
    answer: int
    images: int
    share: float


def confusion(label: np.ndarray, answer: np.ndarray, num_classes: int) -> np.ndarray:
    """Return how many images of each label have each answer, ``[num_classes, num_classes] int64``, a row a label.

    Args:
        label: indices of the images' classes, ``[N]``.
        answer: indices of the classes with the highest logits, ``[N]``.
        num_classes: length of the logits.
    """
    return confusion_matrix(label, answer, labels=np.arange(num_classes))


def class_scores(label: np.ndarray, answer: np.ndarray, num_classes: int) -> ClassScores:
    """Return precision, recall, F1 and support of each class; the arguments are those of :func:`confusion`."""
    classes = np.arange(num_classes)
    return ClassScores(*precision_recall_fscore_support(label, answer, labels=classes, zero_division=0.0))


def most_confused(matrix: np.ndarray, count: int) -> list[Confused]:
    """Return the pairs of a label and another answer that most images have, the most frequent pair first."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [
        Confused(int(label), int(answer), int(wrong[label, answer]), float(wrong[label, answer] / matrix[label].sum()))
        for label, answer in pairs
        if wrong[label, answer]
    ]


def most_confident_errors(probabilities: np.ndarray, label: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the wrong answers with the highest probability, ``[at most count] int64``, highest first.

    Args:
        probabilities: ``[N, num_classes]``.
        label: ``[N] int32``.
        count: how many, if there are so many.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != label)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:count]]
