"""Calibration against its definition, and a temperature that is known."""

import numpy as np
import pytest
from scipy.special import log_softmax

from mindcv_shufflenet.evaluation.calibration import (
    calibrate,
    cross_entropy,
    find_sureness,
    fit_temperature,
    reliability,
)


def drawn(images: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with the probabilities of the logits divided by a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(images, 5)) * 4
    noise = rng.gumbel(size=logits.shape)
    return logits.astype(np.float32), (logits / temperature + noise).argmax(axis=1).astype(np.int32)


def test_bins_and_error_are_those_of_the_paper() -> None:
    """Equations 1 to 3, bin by bin."""
    logits, label = drawn(400, 2.5)
    probabilities = np.exp(log_softmax(logits.astype(float), axis=1))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == label
    found = reliability(logits, label)
    expected = 0.0
    for place in range(15):
        inside = (confidence > place / 15) & (confidence <= (place + 1) / 15)
        assert found.images[place] == inside.sum()
        if inside.any():
            assert found.confidence[place] == pytest.approx(confidence[inside].mean())
            assert found.accuracy[place] == pytest.approx(right[inside].mean())
            expected += inside.sum() / 400 * abs(right[inside].mean() - confidence[inside].mean())
        else:
            assert np.isnan(found.accuracy[place])
    assert found.ece == pytest.approx(expected)


def test_a_sure_right_answer_is_calibrated_and_lies_in_the_last_bin() -> None:
    found = reliability(np.array([[1000.0, 0], [0, 1000.0]]), np.array([0, 1], np.int32))
    assert (found.images[-1], found.ece) == (2, 0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature: float) -> None:
    logits, label = drawn(10_000, temperature)
    found = fit_temperature(logits, label)
    assert found == pytest.approx(temperature, rel=0.05)
    grid = np.geomspace(0.05, 20, 50)
    assert cross_entropy(logits, label, found) <= min(cross_entropy(logits, label, one) for one in grid) + 1e-9


def test_it_is_fitted_on_one_half_and_judged_on_the_other() -> None:
    logits, label = drawn(2001, 2.5)
    found = calibrate(logits, label)
    assert found
    assert (found.fit_images, found.test_images) == (1001, 1000)
    assert found.temperature == fit_temperature(logits[::2], label[::2])
    assert found.before.ece == reliability(logits[1::2], label[1::2]).ece
    assert found.after.ece == reliability(logits[1::2], label[1::2], found.temperature).ece
    assert found.after.ece < found.before.ece / 3


def test_the_temperature_stays_1_where_it_does_not_help() -> None:
    """It is fitted on labels that are drawn with 3, and judged on such as are drawn with 1/3."""
    first, second = drawn(200, 3), drawn(200, 1 / 3, seed=1)
    logits, label = (
        np.stack(pair, axis=1).reshape(400, *pair[0].shape[1:]) for pair in zip(first, second, strict=True)
    )
    found = calibrate(logits, label)
    assert found
    assert found.temperature == 1
    assert found.after.ece == found.before.ece


def test_the_temperature_stays_1_where_it_makes_the_answers_probabilities_worse() -> None:
    """The answer is right in half of the cases, as it says; the second class has the rest, and not a tenth."""
    logits = np.tile(np.log([0.5, 0.1, *[0.05] * 8]), (400, 1))
    label = np.tile(np.array([0, 0, 1, 1], np.int32), 100)
    assert cross_entropy(logits, label, fit_temperature(logits, label)) < cross_entropy(logits, label)
    found = calibrate(logits, label)
    assert found
    assert found.temperature == 1
    assert found.after.ece == pytest.approx(0, abs=1e-9)


def test_without_an_error_or_with_few_images_there_is_none() -> None:
    logits, _ = drawn(100, 1)
    found = calibrate(logits, logits.argmax(axis=1).astype(np.int32))
    assert found
    assert found.temperature == 1
    assert calibrate(logits[:99], np.zeros(99, np.int32)) is None


@pytest.mark.parametrize(("images", "error"), [(50, 0.12), (500, 0.04), (5000, 0.01)])
def test_few_images_have_an_error_by_chance(images: int, error: float) -> None:
    """The figures of docs/report.md: labels are drawn with the probabilities of the logits."""
    errors = [reliability(*drawn(images, 1, seed)).ece for seed in range(20)]
    assert np.mean(errors) == pytest.approx(error, abs=0.01)


def test_a_temperature_of_few_images_is_off() -> None:
    found = [np.log(fit_temperature(*drawn(50, 1, seed))) for seed in range(30)]
    assert np.std(found) == pytest.approx(0.25, abs=0.05)


def test_an_answer_is_sure_from_the_probability_on_that_makes_errors_three_times_rarer() -> None:
    confidence = np.linspace(1, 0.2, 100)
    is_right = np.ones(100, bool)
    is_right[[50, *range(71, 100)]] = False  # 30 % are wrong, so 10 % may be
    found = find_sureness(confidence, is_right)
    assert found is not None
    assert found.accuracy >= 0.9
    assert found.threshold == pytest.approx(confidence[76])  # 7 of the first 77 are wrong, and 8 of 78
    assert found.share == pytest.approx(0.77)


def test_no_answer_is_sure_among_few_or_where_errors_are_as_rare_everywhere() -> None:
    assert find_sureness(np.linspace(1, 0.5, 19), np.ones(19, bool)) is None
    assert find_sureness(np.linspace(1, 0.5, 100), np.arange(100) % 3 > 0) is None


def test_where_all_answers_are_right_those_are_sure_that_are_as_probable_as_any_of_them() -> None:
    assert find_sureness(np.linspace(0.9, 0.5, 20), np.ones(20, bool)) == (0.5, 1.0, 1.0)


def test_answers_of_one_probability_are_sure_together() -> None:
    """The order among them says nothing: either all or none of them are."""
    confidence = np.repeat([0.99, 0.6], [40, 40])
    is_right = np.arange(80) < 60  # of the second half, the first twenty
    found = find_sureness(confidence, is_right)
    assert found is not None
    assert found.share == 0.5
    assert find_sureness(np.full(80, 0.9), is_right) is None
