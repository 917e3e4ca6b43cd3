"""Normal distributions as predictions: scores, coverage, calibration and mixtures."""

import numpy as np
from scipy.special import ndtr

from sslens.targets import SMALLEST_VARIANCE

#: Shares of the images that intervals are to hold.
LEVELS = (0.5, 0.68, 0.9, 0.95)


def crps(errors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of normal predictions, in the unit of the errors.

    Gneiting & Raftery 2007 (Journal of the American Statistical Association 102, 359, section 4.2).
    With a deviation of 0 it would be the absolute error.

    Args:
        errors: (n,), true values less means.
        deviations: (n,), standard deviations.

    Returns:
        (n,); 0.2337 deviations where the error is 0.
    """
    z = errors / deviations
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return deviations * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))


def negative_log_likelihood(errors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """- log of the density at the true values, (n,); arguments as of `crps`."""
    return (errors / deviations) ** 2 / 2 + np.log(deviations) + np.log(2 * np.pi) / 2


def probability_below(errors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """The probability, as predicted, of values below the true one (PIT), of the errors' shape."""
    return ndtr(errors / deviations)


def fit_scale(errors: np.ndarray, deviations: np.ndarray) -> float:
    """The factor of all deviations that makes the errors the likeliest (maximum likelihood)."""
    return float(np.sqrt(np.mean((errors / deviations) ** 2)))


def mixed(means: np.ndarray, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (n,) of even mixtures of distributions, (parts, n) each.

    A variance is the mean variance of the parts and the variance of their means; deviations are
    never averaged.
    """
    variance = np.mean(deviations**2, axis=0) + np.var(means, axis=0)
    return means.mean(axis=0), np.sqrt(variance)


# --- what networks give ---------------------------------------------------------------------------


def variances_of(raw: np.ndarray) -> np.ndarray:
    """Variances of what a network gives for them: softplus makes them positive."""
    return np.logaddexp(0, raw) + SMALLEST_VARIANCE


def raw_of(variances: np.ndarray) -> np.ndarray:
    """The inverse of `variances_of`."""
    positive = np.maximum(variances - SMALLEST_VARIANCE, SMALLEST_VARIANCE)
    return positive + np.log(-np.expm1(-positive))
