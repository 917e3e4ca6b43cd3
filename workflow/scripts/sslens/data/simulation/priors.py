"""Priors of a recipe: named distributions that the parameters of an image are drawn from.

A prior is a number (the same in every image) or a mapping of one name to its settings; the names
are explained in `config/datasets.yaml` and checked by `recipe.schema.yaml`. It is drawn from by its
quantile function, so that an image's numbers follow from uniform ones that don't depend on it.
"""

from collections.abc import Callable, Mapping

import numpy as np


def _uniform_quantile(bounds, u):
    low, high = bounds
    return low + (high - low) * u


def _log_uniform_quantile(bounds, u):
    low, high = bounds
    return low * (high / low) ** u


def _power_law_quantile(settings, u):
    """Inverse of the cumulative distribution of p(x) ~ x^index on [min, max]."""
    low, high, exponent = settings["min"], settings["max"], settings["index"] + 1
    if exponent == 0:
        return _log_uniform_quantile((low, high), u)
    return (low**exponent + (high**exponent - low**exponent) * u) ** (1 / exponent)


def _truncated_normal_quantile(settings, u):
    """Inverse of the cumulative distribution of a normal one, cut off below min and above max."""
    from scipy.special import ndtr, ndtri  # slow to import, and the Snakefile only checks

    low, high = ((settings[end] - settings["mean"]) / settings["sd"] for end in ("min", "max"))
    # above the mean by the mirror image, since there the cumulative distribution is rounded to 1
    mirror = -1 if low > 0 else 1
    if mirror < 0:
        low, high, u = -high, -low, 1 - u
    values = settings["mean"] + settings["sd"] * mirror * ndtri(
        ndtr(low) + (ndtr(high) - ndtr(low)) * u
    )
    return np.clip(values, settings["min"], settings["max"])


#: Name of a distribution -> its quantile function.
DISTRIBUTIONS: dict[str, Callable] = {
    "uniform": _uniform_quantile,
    "log_uniform": _log_uniform_quantile,
    "truncated_normal": _truncated_normal_quantile,
    "power_law": _power_law_quantile,
}


def quantile(prior, u):
    """Values of a prior at the cumulative probabilities `u`: uniform `u` make draws of the prior.

    Args:
        prior: a number (constant) or a one-key mapping {name: settings}, as `check_recipe` let
            pass.
        u: array of numbers in [0, 1].

    Returns:
        float64 array of the shape of `u`, growing with `u`.
    """
    if not isinstance(prior, Mapping):
        return np.full(np.shape(u), float(prior))
    ((name, settings),) = prior.items()
    return DISTRIBUTIONS[name](settings, np.asarray(u, dtype=np.float64))


def support(prior) -> tuple[float, float]:
    """The lowest and the highest value that a prior can take."""
    if not isinstance(prior, Mapping):
        return prior, prior
    ((_, settings),) = prior.items()
    return (settings["min"], settings["max"]) if isinstance(settings, Mapping) else tuple(settings)
