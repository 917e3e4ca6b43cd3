"""Priors of a recipe: named distributions that the parameters of an image are drawn from.

A prior is a number (the same in every image) or a mapping of one name to its settings; the names
are explained in `config/datasets.yaml`. It is drawn from by its quantile function, so that an
image's numbers follow from uniform ones that don't depend on the prior.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from sslens.suggestions import unknown


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
    values = settings["mean"] + settings["sd"] * ndtri(ndtr(low) + (ndtr(high) - ndtr(low)) * u)
    return np.clip(values, settings["min"], settings["max"])  # far out in a tail, ndtr is 0 or 1


_QUANTILES: dict[str, Callable] = {
    "uniform": _uniform_quantile,
    "log_uniform": _log_uniform_quantile,
    "truncated_normal": _truncated_normal_quantile,
    "power_law": _power_law_quantile,
}
_SETTINGS = {"truncated_normal": ("min", "max", "mean", "sd"), "power_law": ("min", "max", "index")}
_OF_ANY_SIGN = ("uniform", "truncated_normal")


def quantile(prior, u):
    """Values of a prior at the cumulative probabilities `u`: uniform `u` make draws of the prior.

    Args:
        prior: a number (constant) or a one-key mapping {name: settings}, as `check_recipe` let
            pass.
        u: array of numbers in [0, 1].

    Returns:
        float64 array of the shape of `u`, growing with `u`.
    """
    if is_number(prior):
        return np.full(np.shape(u), float(prior))
    ((name, settings),) = prior.items()
    return _QUANTILES[name](settings, np.asarray(u, dtype=np.float64))


def support(prior) -> tuple[float, float]:
    """The lowest and the highest value that a prior can take."""
    if is_number(prior):
        return prior, prior
    ((_, settings),) = prior.items()
    return (settings["min"], settings["max"]) if isinstance(settings, Mapping) else tuple(settings)


def check_prior(dataset: str, where: str, prior, positive: bool) -> None:
    """Raise a ValueError that names data set and key, if a prior is none, or not positive."""
    if isinstance(prior, Mapping):
        _check_distribution(dataset, where, prior)
    elif not is_number(prior):
        raise ValueError(
            f"{dataset}: {where}: {prior!r} is neither a number (write 1.0e+12, not 1e12) nor a"
            f" prior ({', '.join(_QUANTILES)})"
        )
    if positive and support(prior)[0] <= 0:
        raise ValueError(f"{dataset}: {where}: {prior!r} must be greater than 0")


def _check_distribution(dataset, where, prior):
    name = next(iter(prior), None)
    if len(prior) != 1 or name not in _QUANTILES:
        raise ValueError(
            f"{dataset}: {where}: unknown prior {' and '.join(map(repr, prior)) or '{}'}, use one"
            f" of {', '.join(_QUANTILES)}"
        )
    settings = prior[name]
    where = f"{where}.{name}"
    if name in _SETTINGS:
        check_keys(dataset, settings, where, _SETTINGS[name])
        numbers = [settings[key] for key in _SETTINGS[name]]
    elif isinstance(settings, (list, tuple)) and len(settings) == 2:
        numbers = list(settings)
    else:
        raise ValueError(f"{dataset}: {where}: {settings!r} is not [lowest, highest]")
    if not all(map(is_number, numbers)):
        raise ValueError(
            f"{dataset}: {where}: {settings!r} holds what is no number (write 1.0e+6, not 1e6)"
        )
    low, high = numbers[:2]
    if low > high or (name not in _OF_ANY_SIGN and low <= 0):
        least = "" if name in _OF_ANY_SIGN else "0 < "
        raise ValueError(f"{dataset}: {where}: {settings!r}, need {least}lowest <= highest")
    if name == "truncated_normal" and settings["sd"] <= 0:
        raise ValueError(f"{dataset}: {where}.sd: {settings['sd']!r} must be greater than 0")


def check_keys(dataset: str, settings, where: str, known, optional=()) -> None:
    """Raise a ValueError unless `settings` holds the keys of `known`, all but `optional` ones."""
    if not isinstance(settings, Mapping):
        raise ValueError(f"{dataset}: {where or 'recipe'}: {settings!r} is not a mapping")
    # before what is missing, since a key that is misspelt is both
    for key in settings:
        if key not in known:
            section = f"{where}: " if where else ""
            raise ValueError(f"{dataset}: {section}{unknown('key', key, known)}")
    for key in known:
        if key not in settings and key not in optional:
            prefix = f"{where}." if where else ""
            raise ValueError(f"{dataset}: {prefix}{key}: missing")


def is_number(value) -> bool:
    """Whether a value is a number that float64 can hold (a truth value is none)."""
    try:
        return (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
    except OverflowError:  # a whole number beyond float64's range
        return False


def is_whole(value, least: int = -(2**63)) -> bool:
    """Whether a value is a whole number from `least` that int64 can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63
