"""Measures of calibration, by hand, by slow transcriptions, and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from sslens.metrics.calibration import (
    TEMPERATURES,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)
from sslens.metrics.predictions import softmax


def simulated(images=3000, seed=0):
    """Labels drawn from the probabilities of logits, so that these are calibrated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(images, 3))
    drawn = rng.random((images, 1)) > softmax(logits).cumsum(axis=1)
    return drawn.sum(axis=1).clip(max=2), logits


# --- measures -------------------------------------------------------------------------------------

# two classes, four images: the probability of the second, and which it is
HAND_LABELS = np.array([1, 0, 1, 0])
HAND_PROBABILITIES = np.array([[0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])


def test_the_brier_score_counted_on_paper():
    # twice the squares of 0.1, 0.8, 0.4 and 0.1
    assert brier_score(HAND_LABELS, HAND_PROBABILITIES) == pytest.approx(2 * 0.82 / 4, abs=1e-15)


def test_the_brier_score_is_the_sum_of_squares():
    labels, logits = simulated(200)
    p = softmax(logits)
    slow = np.mean([sum((p[i, c] - (labels[i] == c)) ** 2 for c in range(3)) for i in range(200)])
    assert brier_score(labels, p) == pytest.approx(slow, abs=1e-12)
    # a class that no image is of counts as it would
    some = labels != 1
    assert brier_score(labels[some], p[some]) == pytest.approx(
        np.mean(np.sum((p[some] - np.eye(3)[labels[some]]) ** 2, axis=1)), abs=1e-12
    )


def test_reliability_and_its_error_counted_on_paper():
    # two bins above a half: (0.5, 0.75] has 0.6, right; (0.75, 1] has 0.9, 0.8, 0.9: two right
    table = reliability(HAND_LABELS, HAND_PROBABILITIES, bins=4)
    assert list(table.columns) == ["confidence", "accuracy", "images"]
    assert table["confidence"].tolist() == pytest.approx([0.6, 2.6 / 3])
    assert table["accuracy"].tolist() == pytest.approx([1, 2 / 3])
    assert table["images"].tolist() == [1, 3]
    assert expected_calibration_error(HAND_LABELS, HAND_PROBABILITIES, bins=4) == pytest.approx(
        (1 * 0.4 + 3 * 0.2) / 4
    )


def test_a_bin_has_its_upper_edge():
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])
    table = reliability(np.array([0, 0, 0]), probabilities, bins=4)
    assert table["confidence"].tolist() == [0.5, 0.75, 1.0]


def test_the_error_is_that_of_a_slow_transcription():
    labels, logits = simulated(500)
    p = softmax(2 * logits)
    total = 0.0
    for m in range(1, 16):
        inside = [i for i in range(500) if (m - 1) / 15 < p[i].max() <= m / 15]
        if inside:
            accuracy = np.mean([p[i].argmax() == labels[i] for i in inside])
            confidence = np.mean([p[i].max() for i in inside])
            total += len(inside) / 500 * abs(accuracy - confidence)
    assert expected_calibration_error(labels, p) == pytest.approx(total, abs=1e-12)
    assert total > 0.05


def test_reliability_is_scikit_learns_curve_of_the_predicted_class():
    labels, logits = simulated(500)
    p = softmax(logits)
    accuracy, confidence = calibration_curve(p.argmax(axis=1) == labels, p.max(axis=1), n_bins=15)
    table = reliability(labels, p)
    assert table["accuracy"].tolist() == pytest.approx(accuracy.tolist(), abs=1e-12)
    assert table["confidence"].tolist() == pytest.approx(confidence.tolist(), abs=1e-12)
    assert table["images"].sum() == 500


def test_calibrated_probabilities_have_a_small_error():
    labels, logits = simulated()
    assert expected_calibration_error(labels, softmax(logits)) < 0.03
    assert expected_calibration_error(labels, softmax(3 * logits)) > 0.1


def test_the_log_loss_is_scikit_learns_where_nothing_saturates():
    labels, logits = simulated(200)
    assert log_loss(labels, logits) == pytest.approx(
        metrics.log_loss(labels, softmax(logits)), abs=1e-12
    )


def test_the_log_loss_of_a_saturated_mistake_is_not_cut_off():
    logits = np.array([[1000.0, -1000, -1000], [1000, -1000, -1000]])
    assert log_loss(np.array([0, 1]), logits) == pytest.approx(1000)
    assert brier_score(np.array([0, 1]), softmax(logits)) == pytest.approx(1)
    assert expected_calibration_error(np.array([0, 1]), softmax(logits)) == pytest.approx(0.5)


# --- the temperature ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.3, 1, 3])
def test_the_temperature_takes_back_a_scale(scale):
    labels, logits = simulated()
    assert fit_temperature(labels, scale * logits) == pytest.approx(scale, rel=0.1)


def test_no_temperature_on_a_grid_does_better():
    labels, logits = simulated(300, seed=1)
    temperature = fit_temperature(labels, 5 * logits)
    grid = np.geomspace(*TEMPERATURES, 500)
    losses = [log_loss(labels, 5 * logits / t) for t in grid]
    assert log_loss(labels, 5 * logits / temperature) <= min(losses)
    assert temperature == pytest.approx(grid[np.argmin(losses)], rel=0.02)
    assert temperature == fit_temperature(labels, 5 * logits)


@pytest.mark.parametrize("margin", [1e-3, 1, 50, 1000])
def test_without_a_mistake_the_temperature_ends_at_the_lower_bound(margin):
    labels = np.arange(6) % 3
    assert fit_temperature(labels, margin * np.eye(3)[labels]) == TEMPERATURES[0]


def test_with_nothing_but_mistakes_it_ends_at_the_upper_bound():
    labels = np.arange(6) % 3
    assert fit_temperature(labels, -1000 * np.eye(3)[labels]) == TEMPERATURES[1]


def test_there_is_no_temperature_without_images():
    with pytest.raises(ValueError, match="no temperature without images"):
        fit_temperature(np.zeros(0, int), np.zeros((0, 3)))
