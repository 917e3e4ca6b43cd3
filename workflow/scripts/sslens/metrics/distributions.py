"""What is predicted of a number: a normal distribution, or probabilities of bins."""

import math
from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from sslens.metrics import gaussian

LEAST = 1e-12  # probability of a bin, so that likelihoods stay finite


class Distribution(ABC):
    """Distributions of n images.

    Attributes:
        mean, deviation: (n,), their means and standard deviations.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @abstractmethod
    def crps(self, true: np.ndarray) -> np.ndarray:
        """Continuous ranked probability scores of true values, (n,), in their unit."""

    @abstractmethod
    def negative_log_likelihood(self, true: np.ndarray) -> np.ndarray:
        """- log of the densities at true values, (n,)."""

    @abstractmethod
    def below(self, true: np.ndarray) -> np.ndarray:
        """The probabilities of values below the true ones (PIT), (n,)."""

    @abstractmethod
    def fit(self, true: np.ndarray) -> float:
        """The factor for `scaled` that makes true values the likeliest."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The distributions, wider where the factor is more than 1."""


def is_inside(below: np.ndarray, level: float) -> np.ndarray:
    """Whether the central interval of a level holds true values with these `below`, (n,) bool."""
    return np.abs(below - 0.5) <= level / 2


def conformal_level(below: np.ndarray, share: float) -> float:
    """The probability of those central intervals that hold a share of images, and of new ones.

    Distributional conformal prediction (Chernozhukov, Wüthrich & Zhu 2021,
    doi:10.1073/pnas.2107794118): of images that come from where these do, at least this share is
    inside, whatever the form of the distributions that are predicted.

    Args:
        below: of `Distribution.below`, (n,).
        share: from 0 to 1.

    Returns:
        From 0 to 1; 1 where there are too few images to tell.
    """
    levels = np.sort(2 * np.abs(below - 0.5))
    place = math.ceil(round((len(below) + 1) * share, 9))  # 100 * 0.68 is a little above 68
    return float(levels[place - 1]) if place <= len(below) else 1.0


class Normal(Distribution):
    """Normal distributions; a factor multiplies their deviations."""

    def __init__(self, mean: np.ndarray, deviation: np.ndarray):
        """Take means and standard deviations, (n,) each."""
        self.mean, self.deviation = mean, deviation

    def crps(self, true: np.ndarray) -> np.ndarray:
        """See `gaussian.crps`."""
        return gaussian.crps(true - self.mean, self.deviation)

    def negative_log_likelihood(self, true: np.ndarray) -> np.ndarray:
        """See `gaussian.negative_log_likelihood`."""
        return gaussian.negative_log_likelihood(true - self.mean, self.deviation)

    def below(self, true: np.ndarray) -> np.ndarray:
        """See `gaussian.probability_below`."""
        return gaussian.probability_below(true - self.mean, self.deviation)

    def fit(self, true: np.ndarray) -> float:
        """See `gaussian.fit_scale`."""
        return gaussian.fit_scale(true - self.mean, self.deviation)

    def scaled(self, factor: float) -> Self:
        """With deviations that are so many times as large."""
        return type(self)(self.mean, factor * self.deviation)


class Histogram(Distribution):
    """Probabilities of bins, within which every value is as likely; a factor is a temperature."""

    def __init__(self, edges: np.ndarray, probabilities: np.ndarray):
        """Take edges (bins + 1,), of bins of one width, and probabilities (n, bins)."""
        self._edges = edges
        self._probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
        centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        self.mean = self._probabilities @ centres
        variance = self._probabilities @ centres**2 - self.mean**2 + width**2 / 12
        self.deviation = np.sqrt(variance)

    def _places(self, true: np.ndarray) -> np.ndarray:
        """The bins of true values; those outside are in the first or the last one."""
        last = len(self._edges) - 2
        return np.clip(np.searchsorted(self._edges, true, side="right") - 1, 0, last)

    def _until(self) -> np.ndarray:
        """Probabilities below the edges, (n, bins + 1)."""
        return np.pad(np.cumsum(self._probabilities, axis=1), ((0, 0), (1, 0)))

    def crps(self, true: np.ndarray) -> np.ndarray:
        """The integral of the squared difference of the distribution and the step, bin by bin."""
        inside = np.clip(true, self._edges[0], self._edges[-1])
        until, low, high = self._until(), self._edges[:-1], self._edges[1:]
        cut = np.clip(inside[:, None], low, high)  # where the step is, in each bin
        share = (cut - low) / (high - low)
        middle = until[:, :-1] + share * self._probabilities
        before = (cut - low) * _mean_square(until[:, :-1], middle)
        after = (high - cut) * _mean_square(1 - middle, 1 - until[:, 1:])
        # outside of the bins the difference is 1
        return (before + after).sum(axis=1) + np.abs(true - inside)

    def negative_log_likelihood(self, true: np.ndarray) -> np.ndarray:
        """Of the bin's probability divided by its width; outside of the bins, of the least one."""
        own = np.take_along_axis(self._probabilities, self._places(true)[:, None], axis=1)[:, 0]
        own = np.where((true < self._edges[0]) | (true > self._edges[-1]), 0, own)
        return -np.log(np.maximum(own, LEAST) / (self._edges[1] - self._edges[0]))

    def below(self, true: np.ndarray) -> np.ndarray:
        """Linear within a bin."""
        inside, places = np.clip(true, self._edges[0], self._edges[-1]), self._places(true)
        rows = np.arange(len(true))
        share = (inside - self._edges[places]) / (self._edges[1] - self._edges[0])
        return self._until()[rows, places] + share * self._probabilities[rows, places]

    def fit(self, true: np.ndarray) -> float:
        """See `calibration.fit_temperature`."""
        from sslens.metrics.calibration import fit_temperature  # imports scikit-learn

        return fit_temperature(self._places(true), np.log(np.maximum(self._probabilities, LEAST)))

    def scaled(self, factor: float) -> Self:
        """With the logarithms of the probabilities divided by the factor."""
        logarithms = np.log(np.maximum(self._probabilities, LEAST)) / factor
        logarithms -= logarithms.max(axis=1, keepdims=True)
        return type(self)(self._edges, np.exp(logarithms))


def _mean_square(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The mean of the square of what goes from one value to another on a line."""
    return (first**2 + first * last + last**2) / 3
