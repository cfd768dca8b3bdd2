"""The confusion matrix and what follows from it, against counts by hand."""

import numpy as np

from mindcv_shufflenet.evaluation.confusion import (
    Confused,
    class_scores,
    confusion,
    most_confident_errors,
    most_confused,
)

LABEL = np.array([0, 0, 0, 1, 1, 2], np.int32)
ANSWER = np.array([0, 1, 1, 1, 0, 2])
MATRIX = np.array([[1, 2, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])


def test_a_row_is_a_label_and_a_class_without_images_has_one() -> None:
    assert np.array_equal(confusion(LABEL, ANSWER, 4), MATRIX)


def test_figures_of_each_class_follow_from_the_matrix() -> None:
    rng = np.random.default_rng(0)
    label, answer = rng.integers(0, 7, 500), rng.integers(0, 7, 500)
    matrix, right = confusion(label, answer, 7), confusion(label, answer, 7).diagonal()
    scores = class_scores(label, answer, 7)
    precision, recall = right / matrix.sum(axis=0), right / matrix.sum(axis=1)
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, 2 * precision * recall / (precision + recall))
    assert np.array_equal(scores.support, np.bincount(label))
    empty = class_scores(LABEL, ANSWER, 4)
    assert [figures[3] for figures in empty] == [0, 0, 0, 0]


def test_the_most_confused_pairs_come_first_and_right_answers_never() -> None:
    assert most_confused(MATRIX, 5) == [Confused(0, 1, 2, 2 / 3), Confused(1, 0, 1, 1 / 2)]
    assert most_confused(MATRIX, 1) == [Confused(0, 1, 2, 2 / 3)]
    assert most_confused(np.eye(3, dtype=int), 5) == []


def test_the_most_confident_errors() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    label = np.array([1, 1, 1, 0], np.int32)
    assert most_confident_errors(probabilities, label, 2).tolist() == [0, 3]
    assert most_confident_errors(probabilities, label, 9).tolist() == [0, 3, 1]
