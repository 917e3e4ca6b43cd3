"""Scores of a regression: errors, how much of the variation is explained, and calibration."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sslens.metrics.distributions import (
    Distribution,
    Histogram,
    Normal,
    conformal_level,
    is_inside,
)
from sslens.metrics.gaussian import LEVELS

#: Bins of the true values, of equal width between the least and the largest one.
BINS = 8
#: The scores of `contributions`.
SCORES = ("mae", "rmse", "bias", "r2", "nll", "crps")


class Calibration(NamedTuple):
    """What makes distributions fit images that they were not learned from.

    Attributes:
        scale: factor of the distributions, see `Distribution.scaled`.
        levels: share of the images that an interval is to hold -> the probability of the central
            intervals, of the scaled distributions, that do so.
    """

    scale: float
    levels: Mapping[float, float]


def calibrate(true: np.ndarray, found: Distribution) -> Calibration:
    """The calibration by these true values (n,): the likeliest scale, and then the intervals."""
    scale = found.fit(true)
    below = found.scaled(scale).below(true)
    return Calibration(scale, {share: conformal_level(below, share) for share in LEVELS})


def columns_of(target: str) -> tuple[str, str, str]:
    """Columns of the predictions of a target: the true value, the mean, the standard deviation."""
    return f"true_{target}", f"mean_{target}", f"std_{target}"


def bin_columns(target: str, bins: int) -> list[str]:
    """Columns of the probabilities of a target's bins."""
    return [f"p_{target}_{number:03d}" for number in range(bins)]


def _columns_in(predictions: pd.DataFrame, target: str) -> list[str]:
    """The columns that have the distribution of a target: those of its bins, if it has any."""
    if (edges := predictions.attrs.get("edges", {}).get(target)) is not None:
        return bin_columns(target, len(edges) - 1)
    return list(columns_of(target)[1:])


def check_predictions(predictions: pd.DataFrame, targets: Sequence[str]) -> None:
    """Raise ValueError, in one line, where predictions cannot be scored image by image."""
    of_targets = [[columns_of(name)[0], *_columns_in(predictions, name)] for name in targets]
    wanted = {"image_id", *(column for columns in of_targets for column in columns)}
    if missing := wanted - set(predictions.columns):
        raise ValueError(f"predictions lack the columns {', '.join(sorted(missing))}")
    if (again := predictions["image_id"].duplicated()).any():
        first = predictions["image_id"][again].iloc[0]
        raise ValueError(f"{int(again.sum())} predictions repeat an image id, such as {first}")
    for target, (_, *columns) in zip(targets, of_targets, strict=True):
        numbers = predictions[columns].to_numpy(np.float64)
        wrong = ~np.isfinite(numbers).all(axis=1) | (numbers[:, -1] < 0)
        if columns[-1] == columns_of(target)[2]:
            wrong |= numbers[:, -1] == 0
        if wrong.any():
            raise ValueError(
                f"{int(wrong.sum())} of {len(predictions)} predictions of {target} are not finite, "
                f"or without a deviation, the first of them image "
                f"{predictions['image_id'][wrong].iloc[0]}"
            )


def true_and_predicted(predictions: pd.DataFrame, target: str) -> tuple[np.ndarray, Distribution]:
    """True values (n,) of the images that have a target, and what is predicted of them."""
    true_column = columns_of(target)[0]
    own = predictions[predictions[true_column].notna()]
    true = own[true_column].to_numpy(np.float64)
    numbers = own[_columns_in(predictions, target)].to_numpy(np.float64)
    if (edges := predictions.attrs.get("edges", {}).get(target)) is not None:
        return true, Histogram(np.array(edges), numbers)
    return true, Normal(*numbers.T)


def score(
    predictions: pd.DataFrame, validation: pd.DataFrame, targets: Sequence[str]
) -> dict[str, Any]:
    """All metrics of one predictions frame.

    Args:
        predictions: of the test set, columns `image_id` and those of every target.
        validation: of the validation set, for the calibration.
        targets: which are scored.

    Returns:
        `images`, the number of them, and `targets`: of each what `score_target` says.

    Raises ValueError as `check_predictions` does, and where fewer than two images have a target.
    """
    for frame in (predictions, validation):
        check_predictions(frame, targets)
    scores = {}
    for target in targets:
        (true, found), (held_out, own) = (
            true_and_predicted(predictions, target),
            true_and_predicted(validation, target),
        )
        if min(len(true), len(held_out)) < 2:
            raise ValueError(f"fewer than two test or validation images have {target}")
        scores[target] = score_target(true, found, calibrate(held_out, own))
    return {"images": len(predictions), "targets": scores}


def contributions(true: np.ndarray, found: Distribution) -> dict[str, tuple[float, np.ndarray]]:
    """Scores of one target, each with what every image contributes to it.

    A contribution is the change of the score, to first order, with the weight of the image (the
    influence function, Hampel 1974, doi:10.1080/01621459.1974.10482962). Of a mean it is the
    difference from the mean. The variance of a score is that of its contributions divided by n.

    Args:
        true: (n,).
        found: what is predicted.

    Returns:
        `SCORES` -> the score, and contributions (n,) with a mean of 0. Where true values do not
        vary, r2 and its contributions are NaN.
    """

    def mean_of(values: np.ndarray) -> tuple[float, np.ndarray]:
        return float(values.mean()), values - values.mean()

    errors = found.mean - true
    squared, of_squares = mean_of(errors**2)
    variance, of_variance = mean_of((true - true.mean()) ** 2)
    root = np.sqrt(squared)
    of_root = of_squares / (2 * root) if root else np.zeros(len(true))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.float64(squared) / variance  # that is not explained
        of_share = (of_squares - share * of_variance) / variance
    return {
        "mae": mean_of(np.abs(errors)),
        "rmse": (float(root), of_root),
        "bias": mean_of(errors),
        "r2": (float(1 - share), -of_share),
        "nll": mean_of(found.negative_log_likelihood(true)),
        "crps": mean_of(found.crps(true)),
    }


def score_target(true: np.ndarray, found: Distribution, calibration: Calibration) -> dict[str, Any]:
    """The metrics of one target.

    Args:
        true: (n,).
        found: what is predicted.
        calibration: by other images.

    Returns:
        Finite numbers, in the unit of the target where they have one, for JSON:

        - images: n;
        - mae, rmse, bias: mean absolute error, root of the mean squared error, and mean of the
          prediction less the true value;
        - r2: the share of the true values' variance that is explained, negative where it is less
          than by their mean; correlation: Pearson's; None where true values do not vary, and the
          correlation also where predictions do not;
        - nll, crps: means of the negative log-likelihood and of the CRPS;
        - coverage: probability -> share of the images whose true value is in the central interval;
        - deviation: the mean standard deviation;
        - scale, levels: those of the calibration;
        - calibrated: {nll, crps, coverage} with it;
        - by_true_value: of each bin of the true values low, high, images, and where it has any
          mae, rmse, bias, deviation, nll, crps and coverage (the last four calibrated).
    """
    calibrated = found.scaled(calibration.scale)
    scores = {name: value for name, (value, _) in contributions(true, found).items()}
    varies = np.ptp(true) > 0
    explained = scores["r2"] if varies else None
    varies = varies and np.ptp(found.mean) > 0
    return {
        "images": len(true),
        **scores,
        "r2": explained,
        "correlation": float(np.corrcoef(true, found.mean)[0, 1]) if varies else None,
        "deviation": float(found.deviation.mean()),
        "coverage": _coverage(found.below(true), {level: level for level in LEVELS}),
        "scale": calibration.scale,
        "levels": {f"{share:g}": level for share, level in calibration.levels.items()},
        "calibrated": {
            "nll": float(calibrated.negative_log_likelihood(true).mean()),
            "crps": float(calibrated.crps(true).mean()),
            "coverage": _coverage(calibrated.below(true), calibration.levels),
        },
        "by_true_value": _by_true_value(true, found.mean - true, calibrated, calibration.levels),
    }


def _coverage(below: np.ndarray, levels: Mapping[float, float]) -> dict[str, float]:
    return {f"{share:g}": float(is_inside(below, level).mean()) for share, level in levels.items()}


def bins_of(true: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges (count + 1,) of even bins of true values, and the bin (n,) of each."""
    edges = np.linspace(true.min(), true.max(), count + 1)
    return edges, np.clip(np.searchsorted(edges, true, side="right") - 1, 0, count - 1)


def _by_true_value(
    true: np.ndarray, errors: np.ndarray, calibrated: Distribution, levels: Mapping[float, float]
) -> list[dict]:
    edges, places = bins_of(true, BINS)
    below, deviations = calibrated.below(true), calibrated.deviation
    likelihoods, scores = calibrated.negative_log_likelihood(true), calibrated.crps(true)
    bins = []
    for place, (low, high) in enumerate(pairwise(edges)):
        chosen = places == place
        row: dict[str, Any] = {"low": float(low), "high": float(high), "images": int(chosen.sum())}
        if chosen.any():
            row |= {
                "mae": float(np.abs(errors[chosen]).mean()),
                "rmse": float(np.sqrt(np.mean(errors[chosen] ** 2))),
                "bias": float(errors[chosen].mean()),
                "deviation": float(deviations[chosen].mean()),
                "nll": float(likelihoods[chosen].mean()),
                "crps": float(scores[chosen].mean()),
                "coverage": _coverage(below[chosen], levels),
            }
        bins.append(row)
    return bins
