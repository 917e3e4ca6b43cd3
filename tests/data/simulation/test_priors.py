"""Priors are drawn from by their quantile functions."""

import numpy as np
import pytest
from scipy import stats

from sslens.data.simulation.priors import quantile, support


def test_quantiles_by_hand():
    u = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(quantile(3, u), 3.0)
    np.testing.assert_allclose(quantile({"uniform": [-1, 3]}, u), [-1, 1, 3])
    np.testing.assert_allclose(quantile({"log_uniform": [1, 100]}, u), [1, 10, 100])
    linear = {"power_law": {"index": 1.0, "min": 1.0, "max": 3.0}}
    np.testing.assert_allclose(quantile(linear, u), [1, np.sqrt(5), 3])
    inverse = {"power_law": {"index": -1.0, "min": 1.0, "max": 100.0}}
    np.testing.assert_allclose(quantile(inverse, u), [1, 10, 100])


def test_a_truncated_normal_is_scipys():
    settings = {"mean": 1.0, "sd": 0.5, "min": 0.2, "max": 3.0}
    u = np.linspace(0, 1, 11)
    expected = stats.truncnorm(-1.6, 4.0, 1.0, 0.5).ppf(u)
    np.testing.assert_allclose(quantile({"truncated_normal": settings}, u), expected)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_truncated_normal_is_scipys_in_both_tails(sign):
    low, high = sorted((sign * 13.0, sign * 26.0))
    settings = {"mean": 1.2, "sd": 0.015, "min": 1.2 + 0.015 * low, "max": 1.2 + 0.015 * high}
    u = np.linspace(0, 1, 11)
    expected = stats.truncnorm(low, high, 1.2, 0.015).ppf(u)
    values = quantile({"truncated_normal": settings}, u)
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert (np.diff(values) > 0).all()


def test_a_truncated_normal_stays_within_its_ends_also_in_the_tail():
    settings = {"mean": 0.0, "sd": 0.01, "min": 1.0, "max": 2.0}
    values = quantile({"truncated_normal": settings}, np.linspace(0, 1, 11))
    assert values.min() >= 1.0
    assert values.max() <= 2.0


def test_the_support_is_where_a_prior_ends():
    power_law = {"power_law": {"index": -1.9, "min": 1.0, "max": 100.0}}
    normal = {"truncated_normal": {"mean": 0.0, "sd": 1.0, "min": -1.0, "max": 2.0}}
    for prior in (3.0, {"uniform": [-1, 3]}, {"log_uniform": [1, 9]}, power_law, normal):
        np.testing.assert_allclose(quantile(prior, np.array([0.0, 1.0])), support(prior))
