"""How a network answers a regression: by normal distributions, or by probabilities of bins.

A head makes a loss of the outputs of a network, and columns of predictions. TensorFlow and Keras
are imported where they are needed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_softmax

from sslens.metrics.gaussian import mixed, variances_of
from sslens.metrics.regression import bin_columns, columns_of
from sslens.targets import PAIRS, POSITION, SMALLEST_VARIANCE, stack_arrays, turned

#: Share of the range of the training values by which bins go beyond it, on either side: other
#: images have values there too.
ROOM = 0.05


class Head(ABC):
    """A head of several targets, which are learned with mean 0 and deviation 1.

    Args:
        targets: their names, k of them.
        settings: of the task.
        facts: of the training images: `mean`, `deviation`, `lowest` and `highest` of each target.
    """

    per_target: int

    def __init__(self, targets: Sequence[str], settings: Mapping, facts: Mapping):
        self._targets, self._settings, self._facts = targets, settings, facts

    def of(self, key: str) -> np.ndarray:
        """A fact of all targets, (k,)."""
        return np.array([self._facts[name][key] for name in self._targets])

    @abstractmethod
    def loss(self, targets: Any, outputs: Any) -> Any:
        """Losses (batch,) of targets (batch, k), NaN where there is none, as tensors."""

    @abstractmethod
    def likelihood(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The mean negative log-likelihood of targets."""

    @abstractmethod
    def means(self, outputs: np.ndarray) -> np.ndarray:
        """Means (n, k) of outputs, of targets as they are learned."""

    @abstractmethod
    def columns(self, outputs: np.ndarray, turns: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of predictions, in the units of the targets.

        Args:
            outputs: (orientations, n, outputs).
            turns: of the orientations, (orientations, 2, 2).
        """

    def edges(self) -> dict[str, list[float]]:
        """Target -> the edges of its bins, where there are any."""
        return {}

    @abstractmethod
    def readable(self, outputs: Any) -> Any:
        """What an exported network gives of outputs, by layers of Keras."""

    @abstractmethod
    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """The same of several orientations."""


class Gaussian(Head):
    """A mean and a variance of each target: k means, and then what k variances are made of."""

    per_target = 2

    def loss(self, targets: Any, outputs: Any) -> Any:
        """The likelihood with a weight, see `losses.beta_nll`."""
        from sslens.networks.losses import beta_nll

        return beta_nll(targets, outputs, self._settings["beta"])

    def likelihood(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """See `losses.mean_nll`."""
        from sslens.networks.losses import mean_nll

        return mean_nll(targets, outputs)

    def means(self, outputs: np.ndarray) -> np.ndarray:
        """The first half."""
        return outputs[:, : len(self._targets)]

    def columns(self, outputs: np.ndarray, turns: np.ndarray) -> dict[str, np.ndarray]:
        """Means and deviations of even mixtures over the orientations, turned back."""
        relative, raw = np.split(np.asarray(outputs, np.float64), 2, axis=-1)
        means = self.of("mean") + self.of("deviation") * relative
        deviations = self.of("deviation") * np.sqrt(variances_of(raw))
        back = np.swapaxes(turns, 1, 2)[:, None]  # the inverse of the turns
        means = turned(means, back, self._targets, stack_arrays)
        deviations = self._deviations_turned(deviations, back, stack_arrays)
        made: dict[str, np.ndarray] = {}
        for place, name in enumerate(self._targets):
            mean, deviation = mixed(means[..., place], deviations[..., place])
            made |= dict(zip(columns_of(name)[1:], (mean, deviation), strict=True))
        return made

    def _deviations_turned(self, deviations: Any, turns: Any, stack: Callable) -> Any:
        """Deviations after quarter turns or flips, which swap the components of a position.

        Those of an ellipticity change their signs alone, which no deviation has.
        """
        kept = {name for pair, spin in PAIRS.items() if spin != POSITION for name in pair}
        swapped = ["" if name in kept else name for name in self._targets]
        return turned(deviations, turns**2, swapped, stack)

    def readable(self, outputs: Any) -> Any:
        """Means and standard deviations (batch, k, 2), in the units of the targets."""
        import keras
        from keras import ops

        count, deviations = len(self._targets), self.of("deviation").tolist()
        relative, raw = outputs[:, :count], outputs[:, count:]
        spread = ops.sqrt(ops.softplus(raw) + SMALLEST_VARIANCE)
        means = keras.layers.Rescaling(deviations, self.of("mean").tolist(), name="means")
        spreads = keras.layers.Rescaling(deviations, name="deviations")
        return ops.stack([means(relative), spreads(spread)], axis=2)

    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """Means and standard deviations of the mixture, see `gaussian.mixed`."""
        from keras import ops

        own = partial(ops.stack, axis=-1)
        back = np.swapaxes(turns, 1, 2)[:, None].astype(np.float32)
        means = turned(readable[..., 0], back, self._targets, own)
        deviations = self._deviations_turned(readable[..., 1], back, own)
        variance = ops.mean(deviations**2, axis=0) + ops.var(means, axis=0)
        return ops.stack([ops.mean(means, axis=0), ops.sqrt(variance)], axis=2)


class Binned(Head):
    """Probabilities of even bins, for each target, with some room around the training values.

    It suits what is flat or has two humps, as the mass of an axion whose vortex is not resolved.
    """

    def __init__(self, targets: Sequence[str], settings: Mapping, facts: Mapping):
        super().__init__(targets, settings, facts)
        self.per_target = settings["bins"]

    def _range(self) -> np.ndarray:
        """Where the bins of each target begin and end, (2, k)."""
        low, high = self.of("lowest"), self.of("highest")
        return np.stack([low, high]) + ROOM * (high - low) * np.array([[-1], [1]])

    def _relative_range(self) -> np.ndarray:
        """The same of targets as they are learned."""
        return (self._range() - self.of("mean")) / self.of("deviation")

    def loss(self, targets: Any, outputs: Any) -> Any:
        """The cross-entropy of the bins, see `losses.binned_nll`."""
        from sslens.networks.losses import binned_nll

        return binned_nll(targets, outputs, *self._relative_range())

    def likelihood(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The mean of the loss."""
        return float(np.mean(self.loss(targets, outputs)))

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """(..., k, bins)."""
        shape = (*outputs.shape[:-1], len(self._targets), self.per_target)
        return np.exp(log_softmax(np.reshape(outputs, shape).astype(np.float64), axis=-1))

    def means(self, outputs: np.ndarray) -> np.ndarray:
        """Of the centres of the bins."""
        low, high = self._relative_range()
        centres = (np.arange(self.per_target) + 0.5) / self.per_target
        of_bins = low[:, None] + (high - low)[:, None] * centres
        return np.einsum("nkb,kb->nk", self._probabilities(outputs), of_bins)

    def columns(self, outputs: np.ndarray, turns: np.ndarray) -> dict[str, np.ndarray]:
        """The probabilities, means over the orientations."""
        mean = self._probabilities(outputs).mean(axis=0)
        return {
            column: mean[:, place, number]
            for place, name in enumerate(self._targets)
            for number, column in enumerate(bin_columns(name, self.per_target))
        }

    def edges(self) -> dict[str, list[float]]:
        """Of all targets."""
        return {
            name: np.linspace(low, high, self.per_target + 1).tolist()
            for name, (low, high) in zip(self._targets, self._range().T, strict=True)
        }

    def readable(self, outputs: Any) -> Any:
        """Probabilities (batch, k, bins)."""
        from keras import ops

        shape = (-1, len(self._targets), self.per_target)
        return ops.softmax(ops.reshape(outputs, shape), axis=-1)

    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """Their mean."""
        from keras import ops

        return ops.mean(readable, axis=0)


HEADS: dict[str, type[Head]] = {"gaussian": Gaussian, "binned": Binned}
