"""Distributions that are predicted: histograms against integrals and draws."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sslens.metrics.distributions import Histogram, Normal, conformal_level, is_inside

RNG = np.random.default_rng(0)
EDGES = np.linspace(-2, 3, 11)
SHARES = RNG.dirichlet(np.ones(10), 6)
TRUE = np.array([-1.9, -0.3, 0.5, 1.0, 2.99, 2.2])


def cumulative(row, x):
    return np.interp(x, EDGES, np.r_[0, np.cumsum(SHARES[row])])


@pytest.mark.parametrize("row", range(6))
def test_a_histogram_scores_as_the_integrals_say(row):
    found, true = Histogram(EDGES, SHARES), TRUE[row]
    crps = sum(
        quad(lambda x, s=step: (cumulative(row, x) - s) ** 2, *ends, limit=200, points=points)[0]
        for step, ends in ((0, (-2, true)), (1, (true, 3)))
        for points in [[e for e in EDGES if ends[0] < e < ends[1]] or None]
    )
    assert found.crps(TRUE)[row] == pytest.approx(crps, rel=1e-5)
    assert found.below(TRUE)[row] == pytest.approx(cumulative(row, true))
    share = SHARES[row][np.searchsorted(EDGES, true, side="right") - 1]
    assert found.negative_log_likelihood(TRUE)[row] == pytest.approx(-np.log(share / 0.5))
    mean = quad(lambda x: 1 - cumulative(row, x), -2, 3, limit=200, points=EDGES[1:-1])[0] - 2
    assert found.mean[row] == pytest.approx(mean, rel=1e-6)
    square = sum(
        share * (high**3 - low**3) / 3 / (high - low)
        for share, low, high in zip(SHARES[row], EDGES, EDGES[1:], strict=False)
    )
    assert found.deviation[row] == pytest.approx(np.sqrt(square - mean**2), rel=1e-6)


def test_outside_of_the_bins_a_histogram_has_no_probability():
    found = Histogram(EDGES, SHARES[:2])
    true = np.array([-5.0, 4.0])
    assert found.below(true).tolist() == [0, pytest.approx(1)]
    inside = found.crps(np.array([-2.0, 3.0]))
    np.testing.assert_allclose(found.crps(true), inside + np.array([3, 1]))
    assert np.isfinite(Histogram(EDGES, np.eye(10)[:2]).negative_log_likelihood(true)).all()


def test_a_fine_histogram_of_a_normal_distribution_scores_like_it():
    edges = np.linspace(-8, 8, 3201)
    mean, deviation = np.array([0.3, -1.0]), np.array([0.7, 1.3])
    shares = np.diff(norm.cdf(edges, mean[:, None], deviation[:, None]), axis=1)
    fine, normal = Histogram(edges, shares), Normal(mean, deviation)
    true = np.array([1.0, -1.2])
    for score in ("crps", "negative_log_likelihood", "below"):
        expected = getattr(normal, score)(true)
        np.testing.assert_allclose(getattr(fine, score)(true), expected, rtol=5e-3)
    np.testing.assert_allclose(fine.mean, mean, atol=1e-3)
    np.testing.assert_allclose(fine.deviation, deviation, rtol=1e-3)


def test_a_temperature_makes_probabilities_as_sure_as_they_should_be():
    images, bins = 20_000, 20
    logits = RNG.normal(size=(images, bins))
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    places = (RNG.uniform(size=(images, 1)) > np.cumsum(right, axis=1)).sum(axis=1)
    true = places + RNG.uniform(size=images)
    sure = np.exp(3 * logits)
    found = Histogram(np.arange(bins + 1.0), sure)
    factor = found.fit(true)
    assert factor == pytest.approx(3, rel=0.05)
    below = found.scaled(factor).below(true)
    for level in (0.5, 0.9):
        assert is_inside(below, level).mean() == pytest.approx(level, abs=0.015)
    assert is_inside(found.below(true), 0.9).mean() < 0.8


def test_a_conformal_level_is_that_of_the_image_in_its_place():
    below = np.array([0.5, 0.4, 0.7, 0.1, 0.99])  # in intervals of 0, 0.2, 0.4, 0.8 and 0.98
    levels = [conformal_level(below, share) for share in (0.1, 0.5, 0.51, 0.8, 0.9)]
    assert levels == pytest.approx([0, 0.4, 0.8, 0.98, 1])


@pytest.mark.parametrize(("images", "share"), [(9, 0.5), (19, 0.9), (99, 0.68)])
def test_new_images_are_inside_as_often_as_conformal_prediction_says(images, share):
    """In the mean over calibrations, ceil((n + 1) share) of n + 1 times."""
    below = np.random.default_rng(1).beta(0.5, 2, (20_000, images + 1))
    inside = [is_inside(row[-1], conformal_level(row[:-1], share)) for row in below]
    expected = np.ceil((images + 1) * share) / (images + 1)
    assert np.mean(inside) == pytest.approx(expected, abs=0.01)
