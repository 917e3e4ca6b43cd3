"""What intervals and tests of AUCs are built of, against slow transcriptions and by hand."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from sslens.metrics.uncertainty import agreement_bound, holm, macro_agreement_bound, placements

IS_POSITIVE = np.random.default_rng(1).permutation(np.arange(40) < 15)


def some_scores(ties):
    scores = np.random.default_rng(0).normal(size=(2, 3, 40)) + IS_POSITIVE
    return np.round(scores) if ties else scores


# --- placements -----------------------------------------------------------------------------------


def slow_placements(is_positive, scores):
    """Two for each image of the other side on whose right side an image is, and one for a tie."""
    placed = []
    for score, side in zip(scores, is_positive, strict=True):
        others = scores[is_positive != side]
        below = others < score if side else others > score
        placed.append(2 * np.sum(below) + np.sum(others == score))
    return placed


@pytest.mark.parametrize("ties", [False, True])
def test_placements_by_their_definition(ties):
    scores = some_scores(ties)
    found = placements(IS_POSITIVE, scores)
    assert found.shape == scores.shape
    for own, expected in zip(found.reshape(-1, 40), scores.reshape(-1, 40), strict=True):
        assert own.tolist() == slow_placements(IS_POSITIVE, expected)
        auc = own[IS_POSITIVE].sum() / (2 * 15 * 25)
        assert auc == pytest.approx(roc_auc_score(IS_POSITIVE, expected), abs=1e-12)
        assert own[~IS_POSITIVE].sum() == own[IS_POSITIVE].sum()


@pytest.mark.parametrize("images", [0, 1, 39, 40])
def test_a_variance_needs_two_images_of_each_side(images):
    with pytest.raises(ValueError, match="two images of the class and two of the rest"):
        placements(np.arange(40) < images, some_scores(False))


def test_nan_has_no_rank():
    scores = some_scores(False)
    scores[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        placements(IS_POSITIVE, scores)


# --- where nothing varies -------------------------------------------------------------------------


@pytest.mark.parametrize("images", [2, 15, 30])
def test_the_bound_is_that_of_as_many_successes(images):
    trials = min(images, 40 - images)
    pearson = binomtest(trials, trials, alternative="greater").proportion_ci(0.95, "exact")
    assert agreement_bound(np.arange(40) < images) == pytest.approx(pearson.low, abs=1e-9)
    assert agreement_bound(np.arange(40) < images) == pytest.approx(0.05 ** (1 / trials))


def test_the_bounds_of_all_classes_hold_together():
    bounds = [(0.05 / 3) ** (1 / 12), (0.05 / 3) ** (1 / 20), (0.05 / 3) ** (1 / 9)]
    assert macro_agreement_bound((12, 20, 9)) == pytest.approx(sum(bounds) / 3, abs=1e-12)
    # the rest of a class that has most of the images is the smaller
    bounds = [(0.05 / 3) ** (1 / 5), (0.05 / 3) ** (1 / 2), (0.05 / 3) ** (1 / 3)]
    assert macro_agreement_bound((20, 2, 3)) == pytest.approx(sum(bounds) / 3, abs=1e-12)


# --- several tests --------------------------------------------------------------------------------


def slow_holm(p_values):
    """Step by step, as Holm 1979 rejects: the adjusted p value is the level it takes to get there.

    The hypothesis of the i-th smallest p value (from 0) is rejected at a level if this and all
    smaller ones are at most level / (tests - i).
    """
    made = sorted(p for p in p_values if not math.isnan(p))
    adjusted = []
    for p in p_values:
        levels = [(len(made) - i) * q for i, q in enumerate(made) if q <= p]
        adjusted.append(math.nan if math.isnan(p) else min(1.0, max(levels)))
    return adjusted


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9, 0.6]) == pytest.approx([1, 1, 1])
    assert holm([]).tolist() == []


@pytest.mark.parametrize("tests", [1, 2, 5, 20])
def test_holm_step_by_step(tests):
    p_values = np.random.default_rng(tests).random(tests) ** 3
    assert holm(p_values) == pytest.approx(slow_holm(p_values), abs=1e-15)
    gaps = np.insert(p_values, [0, tests // 2, tests], np.nan)
    assert holm(gaps) == pytest.approx(slow_holm(gaps), abs=1e-15, nan_ok=True)
    assert np.isnan(holm(gaps)).sum() == 3
    assert holm(gaps)[~np.isnan(gaps)] == pytest.approx(holm(p_values), abs=1e-15)
    assert np.isnan(holm([np.nan, np.nan])).all()
