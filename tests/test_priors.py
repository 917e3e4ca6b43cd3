"""Priors are drawn from by their quantile functions."""

import numpy as np

from sslens.priors import quantile


def test_quantiles_by_hand():
    u = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(quantile(3, u), 3.0)
    np.testing.assert_allclose(quantile({"uniform": [-1, 3]}, u), [-1, 1, 3])
    np.testing.assert_allclose(quantile({"log_uniform": [1, 100]}, u), [1, 10, 100])
    linear = {"power_law": {"index": 1.0, "min": 1.0, "max": 3.0}}
    np.testing.assert_allclose(quantile(linear, u), [1, np.sqrt(5), 3])
    inverse = {"power_law": {"index": -1.0, "min": 1.0, "max": 100.0}}
    np.testing.assert_allclose(quantile(inverse, u), [1, 10, 100])
