"""The classifier on features, and the labels that it doubts."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mindcv_shufflenet.fitting.head import Head, HeadFitter, judged_right, margins_of, suspected
from mindcv_shufflenet.fitting.split import folds_of


def clusters(count: int = 200, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Features in clusters, and their labels."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, classes, count)
    centres = rng.normal(size=(classes, 16)) * 2
    return (centres[labels] + rng.normal(size=(count, 16))).astype(np.float32) + 3, labels


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_head_is_right_on_photos_that_it_has_not_seen(has_bias: bool, classes: int) -> None:
    features, labels = clusters(classes=classes)
    is_val = folds_of(labels, np.arange(len(labels))) == 0
    fitter = HeadFitter(features, labels, classes, has_bias=has_bias)
    head = fitter.choose(is_val).head
    found = head.probabilities(features[is_val])
    assert (found.argmax(axis=1) == labels[is_val]).mean() > 0.95
    assert np.allclose(found.sum(axis=1), 1)
    assert head.weight.shape == (classes, 16)
    assert head.bias.any() == has_bias


def test_a_class_without_a_photo_is_no_answer() -> None:
    features, labels = clusters(classes=3)
    fitter = HeadFitter(features, labels, 4, has_bias=True)
    assert (fitter.fit(np.ones(len(labels), bool), 0.03).probabilities(features)[:, 3] < 0.01).all()


def test_flipped_labels_are_the_first_suspects() -> None:
    features, labels = clusters(400)
    rng = np.random.default_rng(2)
    flipped = rng.choice(400, 20, replace=False)
    wrong = labels.copy()
    wrong[flipped] = (labels[flipped] + 1) % 4
    fitter = HeadFitter(features, wrong, 4, has_bias=True)
    probabilities = fitter.out_of_fold(folds_of(wrong, np.arange(400)), 0.03)
    order = np.argsort(margins_of(probabilities, wrong))
    told = np.flatnonzero(suspected(probabilities, wrong))
    assert len({*flipped.tolist()} & {*told.tolist()}) >= 12
    assert len(told) < 40
    assert len({*order[:40].tolist()} & {*flipped.tolist()}) >= 19


def test_one_strength_is_tried_where_there_is_time_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = clusters()
    fitter, tried, fit = HeadFitter(features, labels, 4, has_bias=True), list[float](), HeadFitter.fit

    def counted(self: HeadFitter, chosen: np.ndarray, strength: float) -> Head:
        tried.append(strength)
        return fit(self, chosen, strength)

    monkeypatch.setattr(HeadFitter, "fit", counted)
    is_val = np.arange(len(labels)) % 5 == 0
    fitter.choose(is_val, 0)
    assert len(tried) == 1
    chosen = fitter.choose(is_val)
    assert len(tried) == 5
    answers = {one: fit(fitter, ~is_val, one).probabilities(features[is_val]) for one in tried[1:]}
    assert chosen.strength == min(answers, key=lambda one: log_loss(labels[is_val], answers[one]))


@pytest.mark.parametrize("has_bias", [False, True])
def test_a_photo_of_a_class_that_the_other_folds_lack_is_not_judged(has_bias: bool) -> None:
    features, labels = clusters(classes=3)
    labels[0] = 3  # the only one of its class
    fitter = HeadFitter(features, labels, 4, has_bias=has_bias)
    probabilities = fitter.out_of_fold(folds_of(labels, np.arange(len(labels))), 0.03)
    assert (probabilities[0] == 0.25).all()
    assert not suspected(probabilities, labels)[0]
    assert len(judged_right(probabilities, labels)) == len(labels) - 1
    assert np.allclose(probabilities.sum(axis=1), 1)
    fold = folds_of(labels, np.arange(len(labels)))
    assert (probabilities[(fold == fold[0]) & (labels != 3), 3] == 0).all()
