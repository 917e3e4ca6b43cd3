"""Predictions that are normal distributions: scores against integrals and draws."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sslens.metrics import gaussian
from sslens.metrics.distributions import is_inside

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("error", "deviation"), [(0.0, 1.0), (0.3, 0.5), (-2.0, 0.7), (4.0, 0.1)])
def test_the_crps_is_the_integral_that_defines_it(error, deviation):
    """Of the squared difference of the distribution and the step at the true value."""

    def squared(x, step):
        return (norm.cdf(x, 0, deviation) - step) ** 2

    edges = -10 * deviation + min(error, 0), 10 * deviation + max(error, 0)
    expected = quad(squared, edges[0], error, (0,))[0] + quad(squared, error, edges[1], (1,))[0]
    found = gaussian.crps(np.array([error]), np.array([deviation]))
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_the_crps_of_what_is_known_of_it():
    deviations = np.array([0.2, 1.0, 3.0])
    np.testing.assert_allclose(gaussian.crps(0 * deviations, deviations), 0.2337 * deviations, 1e-3)
    drawn = RNG.normal(size=200_000)
    mean = gaussian.crps(2 * drawn, np.full(len(drawn), 2.0)).mean()
    assert mean == pytest.approx(2 / np.sqrt(np.pi), rel=0.01)


def test_the_likelihood_is_that_of_scipy():
    errors, deviations = RNG.normal(size=9), RNG.uniform(0.1, 2, 9)
    found = gaussian.negative_log_likelihood(errors, deviations)
    np.testing.assert_allclose(found, -norm.logpdf(errors, 0, deviations))


@pytest.mark.parametrize("level", gaussian.LEVELS)
def test_as_many_are_inside_as_the_level_says_once_deviations_are_scaled(level):
    deviations = RNG.uniform(0.5, 2, 100_000)
    errors = deviations * RNG.normal(size=len(deviations))
    scale = gaussian.fit_scale(errors, deviations / 3)
    assert scale == pytest.approx(3, rel=0.01)
    below = gaussian.probability_below(errors, scale * deviations / 3)
    assert is_inside(below, level).mean() == pytest.approx(level, abs=0.006)
    assert np.histogram(below, 10, (0, 1))[0] == pytest.approx(10_000, rel=0.05)


def test_a_mixture_has_the_mean_and_the_deviation_of_its_draws():
    means, deviations = np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([[1.0, 0.1], [0.1, 0.3]])
    drawn = means[:, None] + deviations[:, None] * RNG.normal(size=(2, 100_000, 2))
    mean, deviation = gaussian.mixed(means, deviations)
    np.testing.assert_allclose(mean, drawn.mean(axis=(0, 1)), atol=0.01)
    np.testing.assert_allclose(deviation, drawn.std(axis=(0, 1)), rtol=0.01)
    assert deviation[0] > deviations[:, 0].mean()


def test_variances_come_back_from_what_a_network_would_give():
    variances = np.array([1e-5, 0.01, 1.0, 50.0])
    np.testing.assert_allclose(gaussian.variances_of(gaussian.raw_of(variances)), variances)
    assert gaussian.variances_of(np.array([-1e4]))[0] > 0
    assert np.isfinite(gaussian.raw_of(np.array([0.0])))
